//! The relay lies about how sessions start: first messages that come again, at once or much later, and envelopes
//! for somebody else or under another's name. Nothing of it is shown, and the honest message arrives.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod attack_stage;

use attack_stage::{
    Result, bundles_of, check_calm, first_delivery, first_message, flip, sent_by, stage,
    told_until, until_disowned,
};
use hushpost::{AccountId, Event, Events, MessageRef, MessageState};
use hushpost_client_tests::{Person, PersonOptions};
use hushpost_evil_relay::{EvilRelay, Fate, Verdict};
use hushpost_wire::Delivery;

/// Delivers it again, under its own envelope id and under another.
fn replay(line: &EvilRelay, to: AccountId, delivery: &Delivery) {
    let mut renamed = delivery.clone();
    flip(&mut renamed.message_id, 5);
    for again in [delivery, &renamed, delivery] {
        line.deliver(to, again).unwrap();
    }
}

#[tokio::test]
async fn a_first_message_that_comes_again_is_nothing_new() -> Result {
    let (_relay, line) = stage().await?;
    let alice = Person::registered("alice", line.address()).await?;
    let mut bob = Person::registered("bob", line.address()).await?;
    let mut events = bob.client.events();
    let hello = alice.say(&bob, "hello").await?;
    told_until(&bob, &mut events, hello).await?;
    let first = first_delivery(&line, bob.account);

    // Each time the honest message behind it is the only one that is shown.
    replay(&line, bob.account, &first);
    let next = alice.say(&bob, "at once").await?;
    let told = told_until(&bob, &mut events, next).await?;
    check_calm(&bob, &told, 1, "at once").await?;

    bob.reopen().await?;
    bob.client.connect();
    bob.until_online().await?;
    let mut events = bob.client.events();
    replay(&line, bob.account, &first);
    let next = alice.say(&bob, "after a restart").await?;
    let told = told_until(&bob, &mut events, next).await?;
    check_calm(&bob, &told, 1, "after a restart").await?;

    for number in 0..100 {
        alice.say(&bob, &format!("number {number}")).await?;
    }
    let last = alice.say(&bob, "the last of a hundred").await?;
    bob.until_shown(last).await?;
    let mut events = bob.client.events();
    replay(&line, bob.account, &first);
    let next = alice.say(&bob, "after a hundred").await?;
    let told = told_until(&bob, &mut events, next).await?;
    check_calm(&bob, &told, 1, "after a hundred").await?;

    bob.with(&alice).await?.delete().await?;
    let mut events = bob.client.events();
    replay(&line, bob.account, &first);
    let next = alice.say(&bob, "after it was deleted").await?;
    let told = told_until(&bob, &mut events, next).await?;
    check_calm(&bob, &told, 1, "after it was deleted").await?;
    assert_eq!(bob.texts(&alice).await?, ["after it was deleted"]);

    let answer = bob.say(&alice, "yes?").await?;
    alice.until_shown(answer).await?;
    bob.until_state(answer, MessageState::Delivered).await?;
    alice.until_state(next, MessageState::Delivered).await?;
    let mut events = bob.client.events();
    replay(&line, bob.account, &first);
    let next = alice.say(&bob, "after the answer").await?;
    let told = told_until(&bob, &mut events, next).await?;
    check_calm(&bob, &told, 1, "after the answer").await?;

    // And the session is still the one that Alice uses.
    let answer = bob.say(&alice, "all fine").await?;
    assert_eq!(alice.until_shown(answer).await?, "all fine");
    alice.until_state(next, MessageState::Delivered).await?;
    Ok(())
}

