//! The relay is killed, loses its disk, or is at the end of a line that is cut again and again while two people
//! talk: everything arrives, once, in one order, and no key is used twice.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use futures_util::StreamExt as _;
use hushpost::{Event, Events, Message, MessageState};
use hushpost_client_tests::{KeyUse, Pair, Person, TestError, script};
use hushpost_evil_relay::EvilRelay;
use hushpost_harness::{LIMITERS_OFF, RelayOptions, RelayProcess};

type Result = core::result::Result<(), TestError>;

fn relay() -> RelayProcess {
    RelayOptions::default()
        .config(LIMITERS_OFF)
        .start()
        .unwrap()
}

/// Stops the relay and takes its disk away.
fn wipe(relay: &mut RelayProcess) {
    relay.kill().unwrap();
    std::fs::remove_dir_all(relay.data_dir()).unwrap();
    std::fs::create_dir_all(relay.data_dir()).unwrap();
}

/// The same port, or nobody finds it.
fn again(relay: &mut RelayProcess) {
    let before = relay.address();
    relay.restart().unwrap();
    assert_eq!(relay.address(), before, "another test took the port");
}

async fn until_shown(person: &Person, from: &Person, count: usize) -> Result {
    person
        .until("so many messages", || async {
            Ok((person.history(from).await?.len() >= count).then_some(()))
        })
        .await
}

/// Closes a client whose events were listened to: each message of its history was announced, once.
async fn check_announced(person: &Person, other: &Person, events: Events) -> Result {
    let mut history: Vec<_> = person.history(other).await?;
    person.client.close().await;
    let mut announced: Vec<_> = events
        .filter_map(|event| {
            assert!(!matches!(event, Event::Missed { .. }), "not listened to");
            std::future::ready(match event {
                Event::MessageAdded { message, .. } => Some(message),
                _ => None,
            })
        })
        .collect()
        .await;
    announced.sort();
    // What was said before anybody listened.
    history.retain(|message| !text_of(message).starts_with("hello"));
    let mut expected: Vec<_> = history.iter().map(|message| message.id).collect();
    expected.sort();
    assert_eq!(announced, expected, "{}", person.name);
    Ok(())
}

fn text_of(message: &Message) -> &str {
    script::body(message).unwrap()
}

async fn begin_anew(person: &Person) {
    person.client.disconnect().await;
    person.client.connect();
}

