//! Ciphertexts that were changed on their way: flipped, cut, stretched, spliced, swapped; garbage by the hundred. It is
//! told that something did not decrypt, nothing of it is shown, the session stays, and the honest message arrives.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod attack_stage;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};

use attack_stage::{Result, asks_for, check_calm, sent_by, stage, told_until};
use hushpost::{AccountId, Clock, Event, MessageState, SystemClock};
use hushpost_client_tests::{KeyUse, Person, PersonOptions};
use hushpost_evil_relay::{EvilRelay, Fate, HeldFrame, Record, Verdict};
use hushpost_harness::Identity;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{Delivery, Ephemeral};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

async fn friends(line: &EvilRelay, options: PersonOptions) -> Result<(Person, Person)> {
    let alice = Person::registered("alice", line.address()).await?;
    let bob = Person::with_options("bob", line.address(), options).await?;
    let hello = alice.say(&bob, "hello").await?;
    bob.until_shown(hello).await?;
    let answer = bob.say(&alice, "hello too").await?;
    alice.until_shown(answer).await?;
    alice.until_state(hello, MessageState::Delivered).await?;
    bob.until_state(answer, MessageState::Delivered).await?;
    Ok((alice, bob))
}

/// Holds the next messages to somebody.
fn hold_next(line: &EvilRelay, to: AccountId, count: usize) {
    line.times(count).on_delivery(move |_, who| {
        if who.is(to) {
            Verdict::Hold
        } else {
            Verdict::Pass
        }
    });
}

/// Waits until so many are held; these.
async fn until_held(line: &EvilRelay, to: AccountId, count: usize) -> Vec<Delivery> {
    let held = |record: &Record| {
        let held = record
            .events()
            .iter()
            .filter(|event| event.fate == Fate::Held);
        held.count() >= count
    };
    line.until("held messages", held).await.unwrap();
    let mut all: Vec<_> = line
        .recorded_deliveries()
        .into_iter()
        .filter(|(who, _)| who.is(to))
        .map(|(_, delivery)| delivery)
        .collect();
    all.split_off(all.len() - count)
}

/// Where the message in an envelope ends.
fn message_end(envelope: &[u8]) -> usize {
    let length = u32::from_be_bytes([0, envelope[2], envelope[3], envelope[4]]);
    5 + usize::try_from(length).unwrap()
}

/// One bit in every place of the head and the end, and in so many places between.
fn flips(envelope: &[u8], between: usize) -> Vec<Vec<u8>> {
    let end = message_end(envelope);
    let mut places: BTreeSet<usize> = (0..48).chain(end - 10..end).collect();
    places.extend((48..end).step_by((end / between).max(1)));
    // The fill behind the message.
    places.extend([end, envelope.len() - 1]);
    let flip = |place: usize| {
        let mut bytes = envelope.to_vec();
        bytes[place] ^= 1 << (place % 8);
        bytes
    };
    places
        .into_iter()
        .filter(|place| *place < envelope.len())
        .map(flip)
        .collect()
}

fn cuts_and_stretches(envelope: &[u8]) -> Vec<Vec<u8>> {
    let end = message_end(envelope);
    let lengths = [0, 1, 4, 5, 6, 40, end - 9, end - 1, end, envelope.len() - 1];
    let mut all: Vec<Vec<u8>> = lengths
        .iter()
        .map(|length| envelope[..*length].to_vec())
        .collect();
    for more in [1, 16, 64, envelope.len()] {
        let mut longer = envelope.to_vec();
        longer.resize(envelope.len() + more, 0);
        all.push(longer);
    }
    // A shorter message, with its length told right, and filled up as it should be.
    for missing in [1, 8, 40] {
        let mut shorter = envelope.to_vec();
        let length = u32::try_from(end - 5 - missing).unwrap();
        shorter[2..5].copy_from_slice(&length.to_be_bytes()[1..]);
        shorter[end - missing..].fill(0);
        all.push(shorter);
    }
    all.retain(|one| one != envelope);
    all
}

/// The beginning of one and the rest of another.
fn splices(one: &[u8], other: &[u8]) -> Vec<Vec<u8>> {
    let end = message_end(one).min(message_end(other));
    let places = [6, 20, 45, 60, end / 2, end - 8, end - 1];
    let mut all = Vec::new();
    for (one, other) in [(one, other), (other, one)] {
        for place in places {
            all.push([&one[..place], &other[place..]].concat());
        }
        // A first message's envelope around one that is none.
        let mut relabelled = one.to_vec();
        relabelled[1] ^= 1;
        all.push(relabelled);
    }
    all.retain(|spliced| spliced != one && spliced != other);
    all
}