/// The keys that would tell it from a forgery are gone by then: it is reported as one, asked for, and disowned.
#[tokio::test]
async fn a_first_message_that_comes_again_after_many_turns_is_a_forgery_at_most() -> Result {
    let (_relay, line) = stage().await?;
    let alice = Person::registered("alice", line.address()).await?;
    let bob = Person::registered("bob", line.address()).await?;
    for number in 0..20 {
        let question = alice.say(&bob, &format!("question {number}")).await?;
        bob.until_shown(question).await?;
        let answer = bob.say(&alice, &format!("answer {number}")).await?;
        alice.until_shown(answer).await?;
        alice.until_state(question, MessageState::Delivered).await?;
        bob.until_state(answer, MessageState::Delivered).await?;
    }
    let first = first_delivery(&line, bob.account);
    let mut events = bob.client.events();
    replay(&line, bob.account, &first);
    let next = alice.say(&bob, "after many turns").await?;
    let told = told_until(&bob, &mut events, next).await?;
    let added = |event: &&Event| matches!(event, Event::MessageAdded { .. });
    assert_eq!(told.iter().filter(added).count(), 1, "{told:?}");
    until_disowned(&bob, 2).await?;
    assert_eq!(bob.texts(&alice).await?.len(), 41);
    let answer = bob.say(&alice, "all fine").await?;
    assert_eq!(alice.until_shown(answer).await?, "all fine");
    Ok(())
}

#[tokio::test]
async fn a_first_message_without_one_time_keys_is_taken_once_too() -> Result {
    let (_relay, line) = stage().await?;
    let alice = Person::registered("alice", line.address()).await?;
    let one_key = PersonOptions {
        configure: |config| config.pre_key_stock(1),
    };
    let mut bob = Person::with_options("bob", line.address(), one_key).await?;
    bob.until_online().await?;
    alice.until_online().await?;
    bob.client.disconnect().await;
    // The only one is taken while Bob cannot make another.
    bundles_of(&line, alice.account, bob.account).await;
    let mut events = bob.client.events();
    let hello = alice.say(&bob, "hello").await?;
    alice.until_state(hello, MessageState::Sent).await?;
    bob.client.connect();
    told_until(&bob, &mut events, hello).await?;
    let first = first_delivery(&line, bob.account);
    let message = first_message(&first.ciphertext).unwrap();
    assert_eq!(message.one_time_pre_key_id(), None);

    replay(&line, bob.account, &first);
    let next = alice.say(&bob, "now").await?;
    let told = told_until(&bob, &mut events, next).await?;
    check_calm(&bob, &told, 1, "now").await?;
    bob.reopen().await?;
    let mut events = bob.client.events();
    bob.client.connect();
    bob.until_online().await?;
    replay(&line, bob.account, &first);
    let next = alice.say(&bob, "after a restart").await?;
    let told = told_until(&bob, &mut events, next).await?;
    check_calm(&bob, &told, 1, "after a restart").await?;
    assert_eq!(
        bob.texts(&alice).await?,
        ["hello", "now", "after a restart"]
    );
    Ok(())
}

/// Somebody is told that something did not decrypt, and who is said to have sent it.
async fn told_of(person: &Person, events: &mut Events, name: &str) -> Result<(AccountId, u32)> {
    let told = person
        .until_event(events, name, |event| {
            matches!(
                event,
                Event::Undecryptable { .. } | Event::MessageAdded { .. }
            )
        })
        .await?;
    match told {
        Event::Undecryptable {
            account, device, ..
        } => Ok((account, device.into())),
        other => panic!("{name}: {other:?}"),
    }
}

/// Addresses that no device has: nobody can be told of them.
fn deliver_from_nowhere(line: &EvilRelay, to: &Person, from: &Person, envelope: &Delivery) {
    for (account, device) in [
        (vec![1; 16], 1),
        (from.account.as_bytes().to_vec(), 0),
        (from.account.as_bytes().to_vec(), 128),
        (vec![1; 15], 1),
        (Vec::new(), 1),
    ] {
        let mut forged = sent_by(envelope, from.account, device, 99);
        forged.sender.as_mut().unwrap().account = account.into();
        line.deliver(to.account, &forged).unwrap();
    }
    let mut anonymous = envelope.clone();
    anonymous.sender = None;
    line.deliver(to.account, &anonymous).unwrap();
}

