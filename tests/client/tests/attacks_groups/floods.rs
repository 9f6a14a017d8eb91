//! D7, D8: whoever floods or runs far ahead hurts nobody else.

use hushpost::{Event, GroupInfo};
use hushpost_evil_relay::{Fate, Record, Verdict};
use hushpost_protocol::{
    DistributionId, MAX_FORWARD_JUMP, OutboundSenderKey, SenderKeyDistributionMessage,
};
use prost::Message as _;
use rand::rngs::SysRng;

use crate::forgery::{delivery, in_the_name_of, last_shared};
use crate::member::{Member, group_message};
use crate::puppet::content;
use crate::puppet::group::{Change, SenderKey, Signed};
use crate::{Outcome, Stage, is_member};

#[tokio::test]
async fn a_flood_of_keys_keeps_no_honest_message_from_opening() -> Outcome {
    let mut stage = Stage::new().await?;
    stage.both_say("before").await?;
    let [alice, carol] = stage.others();
    let distribution = group_message(&last_shared(&stage, alice))
        .unwrap()
        .distribution_id();
    // An honest message is still on its way.
    stage.line.once().on_delivery(move |delivery, who| {
        let sender = delivery.sender.as_ref();
        let hers = sender.is_some_and(|sender| sender.account.as_ref() == alice.as_bytes());
        if who.is(carol) && hers && group_message(&delivery.ciphertext).is_some() {
            Verdict::Drop
        } else {
            Verdict::Pass
        }
    });
    let honest = stage.crew.says(stage.alice(), "an honest one").await?;
    let dropped = |record: &Record| {
        let mut fates = record.events().iter().map(|event| event.fate);
        fates.any(|fate| fate == Fate::Dropped)
    };
    stage.line.until("it to be on its way", dropped).await?;
    let late = last_shared(&stage, alice);
    let mut eve = Member::facing(stage.relay.address(), &[carol]).await?;
    let group = stage.mallory.group.clone();
    let mut mine = in_the_name_of(stage.mallory.own.distribution_id());
    for number in 0..100 {
        let keys = [
            in_the_name_of(distribution).distribution_message(),
            in_the_name_of(DistributionId(uuid::Uuid::from_u128(number))).distribution_message(),
            mine.distribution_message(),
        ];
        mine.rotate(&mut SysRng).unwrap();
        for message in keys {
            let key = SenderKey {
                conversation: group.clone(),
                distribution: message.to_bytes().to_vec(),
                chain: 1,
                first: 1,
            };
            stage.mallory.tell_key(carol, key.clone()).await?;
            eve.tell_key(carol, key).await?;
        }
    }
    stage.behind().await?;
    stage.line.deliver(carol, &delivery(alice, late))?;
    assert_eq!(stage.carol().until_shown(honest).await?, "an honest one");
    stage.both_say("after").await?;
    assert_eq!(stage.carol().client.troubles().await?, []);
    Ok(())
}

/// The same key, at another number: a stored key is kind, version, distribution, chain id, chain key, number and the
/// signing key's 96 bytes.
fn moved_to(key: &OutboundSenderKey, number: u32) -> OutboundSenderKey {
    let stored = key.encode();
    let varint = |mut value: u32| {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
            value >>= 7;
        }
        bytes.push(u8::try_from(value).unwrap());
        bytes
    };
    let keys = 18 + varint(key.chain_id().0).len() + 32;
    let end = &stored[stored.len() - 96..];
    let moved = [&stored[..keys], &varint(number), end].concat();
    OutboundSenderKey::decode(&moved).unwrap()
}

#[tokio::test]
async fn who_runs_too_far_ahead_is_not_followed() -> Outcome {
    let mut stage = Stage::new().await?;
    let others = stage.others();
    let mut events = stage.carol().client.events();
    let here = moved_to(&stage.mallory.own, stage.mallory.own.iteration());
    let from = here.iteration();
    for ahead in [MAX_FORWARD_JUMP + 1, 1 << 31, u32::MAX - 1 - from] {
        stage.mallory.own = moved_to(&here, from + ahead);
        let far = stage.mallory.post_to(&others, content(b"far away")).await?;
        let cannot = |event: &Event| matches!(event, Event::Undecryptable { cause, .. } if cause == "too_far_ahead");
        let carol = stage.carol();
        carol.until_event(&mut events, "a refusal", cannot).await?;
        assert!(carol.client.message(far).await?.is_none());
    }
    // Their chain is where it was.
    stage.mallory.own = here;
    let near = stage.mallory.post_to(&others, content(b"near")).await?;
    assert_eq!(stage.carol().until_shown(near).await?, "near");
    Ok(())
}

#[test]
fn a_key_is_moved_as_it_should_be() {
    let key = in_the_name_of(DistributionId(uuid::Uuid::from_u128(7)));
    assert_eq!(*moved_to(&key, key.iteration()).encode(), *key.encode());
    let told: SenderKeyDistributionMessage = moved_to(&key, 30_000).distribution_message();
    assert_eq!(
        (told.iteration(), told.chain_id()),
        (30_000, key.chain_id())
    );
}

/// As long as a change may be: with a field that nobody knows.
#[derive(Clone, PartialEq, prost::Message)]
struct Ballast {
    #[prost(bytes = "vec", tag = "100")]
    bytes: Vec<u8>,
}

/// A large change of a group that there is not.
fn of_nowhere(by: &Member) -> Signed {
    let key = by.key();
    let change = Change {
        group: rand::random::<[u8; 16]>().to_vec(),
        parents: vec![vec![1; 32]],
        ..by.change_by(Change::names("nowhere"), &key)
    };
    let ballast = Ballast {
        bytes: vec![0; 39_000],
    };
    let bytes = [change.encode_to_vec(), ballast.encode_to_vec()].concat();
    Signed::of(bytes, &key)
}

#[tokio::test]
async fn a_flood_of_changes_keeps_nobody_out_of_a_group() -> Outcome {
    let stage = Stage::new().await?;
    let dave = stage.dave().account;
    // Several, for what one may leave behind is bounded.
    for _ in 0..9 {
        let mut eve = Member::facing(stage.relay.address(), &[dave]).await?;
        for _ in 0..60 {
            let change = of_nowhere(&eve);
            eve.group = change.read().group;
            eve.tell_changes(dave, &[change]).await?;
        }
        let said = eve.say(dave, "hello, Dave").await?;
        stage.dave().until_shown(said).await?;
    }
    stage.crew.of(stage.alice()).add([dave]).await?;
    stage.crew.enters(stage.dave()).await?;
    let is_in = |info: &GroupInfo| is_member(info, dave);
    let known = stage.crew.until_info(stage.carol(), "dave", is_in);
    known.await?;
    let welcome = stage.crew.says(stage.carol(), "welcome, Dave").await?;
    stage.dave().until_shown(welcome).await?;
    Ok(())
}