/// Delivers each in place of somebody's message, under an envelope id of its own.
fn deliver_all(
    line: &EvilRelay,
    to: AccountId,
    from: AccountId,
    all: &[Vec<u8>],
    model: &Delivery,
) {
    for ciphertext in all {
        let mut forged = sent_by(model, from, 1, 0);
        forged.message_id = rand::random::<[u8; 16]>().to_vec().into();
        forged.ciphertext = ciphertext.clone().into();
        line.deliver(to, &forged).unwrap();
    }
}

fn count(told: &[Event], wanted: impl Fn(&Event) -> bool) -> usize {
    told.iter().filter(|event| wanted(event)).count()
}

const fn undecryptable(event: &Event) -> bool {
    matches!(event, Event::Undecryptable { .. })
}

const fn added(event: &Event) -> bool {
    matches!(event, Event::MessageAdded { .. })
}

#[tokio::test]
async fn whatever_is_changed_in_a_message_it_is_not_taken() -> Result {
    let (_relay, line) = stage().await?;
    let (alice, mut bob) = friends(&line, PersonOptions::default()).await?;
    hold_next(&line, bob.account, 2);
    let one = alice.say(&bob, "one").await?;
    let two = alice.say(&bob, "two").await?;
    let held = until_held(&line, bob.account, 2).await;
    let (first, second) = (&held[0].ciphertext, &held[1].ciphertext);
    let mut forged = flips(first, 90);
    forged.extend(cuts_and_stretches(first));
    forged.extend(splices(first, second));
    assert!((150..250).contains(&forged.len()), "{}", forged.len());

    let mut events = bob.client.events();
    deliver_all(&line, bob.account, alice.account, &forged, &held[0]);
    // The honest ones come with their ciphertexts under each other's envelope ids: that is no harm.
    line.release_arranged(|held| {
        let ids: Vec<_> = held
            .iter()
            .map(|one| match &one.frame {
                HeldFrame::Delivery(_, delivery) => delivery.message_id.clone(),
                _ => panic!("only deliveries are held"),
            })
            .collect();
        for (one, id) in held.iter_mut().zip(ids.into_iter().rev()) {
            if let HeldFrame::Delivery(_, delivery) = &mut one.frame {
                delivery.message_id = id;
            }
        }
    });
    let told = told_until(&bob, &mut events, two).await?;
    assert_eq!(count(&told, undecryptable), forged.len());
    assert_eq!(count(&told, added), 2);
    assert_eq!(
        count(&told, |event| matches!(event, Event::Quarantined { .. })),
        0
    );
    alice.until_state(one, MessageState::Delivered).await?;
    alice.until_state(two, MessageState::Delivered).await?;
    let texts = ["hello", "hello too", "one", "two"];
    assert_eq!(bob.texts(&alice).await?, texts);

    bob.reopen().await?;
    let mut events = bob.client.events();
    bob.client.connect();
    let next = alice.say(&bob, "three").await?;
    let told = told_until(&bob, &mut events, next).await?;
    assert_eq!(count(&told, undecryptable), 0, "{told:?}");
    assert_eq!(bob.texts(&alice).await?, [&texts[..], &["three"]].concat());
    Ok(())
}

#[tokio::test]
async fn whatever_is_changed_in_a_first_message_it_is_not_taken() -> Result {
    let (_relay, line) = stage().await?;
    let alice = Person::registered("alice", line.address()).await?;
    let bob = Person::registered("bob", line.address()).await?;
    bob.until_online().await?;
    hold_next(&line, bob.account, 2);
    let one = alice.say(&bob, "one").await?;
    let two = alice.say(&bob, "two").await?;
    let held = until_held(&line, bob.account, 2).await;
    let (first, second) = (&held[0].ciphertext, &held[1].ciphertext);
    let mut forged = flips(first, 90);
    forged.extend(cuts_and_stretches(first));
    forged.extend(splices(first, second));
    assert!((100..250).contains(&forged.len()), "{}", forged.len());

    let mut events = bob.client.events();
    deliver_all(&line, bob.account, alice.account, &forged, &held[0]);
    line.release();
    let told = told_until(&bob, &mut events, two).await?;
    assert_eq!(count(&told, undecryptable), forged.len(), "{told:?}");
    assert_eq!(count(&told, added), 2);
    assert_eq!(bob.texts(&alice).await?, ["one", "two"]);
    let answer = bob.say(&alice, "both").await?;
    assert_eq!(alice.until_shown(answer).await?, "both");
    alice.until_state(one, MessageState::Delivered).await?;
    alice.until_state(two, MessageState::Delivered).await?;
    Ok(())
}

