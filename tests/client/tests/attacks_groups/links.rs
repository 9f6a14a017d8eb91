//! D10: an invite link opens a group to who has it, as long as it is good, by an admin's hand: and to nobody else.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hushpost::{Clock, Event, InviteLink, SystemClock};
use hushpost_client_tests::{Person, PersonOptions};
use sha2::{Digest as _, Sha256};

use crate::member::Member;
use crate::puppet::Plaintext;
use crate::puppet::group::{Change, JoinRequest};
use crate::{Outcome, Stage, is_member};

/// The secret in a link: after version and group.
fn secret(link: &InviteLink) -> Vec<u8> {
    let text = link.to_text();
    let text = text.strip_prefix("hushpost-group:").unwrap();
    let mut bits = 0u32;
    let mut count = 0;
    let mut bytes = Vec::new();
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'-' => 62,
            _ => 63,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes[17..49].to_vec()
}

/// Eve, who is in no group, shows this to everybody.
async fn shows(eve: &mut Member, stage: &Stage, secret: Vec<u8>) -> Outcome {
    for other in stage.others() {
        let request = JoinRequest {
            conversation: stage.mallory.group.clone(),
            secret: secret.clone(),
        };
        let plaintext = Plaintext {
            join_request: Some(request),
            ..Plaintext::default()
        };
        eve.tell(other, plaintext).await?;
    }
    Ok(())
}

/// All that Eve did was looked at, and she is not in; nobody waits.
async fn stays_out(eve: &mut Member, stage: &Stage, what: &str) -> Outcome {
    for person in &stage.crew.people[..2] {
        let hello = eve.say(person.account, what).await?;
        person.until_shown(hello).await?;
        let info = stage.crew.of(person).info().await?;
        assert!(!is_member(&info, eve.account()), "{what}");
        let requests = stage.crew.of(person).join_requests().await?;
        assert!(requests.is_empty(), "{what}");
    }
    stage.nothing_for(eve.account());
    Ok(())
}