fn check_keys(line: &EvilRelay, least: usize) {
    let sends = line.recorded_sends();
    let keys = KeyUse::of(sends.iter().flat_map(|(_, send)| {
        let devices = send.recipients.iter().flat_map(|one| &one.devices);
        devices.map(|device| device.ciphertext.as_ref())
    }));
    assert!(keys.keys() >= least, "{} keys", keys.keys());
    keys.check("on the line");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_relay_is_killed_again_and_again_while_both_talk() -> Result {
    let mut relay = relay();
    let mut pair = Pair::meet(relay.address()).await?;
    pair.talk_while(60, async |alice, bob| {
        for kill in 1..=5 {
            until_shown(bob, alice, kill * 15).await?;
            relay.kill()?;
            again(&mut relay);
        }
        Ok(())
    })
    .await?;
    pair.judge("five kills").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_loses_its_disk_while_both_talk_loses_nothing() -> Result {
    let mut relay = relay();
    let line = EvilRelay::start(relay.address()).await.unwrap();
    let mut pair = Pair::meet(line.address()).await?;
    let mut resets = pair.alice.client.events();
    pair.talk_while(40, async |alice, bob| {
        for times in 1..=2 {
            until_shown(bob, alice, times * 20).await?;
            wipe(&mut relay);
            again(&mut relay);
        }
        Ok(())
    })
    .await?;
    pair.judge("two lost disks").await?;
    let reset = |event: &Event| *event == Event::RelayReset;
    for _ in 0..2 {
        pair.alice
            .until_event(&mut resets, "the lost disk", reset)
            .await?;
    }
    check_keys(&line, 82);
    // The keys are back: somebody new can write to both.
    let carol = Person::registered("carol", line.address()).await?;
    for person in [&pair.alice, &pair.bob] {
        let first = carol.say(person, "may I?").await?;
        person.until_shown(first).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_relay_accepted_and_had_not_delivered_survives_its_disk() -> Result {
    let mut relay = relay();
    let mut pair = Pair::meet(relay.address()).await?;
    pair.bob.client.disconnect().await;
    for number in 0..20 {
        let message = pair
            .alice_says(&format!("while you are away {number}"))
            .await?;
        pair.alice.until_state(message, MessageState::Sent).await?;
    }
    wipe(&mut relay);
    again(&mut relay);
    // Alice is back first, and nobody there knows Bob.
    pair.alice.until_online().await?;
    pair.alice_says("are you there?").await?;
    pair.bob.client.connect();
    pair.judge("accepted, then lost").await?;
    pair.bob_says("I am").await?;
    pair.judge("it goes on").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_is_cut_again_and_again_loses_nothing() -> Result {
    let relay = relay();
    let line = EvilRelay::start(relay.address()).await.unwrap();
    let mut pair = Pair::meet(line.address()).await?;
    line.forget();
    let (alices, bobs) = (pair.alice.client.events(), pair.bob.client.events());
    let mut frames = 0;
    for round in 0..3usize {
        // Waits grow from cut to cut: each round begins as if the app came to the front.
        begin_anew(&pair.alice).await;
        begin_anew(&pair.bob).await;
        pair.talk_while(20, async |_, _| {
            for cut in 0..6 {
                // Each time after another number of frames, so that any of them is the last one.
                frames += 12 + (round * 6 + cut) * 7 % 23;
                line.until("more to pass", |record| record.events().len() >= frames)
                    .await
                    .unwrap();
                line.cut_all();
            }
            Ok(())
        })
        .await?;
    }
    pair.judge("18 cuts").await?;
    check_keys(&line, 100);
    check_announced(&pair.alice, &pair.bob, alices).await?;
    check_announced(&pair.bob, &pair.alice, bobs).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_before_and_after_each_of_the_first_frames() -> Result {
    let relay = relay();
    let line = EvilRelay::start(relay.address()).await.unwrap();
    let mut pair = Pair::meet(line.address()).await?;
    let (alices, bobs) = (pair.alice.client.events(), pair.bob.client.events());
    for frame in 1..=12 {
        begin_anew(&pair.alice).await;
        line.cut_before(frame);
        let message = pair.alice_says(&format!("cut before {frame}")).await?;
        pair.bob.until_shown(message).await?;
        begin_anew(&pair.bob).await;
        line.cut_after(frame);
        let message = pair.bob_says(&format!("cut after {frame}")).await?;
        pair.alice.until_shown(message).await?;
    }
    line.repent();
    pair.judge("cut at every frame").await?;
    check_keys(&line, 26);
    check_announced(&pair.alice, &pair.bob, alices).await?;
    check_announced(&pair.bob, &pair.alice, bobs).await
}

#[tokio::test]
async fn a_relay_that_lost_its_disk_is_given_the_user_name_again() -> Result {
    let mut relay = relay();
    let alice = Person::registered("alice", relay.address()).await?;
    let bob = Person::registered("bob", relay.address()).await?;
    for (person, name) in [(&alice, "alice.a"), (&bob, "bob.b")] {
        person.until_online().await?;
        person.client.set_user_name(name).await?;
    }
    bob.client.disconnect().await;
    let (mut met, mut events) = (alice.client.events(), bob.client.events());
    wipe(&mut relay);
    again(&mut relay);
    let mallory = Person::registered("mallory", relay.address()).await?;
    mallory.until_online().await?;
    mallory.client.set_user_name("bob.b").await?;
    // Alice takes her name between meeting the new store and being online.
    let reset = |event: &Event| matches!(event, Event::RelayReset);
    alice.until_event(&mut met, "the new store", reset).await?;
    alice.until_online().await?;
    let found = mallory
        .client
        .contacts()
        .find_by_user_name("alice.a")
        .await?;
    assert_eq!(found, alice.account);
    assert_eq!(alice.client.user_name().await?.as_deref(), Some("alice.a"));
    // Somebody was faster than Bob: he is told.
    bob.client.connect();
    let lost = |event: &Event| matches!(event, Event::UserNameLost { name } if name == "bob.b");
    bob.until_event(&mut events, "the loss of the name", lost)
        .await?;
    assert_eq!(bob.client.user_name().await?, None);
    Ok(())
}