/// Spoils messages to somebody; what was sent again counts too.
fn spoil(line: &EvilRelay, to: AccountId, from: AccountId, times: usize) {
    line.times(times).on_delivery(move |delivery, who| {
        let theirs = |sender: &hushpost_wire::Sender| sender.account.as_ref() == from.as_bytes();
        if !who.is(to) || !delivery.sender.as_ref().is_some_and(theirs) {
            return Verdict::Pass;
        }
        let mut bytes = delivery.ciphertext.to_vec();
        bytes[90] ^= 1;
        delivery.ciphertext = bytes.into();
        Verdict::Rewrite
    });
}

#[tokio::test]
async fn what_does_not_decrypt_is_told_and_sent_again() -> Result {
    let (_relay, line) = stage().await?;
    let (alice, bob) = friends(&line, PersonOptions::default()).await?;
    // The second time what was sent again is spoiled as well, and a fresh session is made for the next try.
    for (times, body) in [(1, "spoiled"), (2, "spoiled again")] {
        spoil(&line, bob.account, alice.account, times);
        let mut events = bob.client.events();
        let said = alice.say(&bob, body).await?;
        let told = told_until(&bob, &mut events, said).await?;
        assert_eq!(count(&told, undecryptable), times, "{body}: {told:?}");
        assert_eq!(count(&told, added), 1, "{body}");
        let healed = |event: &Event| matches!(event, Event::UndecryptableHealed { .. });
        assert_eq!(count(&told, healed), times, "{body}: {told:?}");
        assert_eq!(bob.client.troubles().await?, [], "{body}");
        alice.until_state(said, MessageState::Delivered).await?;
        let answer = bob.say(&alice, "now I see").await?;
        alice.until_shown(answer).await?;
        // Her receipt is not to be what is spoiled next.
        bob.until_state(answer, MessageState::Delivered).await?;
    }
    let texts = [
        "hello",
        "hello too",
        "spoiled",
        "now I see",
        "spoiled again",
        "now I see",
    ];
    assert_eq!(bob.texts(&alice).await?, texts);
    assert_eq!(alice.texts(&bob).await?, texts);
    check_calm(&alice, &[], 0, "alice").await?;
    let sends = line.recorded_sends();
    let keys = KeyUse::of(sends.iter().flat_map(|(_, send)| {
        let devices = send.recipients.iter().flat_map(|one| &one.devices);
        devices.map(|device| device.ciphertext.as_ref())
    }));
    keys.check("sent again");
    Ok(())
}

#[tokio::test]
async fn what_is_stored_for_somebody_is_not_used_up_by_a_push() -> Result {
    let (_relay, line) = stage().await?;
    let (alice, bob) = friends(&line, PersonOptions::default()).await?;
    for body in ["one", "two"] {
        hold_next(&line, bob.account, 1);
        let mut events = bob.client.events();
        let said = alice.say(&bob, body).await?;
        let held = until_held(&line, bob.account, 1).await.remove(0);
        // As if it were typing, or the like: nothing of that is kept, so the message would be lost.
        for sender in [held.sender.clone(), None] {
            let push = Body::Ephemeral(Ephemeral {
                sender,
                ciphertext: held.ciphertext.clone(),
            });
            line.push(bob.account, &push).unwrap();
        }
        for ciphertext in garbage(8) {
            let push = Body::Ephemeral(Ephemeral {
                sender: held.sender.clone(),
                ciphertext: ciphertext.into(),
            });
            line.push(bob.account, &push).unwrap();
        }
        line.release();
        let told = told_until(&bob, &mut events, said).await?;
        check_calm(&bob, &told, 1, body).await?;
        alice.until_state(said, MessageState::Delivered).await?;
        line.forget();
    }
    Ok(())
}

/// Minutes by which Bob's clock is ahead. (In the one test that uses it.)
static AHEAD: AtomicI64 = AtomicI64::new(0);

struct Ahead;

impl Clock for Ahead {
    fn now_ms(&self) -> u64 {
        let ahead = 60_000 * AHEAD.load(Ordering::SeqCst);
        SystemClock.now_ms().saturating_add_signed(ahead)
    }
}