#[tokio::test]
async fn nothing_but_the_secret_opens_a_group() -> Outcome {
    let mut stage = Stage::new().await?;
    let mut eve = Member::facing(stage.relay.address(), &stage.others()).await?;
    let group = stage.crew.of(stage.alice());
    shows(&mut eve, &stage, vec![0; 32]).await?;
    stays_out(&mut eve, &stage, "there is no link").await?;
    let link = group.make_invite(None, false).await?;
    let secret = secret(&link);
    // What every member sees of it.
    let hash = Sha256::digest(&secret).to_vec();
    let seen = |member: &Member, _: &_| {
        let mut log = member.log.iter().filter_map(|signed| signed.read().invite);
        log.any(|invite| invite.secret_hash == hash)
    };
    stage.mallory.hear(&stage.line, "the link", seen).await?;
    let mut flipped = secret.clone();
    flipped[31] ^= 1;
    for guess in [
        hash.clone(),
        flipped,
        vec![0; 32],
        vec![0xff; 32],
        Vec::new(),
        secret[..31].to_vec(),
        [&secret[..], &[0]].concat(),
    ] {
        shows(&mut eve, &stage, guess).await?;
    }
    for _ in 0..100 {
        shows(&mut eve, &stage, rand::random::<[u8; 32]>().to_vec()).await?;
    }
    stays_out(&mut eve, &stage, "a guess").await?;
    // Who is no admin lets nobody in; who is, does.
    let request = JoinRequest {
        conversation: stage.mallory.group.clone(),
        secret: secret.clone(),
    };
    let plaintext = Plaintext {
        join_request: Some(request),
        ..Plaintext::default()
    };
    eve.tell(stage.carol().account, plaintext).await?;
    stays_out(&mut eve, &stage, "to who is no admin").await?;
    // Revoked, it is as good as a guess; so is one that another took the place of.
    group.revoke_invite().await?;
    shows(&mut eve, &stage, secret.clone()).await?;
    stays_out(&mut eve, &stage, "a revoked one").await?;
    let second = group.make_invite(None, false).await?;
    let third = group.make_invite(None, false).await?;
    shows(&mut eve, &stage, secret).await?;
    shows(&mut eve, &stage, self::secret(&second)).await?;
    stays_out(&mut eve, &stage, "a replaced one").await?;
    // An old change that made it comes again.
    let made: Vec<_> = (stage.mallory.log.iter())
        .filter(|signed| signed.read().invite.is_some())
        .cloned()
        .collect();
    for other in stage.others() {
        stage.mallory.tell_changes(other, &made).await?;
    }
    stage.behind().await?;
    shows(&mut eve, &stage, self::secret(&link)).await?;
    stays_out(&mut eve, &stage, "one that was made again").await?;
    shows(&mut eve, &stage, self::secret(&third)).await?;
    let is_in = |info: &hushpost::GroupInfo| is_member(info, eve.account());
    for person in &stage.crew.people[..2] {
        stage.crew.until_info(person, "eve", is_in).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_guest_who_has_to_wait_waits() -> Outcome {
    let mut stage = Stage::new().await?;
    let mut eve = Member::facing(stage.relay.address(), &stage.others()).await?;
    let mut events = stage.alice().client.events();
    let group = stage.crew.of(stage.alice());
    let link = group.make_invite(None, true).await?;
    let known = |info: &hushpost::GroupInfo| info.has_invite;
    let carol_knows = stage.crew.until_info(stage.carol(), "the link", known);
    carol_knows.await?;
    let has_link = |member: &Member, _: &_| {
        let mut log = member.log.iter();
        log.any(|signed| signed.read().invite.is_some())
    };
    stage
        .mallory
        .hear(&stage.line, "the link", has_link)
        .await?;
    for _ in 0..5 {
        shows(&mut eve, &stage, secret(&link)).await?;
    }
    let asks = |event: &Event| matches!(event, Event::JoinRequested { account, .. } if *account == eve.account());
    let alice = stage.alice();
    alice.until_event(&mut events, "a request", asks).await?;
    // She lets herself in; Mallory, who is no admin, lets her in; Mallory takes the waiting away.
    eve.group = stage.mallory.group.clone();
    eve.log = stage.mallory.log.clone();
    let itself = eve.change(Change::adds(eve.account()));
    let by_mallory = stage.mallory.change(Change::adds(eve.account()));
    let no_waiting = stage.mallory.change(Change::invites(
        Sha256::digest(secret(&link)).as_slice().try_into()?,
    ));
    for other in stage.others() {
        let changes = [itself.clone()];
        eve.tell_changes(other, &changes).await?;
    }
    for signed in [itself, by_mallory, no_waiting] {
        stage.claim(&signed).await?;
    }
    shows(&mut eve, &stage, secret(&link)).await?;
    stage.behind().await?;
    let hello = eve.say(stage.alice().account, "may I?").await?;
    stage.alice().until_shown(hello).await?;
    for info in stage.infos().await? {
        assert!(!is_member(&info, eve.account()));
    }
    stage.nothing_for(eve.account());
    let group = stage.crew.of(stage.alice());
    assert_eq!(group.join_requests().await?, [eve.account()]);
    let of_carol = stage.crew.of(stage.carol());
    assert_eq!(of_carol.join_requests().await?, []);
    // The admin says no, and then yes.
    group.refuse_join(eve.account()).await?;
    assert_eq!(group.join_requests().await?, []);
    group.add([eve.account()]).await?;
    let is_in = |info: &hushpost::GroupInfo| is_member(info, eve.account());
    stage.crew.until_info(stage.carol(), "eve", is_in).await?;
    Ok(())
}

static AHEAD: AtomicU64 = AtomicU64::new(0);

/// A clock that somebody puts forward.
struct Ahead;

impl Clock for Ahead {
    fn now_ms(&self) -> u64 {
        SystemClock.now_ms() + AHEAD.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_link_is_good_until_it_expires() -> Outcome {
    let options = PersonOptions {
        configure: |config| config.pre_key_stock(10).clock(Ahead),
    };
    let mut stage = Stage::with(options).await?;
    let mut eve = Member::facing(stage.relay.address(), &stage.others()).await?;
    let group = stage.crew.of(stage.alice());
    let link = group.make_invite(Some(Duration::from_secs(3600)), false);
    let link = link.await?;
    // An hour later.
    AHEAD.store(3_601_000, Ordering::SeqCst);
    shows(&mut eve, &stage, secret(&link)).await?;
    stays_out(&mut eve, &stage, "late").await?;
    // Who says what the time is, is Alice.
    AHEAD.store(3_500_000, Ordering::SeqCst);
    shows(&mut eve, &stage, secret(&link)).await?;
    let is_in = |info: &hushpost::GroupInfo| is_member(info, eve.account());
    let alice: &Person = stage.alice();
    stage.crew.until_info(alice, "eve", is_in).await?;
    stage.behind().await?;
    Ok(())
}
