//! What the relay, a stranger and somebody who is blocked learn: nothing that was not for them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::collections::BTreeSet;
use std::error::Error;

use futures_util::StreamExt as _;
use hushpost::{Activity, Event, MAX_TEXT_LEN, MessageState, Reply};
use hushpost_client_tests::{Pair, Person, text};
use hushpost_evil_relay::EvilRelay;
use hushpost_harness::{LIMITERS_OFF, RelayOptions, RelayProcess};
use hushpost_wire::{AccountId, Send};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A relay, and somebody who writes down what passes.
async fn stage() -> Outcome<(RelayProcess, EvilRelay)> {
    let relay = RelayOptions::default().config(LIMITERS_OFF).start()?;
    let line = EvilRelay::start(relay.address()).await?;
    Ok((relay, line))
}

/// What somebody sent to somebody.
fn sends(line: &EvilRelay, from: AccountId, to: AccountId) -> Vec<Send> {
    let all = line.recorded_sends().into_iter();
    let meant = |send: &Send| {
        let accounts = send.recipients.iter().map(|one| one.account.clone());
        accounts
            .into_iter()
            .any(|account| account[..] == to.as_bytes()[..])
    };
    all.filter(|(who, send)| who.is(from) && meant(send))
        .map(|(_, send)| send)
        .collect()
}

fn sizes<'a>(sends: impl IntoIterator<Item = &'a Send>) -> Vec<usize> {
    let recipients = sends.into_iter().flat_map(|send| &send.recipients);
    let devices = recipients.flat_map(|recipient| &recipient.devices);
    devices.map(|device| device.ciphertext.len()).collect()
}

#[tokio::test]
async fn a_stranger_gets_nothing_back_before_being_accepted() -> Outcome {
    let (_relay, line) = stage().await?;
    let stranger = Person::registered("stranger", line.address()).await?;
    let mut friends = Pair::meet(line.address()).await?;
    let mut last = None;
    for number in 0..20 {
        last = Some(stranger.say(&friends.bob, &format!("{number}")).await?);
    }
    let last = last.unwrap();
    friends.bob.until_shown(last).await?;
    // Reading tells nothing, nor does anything that is made up for at the next start.
    let request = friends.bob.with(&stranger).await?;
    let end = friends.bob.history(&stranger).await?.pop().unwrap().cursor;
    request.mark_read(end).await?;
    friends.bob.reopen().await?;
    friends.bob.client.connect();
    friends.bob.until_online().await?;
    // Behind whatever he might have had to say.
    let behind = friends.bob_says("to a friend").await?;
    friends.alice.until_shown(behind).await?;
    let (bob, strange) = (friends.bob.account, stranger.account);
    assert_eq!(sends(&line, bob, strange).len(), 0);
    let found = stranger.client.message(last).await?.unwrap();
    assert_eq!(found.state, MessageState::Sent);

    friends.bob.accept(&stranger).await?;
    stranger.until_state(last, MessageState::Read).await?;
    // All twenty in one: how many there were does not show in how many there are.
    assert_eq!(sends(&line, bob, strange).len(), 1);
    Ok(())
}

#[tokio::test]
async fn who_is_blocked_is_told_nothing_and_shows_nothing_then_or_later() -> Outcome {
    let (_relay, line) = stage().await?;
    let mut pair = Pair::meet(line.address()).await?;
    let carol = Person::registered("carol", line.address()).await?;
    let first = carol.say(&pair.bob, "hello").await?;
    pair.bob.until_shown(first).await?;
    pair.bob.accept(&carol).await?;
    let state = MessageState::Delivered;
    carol.until_state(first, state).await?;

    pair.bob.client.contacts().block(pair.alice.account).await?;
    let before = sends(&line, pair.bob.account, pair.alice.account).len();
    let events = pair.bob.client.events();
    let conversation = pair.alice.with(&pair.bob).await?;
    let mut unseen = Vec::new();
    for number in 0..5 {
        unseen.push(pair.alice.say(&pair.bob, &format!("{number}")).await?);
        conversation.set_activity(Activity::Typing).await?;
    }
    let sent = MessageState::Sent;
    pair.alice.until_state(unseen[4], sent).await?;
    // Behind it in the mailbox.
    let behind = carol.say(&pair.bob, "behind it").await?;
    pair.bob.until_shown(behind).await?;
    carol.until_state(behind, state).await?;
    let (alice, bob) = (pair.alice.account, pair.bob.account);
    assert_eq!(sends(&line, bob, alice).len(), before);

    // Unblocked, what comes is shown; what came is not, and is not asked for.
    pair.bob.client.contacts().unblock(alice).await?;
    let after = pair.alice_says("and now?").await?;
    pair.bob.until_shown(after).await?;
    pair.alice.until_state(after, state).await?;
    let texts = pair.bob.texts(&pair.alice).await?;
    assert_eq!(texts, ["hello", "hello to you", "and now?"]);
    assert_eq!(pair.bob.client.troubles().await?, []);
    pair.bob.client.close().await;
    let told: Vec<Event> = events.collect().await;
    let shown: Vec<_> = told
        .iter()
        .filter_map(|event| match event {
            Event::MessageAdded { message, .. } => Some(*message),
            Event::Typing { account, .. } => panic!("{account} is typing"),
            Event::GapReported { .. } => panic!("something is missed"),
            _ => None,
        })
        .collect();
    assert_eq!(shown, [behind, after]);
    Ok(())
}