async fn befriend(one: &Person, other: &Person) -> Result {
    let hello = one.say(other, "hello").await?;
    other.until_shown(hello).await?;
    let answer = other.say(one, "hello too").await?;
    one.until_shown(answer).await?;
    one.until_state(hello, MessageState::Delivered).await?;
    other.until_state(answer, MessageState::Delivered).await?;
    Ok(())
}

/// Two envelopes from one to the other: the first there was, and one that was not delivered, and is held.
async fn envelopes(
    line: &EvilRelay,
    from: &Person,
    to: &Person,
) -> Result<(MessageRef, [Delivery; 2])> {
    let starts = first_delivery(line, to.account);
    let account = to.account;
    line.once().on_delivery(move |_, who| {
        if who.is(account) {
            Verdict::Hold
        } else {
            Verdict::Pass
        }
    });
    let held = from.say(to, "for Bob, from Alice").await?;
    from.until_state(held, MessageState::Sent).await?;
    line.until("it to be held", |record| {
        record.events().iter().any(|event| event.fate == Fate::Held)
    })
    .await
    .unwrap();
    let mut deliveries = line.recorded_deliveries().into_iter();
    let (_, last) = deliveries.rfind(|(who, _)| who.is(account)).unwrap();
    Ok((held, [starts, last]))
}

#[tokio::test]
async fn an_envelope_under_another_address_is_nobodys() -> Result {
    let (_relay, line) = stage().await?;
    let alice = Person::registered("alice", line.address()).await?;
    let mut bob = Person::registered("bob", line.address()).await?;
    let carol = Person::registered("carol", line.address()).await?;
    let mut dora = Person::registered("dora", line.address()).await?;
    // Everybody but Dora knows everybody.
    for (one, other) in [(&alice, &bob), (&bob, &carol), (&carol, &alice)] {
        befriend(one, other).await?;
    }
    let (held, envelopes) = envelopes(&line, &alice, &bob).await?;
    let mut id = 0;
    for envelope in &envelopes {
        for (name, account, device) in [
            ("another sender", carol.account, 1),
            ("a stranger", dora.account, 1),
            ("another device", alice.account, 2),
            ("the last device", alice.account, 127),
            ("himself", bob.account, 1),
            ("his other device", bob.account, 2),
        ] {
            id += 1;
            let mut events = bob.client.events();
            let forged = sent_by(envelope, account, device, id);
            line.deliver(bob.account, &forged).unwrap();
            let told = told_of(&bob, &mut events, name).await?;
            assert_eq!(told, (account, device), "{name}");
        }
        for other in [&carol, &dora] {
            id += 1;
            let mut events = other.client.events();
            let forged = sent_by(envelope, alice.account, 1, id);
            line.deliver(other.account, &forged).unwrap();
            told_of(other, &mut events, "another recipient").await?;
        }
    }
    deliver_from_nowhere(&line, &bob, &alice, &envelopes[1]);

    // The held one is as good as ever.
    line.release();
    assert_eq!(bob.until_shown(held).await?, "for Bob, from Alice");
    alice.until_state(held, MessageState::Delivered).await?;
    let texts = ["hello", "hello too", "for Bob, from Alice"];
    assert_eq!(bob.texts(&alice).await?, texts);
    assert_eq!(bob.texts(&carol).await?, ["hello", "hello too"]);
    assert_eq!(carol.texts(&alice).await?, ["hello", "hello too"]);
    assert_eq!(bob.texts(&dora).await?, [""; 0]);
    // All goes on after a restart, for strangers too.
    for person in [&mut bob, &mut dora] {
        person.reopen().await?;
        person.client.connect();
    }
    let next = alice.say(&bob, "and on").await?;
    assert_eq!(bob.until_shown(next).await?, "and on");
    let hello = dora.say(&bob, "we have not met").await?;
    assert_eq!(bob.until_shown(hello).await?, "we have not met");
    let hello = alice.say(&dora, "nor have we").await?;
    assert_eq!(dora.until_shown(hello).await?, "nor have we");
    // Nobody becomes a contact of himself by it.
    assert_eq!(bob.client.contacts().get(bob.account).await?, None);
    Ok(())
}