/// Garbage of all lengths; half of it begins as an envelope does.
fn garbage(count: usize) -> Vec<Vec<u8>> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let one = |number: usize| {
        let lengths = [0, 3, 64, 511, 512, 1024, 4096, 20_000];
        let mut bytes = vec![0; lengths[number % lengths.len()]];
        rng.fill(&mut bytes[..]);
        if number.is_multiple_of(2) && bytes.len() > 5 {
            let length = u32::try_from(bytes.len() - 5).unwrap();
            bytes[..2].copy_from_slice(&[1, if number.is_multiple_of(4) { 2 } else { 3 }]);
            bytes[2..5].copy_from_slice(&length.to_be_bytes()[1..]);
        }
        bytes
    };
    (0..count).map(one).collect()
}

/// Somebody connects anew, and asks about what did not decrypt.
async fn asks_again(person: &Person, line: &EvilRelay) -> Result {
    let account = person.account;
    // By their ids: one whose answer did not come is sent again.
    let sends = move |record: &Record| {
        let theirs = record.sends().filter(|(who, _)| who.is(account));
        let ids: BTreeSet<_> = theirs.map(|(_, send)| send.message_id.clone()).collect();
        ids.len()
    };
    person.client.disconnect().await;
    let before = sends(&line.record());
    person.client.connect();
    line.until("another request", |record| sends(record) > before)
        .await
        .unwrap();
    Ok(())
}

#[tokio::test]
async fn a_storm_of_garbage_costs_one_fresh_session_an_hour() -> Result {
    let (_relay, line) = stage().await?;
    let ahead = PersonOptions {
        configure: |config| config.pre_key_stock(10).clock(Ahead),
    };
    let (alice, mut bob) = friends(&line, ahead).await?;
    let model = line.recorded_deliveries().pop().unwrap().1;
    // She does not answer, so the questions go on.
    alice.client.disconnect().await;
    let mut events = bob.client.events();
    deliver_all(&line, bob.account, alice.account, &garbage(400), &model);
    let mut told = 0;
    while told < 256 {
        let event = bob.until_event(&mut events, "an event", |_| true).await?;
        assert!(!added(&event), "{event:?}");
        told += usize::from(undecryptable(&event));
    }
    let fetches = |line: &EvilRelay| {
        let record = line.record();
        let by_bob = record.requests().filter(|(who, _)| who.is(bob.account));
        by_bob
            .filter(|(_, request)| asks_for(request, alice.account))
            .count()
    };
    let before = fetches(&line);
    for _ in 0..5 {
        asks_again(&bob, &line).await?;
    }
    assert_eq!(fetches(&line), before + 1, "in one hour");
    AHEAD.store(61, Ordering::SeqCst);
    for _ in 0..3 {
        asks_again(&bob, &line).await?;
    }
    assert_eq!(fetches(&line), before + 2, "in two hours");
    // What is kept of it is bounded.
    bob.until_online().await?;
    assert_eq!(bob.client.troubles().await?.len(), 256);

    bob.reopen().await?;
    bob.client.connect();
    alice.client.connect();
    let next = alice.say(&bob, "what a storm").await?;
    assert_eq!(bob.until_shown(next).await?, "what a storm");
    alice.until_state(next, MessageState::Delivered).await?;
    let answer = bob.say(&alice, "it is over").await?;
    assert_eq!(alice.until_shown(answer).await?, "it is over");
    assert_eq!(bob.texts(&alice).await?.len(), 4);
    Ok(())
}

#[tokio::test]
async fn garbage_from_accounts_that_do_not_exist_keeps_nobody_waiting() -> Result {
    let (_relay, line) = stage().await?;
    let (alice, bob) = friends(&line, PersonOptions::default()).await?;
    let model = line.recorded_deliveries().pop().unwrap().1;
    let mut events = bob.client.events();
    for ciphertext in garbage(100) {
        let nobody = Identity::new()?.account();
        deliver_all(&line, bob.account, nobody, &[ciphertext], &model);
    }
    let next = alice.say(&bob, "do you hear me?").await?;
    let told = told_until(&bob, &mut events, next).await?;
    assert_eq!(count(&told, undecryptable), 100);
    assert_eq!(count(&told, added), 1);
    alice.until_state(next, MessageState::Delivered).await?;
    let answer = bob.say(&alice, "I do").await?;
    assert_eq!(alice.until_shown(answer).await?, "I do");
    let list = bob.client.conversations().list(true, 0, 100).await?;
    let shown = bob.client.conversations().list(false, 0, 100).await?;
    assert_eq!(
        list.len() + shown.len(),
        1,
        "nobody else has a conversation"
    );
    assert_eq!(bob.client.contacts().list().await?.len(), 1);
    Ok(())
}