/// The published size classes: four, then Padmé.
fn is_size_class(len: usize) -> bool {
    if len <= 4096 {
        return [512, 1024, 2048, 4096].contains(&len);
    }
    let exponent = len.ilog2();
    let low_bits = exponent - (exponent.ilog2() + 1);
    len.trailing_zeros() >= low_bits
}

#[tokio::test]
async fn every_ciphertext_is_of_a_size_class() -> Outcome {
    let (_relay, line) = stage().await?;
    let mut pair = Pair::meet(line.address()).await?;
    let lengths = [
        1,
        2,
        100,
        250,
        300,
        500,
        700,
        1000,
        1500,
        1900,
        3000,
        4000,
        5000,
        10_000,
        20_000,
        30_000,
        MAX_TEXT_LEN,
    ];
    for length in lengths {
        let message = pair.alice_says(&"x".repeat(length)).await?;
        pair.bob.until_shown(message).await?;
        // Both ratchets turn, and each sends a receipt.
        let short = pair.bob_says("short").await?;
        pair.alice.until_shown(short).await?;
    }
    pair.alice
        .with(&pair.bob)
        .await?
        .set_activity(Activity::Typing)
        .await?;
    pair.judge("all sizes").await?;
    let end = pair.bob.history(&pair.alice).await?.pop().unwrap().cursor;
    let conversation = pair.bob.with(&pair.alice).await?;
    conversation.mark_read(end).await?;
    let own = pair.alice.history(&pair.bob).await?;
    let own = own.iter().rfind(|message| message.is_own()).unwrap();
    let read = MessageState::Read;
    pair.alice.until_state(own.id, read).await?;
    let all = line.recorded_sends();
    let seen = sizes(all.iter().map(|(_, send)| send));
    // Texts, as many answers, and a receipt for each, at least in part.
    assert!(seen.len() > 2 * lengths.len(), "{} only", seen.len());
    for size in &seen {
        assert!(is_size_class(*size), "{size}");
    }
    let different: BTreeSet<usize> = seen.iter().copied().collect();
    assert!(different.len() <= 10, "{different:?}");
    Ok(())
}

#[tokio::test]
async fn what_is_short_looks_the_same_whatever_it_is() -> Outcome {
    let (_relay, line) = stage().await?;
    let mut pair = Pair::meet(line.address()).await?;
    line.forget();
    let yes = pair.alice_says("y").await?;
    pair.bob.until_shown(yes).await?;
    let conversation = pair.bob.with(&pair.alice).await?;
    conversation.set_activity(Activity::Recording).await?;
    let reply = text("no, not at all, and here is a longer explanation why")?.in_reply_to(Reply {
        to: yes,
        excerpt: "y".to_owned(),
    });
    let reply = conversation.send(reply).await?;
    pair.alice.until_shown(reply).await?;
    let end = pair.bob.history(&pair.alice).await?.pop().unwrap().cursor;
    conversation.mark_read(end).await?;
    let (read, delivered) = (MessageState::Read, MessageState::Delivered);
    pair.alice.until_state(yes, read).await?;
    pair.bob.until_state(reply, delivered).await?;
    let all = line.recorded_sends();
    let seen = sizes(all.iter().map(|(_, send)| send));
    // Two texts, typing, and three receipts, of which some may have gone together.
    assert!(seen.len() >= 5, "{seen:?}");
    assert!(seen.iter().all(|size| *size == 512), "{seen:?}");
    Ok(())
}

#[tokio::test]
async fn a_safety_number_is_of_two_accounts_and_of_nothing_else() -> Outcome {
    let (_relay, line) = stage().await?;
    let pair = Pair::meet(line.address()).await?;
    let carol = Person::registered("carol", line.address()).await?;
    let hello = carol.say(&pair.bob, "hello").await?;
    pair.bob.until_shown(hello).await?;
    let contacts = pair.alice.client.contacts();
    let ours = contacts.safety_number(pair.bob.account).await?;
    let his = pair.bob.client.contacts();
    let theirs = his.safety_number(pair.alice.account).await?;
    let other = his.safety_number(carol.account).await?;
    assert_eq!(ours.digits(), theirs.digits());
    assert_ne!(ours.digits(), other.digits());
    let digits = ours.digits().chars().filter(char::is_ascii_digit).count();
    assert_eq!(digits, 60);

    let scanned = theirs.qr_payload();
    assert!(ours.matches_scanned(&scanned)?);
    assert!(!ours.matches_scanned(&other.qr_payload())?);
    // Neither one's own code nor a damaged one is the other's.
    assert!(!matches!(
        ours.matches_scanned(&ours.qr_payload()),
        Ok(true)
    ));
    for position in 0..scanned.len() {
        for bit in 0..8 {
            let mut damaged = scanned.clone();
            damaged[position] ^= 1 << bit;
            let matched = ours.matches_scanned(&damaged);
            assert!(!matches!(matched, Ok(true)), "{position} {bit}");
        }
        let cut = ours.matches_scanned(&scanned[..position]);
        assert!(!matches!(cut, Ok(true)), "{position}");
    }
    // The first field is the version.
    let mut later = scanned;
    assert_eq!(later[..2], [0x08, 1]);
    later[1] = 2;
    let refused = ours.matches_scanned(&later).unwrap_err();
    assert!(refused.code().contains("version"), "{}", refused.code());
    Ok(())
}
