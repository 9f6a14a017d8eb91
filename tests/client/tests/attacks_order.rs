//! A relay that drops, reorders, delays and repeats what it was given: a gap is told and healed, everything is
//! shown once, in the order of who sent it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::error::Error;
use std::time::Duration;

use futures_util::StreamExt as _;
use hushpost::{Event, Events, MessageRef, MessageState, TroubleKind};
use hushpost_client_tests::{Pair, Person, PersonOptions, TestError};
use hushpost_evil_relay::{EvilRelay, Fate, Verdict, What};
use hushpost_harness::{LIMITERS_OFF, RelayOptions, RelayProcess};
use hushpost_wire::client_frame::Request;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Waits so short for what is missing that a test need not.
const HASTY: PersonOptions = PersonOptions {
    configure: |config| {
        config
            .pre_key_stock(10)
            .hold_back(Duration::from_millis(50))
    },
};

/// Waits so long that nothing counts as missing on any machine.
const CALM: PersonOptions = PersonOptions {
    configure: |config| config.pre_key_stock(10).hold_back(Duration::from_secs(60)),
};

/// Alice and Bob at a relay behind one that lies. Nothing is under way.
struct Stage {
    evil: EvilRelay,
    pair: Pair,
    _relay: RelayProcess,
}

impl Stage {
    async fn new(renumbers: bool, bob: PersonOptions) -> Outcome<Self> {
        let relay = RelayOptions::default().config(LIMITERS_OFF).start()?;
        let evil = if renumbers {
            EvilRelay::renumbering(relay.address()).await?
        } else {
            EvilRelay::start(relay.address()).await?
        };
        let pair = Pair::meet_with(evil.address(), PersonOptions::default(), bob).await?;
        Ok(Self {
            evil,
            pair,
            _relay: relay,
        })
    }

    /// From now on the messages to Bob of these numbers, from 1, are met with a verdict.
    fn to_bob(&self, numbers: &'static [usize], verdict: Verdict) {
        let (bob, mut number) = (self.pair.bob.account, 0);
        self.evil.on_delivery(move |_, to| {
            number += usize::from(to.is(bob));
            if to.is(bob) && numbers.contains(&number) {
                verdict.clone()
            } else {
                Verdict::Pass
            }
        });
    }

    async fn alice_says(&mut self, count: usize) -> Outcome<Vec<MessageRef>> {
        let mut said = Vec::new();
        for number in 1..=count {
            said.push(self.pair.alice_says(&format!("number {number}")).await?);
        }
        Ok(said)
    }
}

/// What was announced, of somebody who is gone then.
async fn announced(person: &Person, events: Events) -> Vec<MessageRef> {
    person.client.close().await;
    let added = events.filter_map(|event| {
        std::future::ready(match event {
            Event::MessageAdded { message, .. } => Some(message),
            Event::Missed { .. } => panic!("not listened to"),
            _ => None,
        })
    });
    added.collect().await
}

async fn until_gap(person: &Person, events: &mut Events) -> Result<u64, TestError> {
    let gap = |event: &Event| matches!(event, Event::GapReported { .. });
    match person.until_event(events, "a gap", gap).await? {
        Event::GapReported { missing, .. } => Ok(missing),
        _ => panic!("no gap"),
    }
}

async fn until_healed(person: &Person, events: &mut Events) -> Result<(), TestError> {
    let healed = |event: &Event| matches!(event, Event::GapHealed { .. });
    person
        .until_event(events, "the gap to close", healed)
        .await?;
    Ok(())
}

#[tokio::test]
async fn what_the_relay_drops_is_missed_and_sent_again() -> Outcome {
    // Whether or not the mailbox's numbers show it.
    for renumbers in [true, false] {
        for (lost, missing) in [(&[1][..], 1), (&[3], 1), (&[1, 2, 3, 4, 5], 5)] {
            let mut stage = Stage::new(renumbers, HASTY).await?;
            let mut events = stage.pair.bob.client.events();
            let all = stage.pair.bob.client.events();
            stage.to_bob(lost, Verdict::Drop);
            stage.alice_says(6).await?;
            assert_eq!(until_gap(&stage.pair.bob, &mut events).await?, missing);
            until_healed(&stage.pair.bob, &mut events).await?;
            stage
                .pair
                .judge(&format!("{lost:?} lost, {renumbers}"))
                .await?;
            let mut told = announced(&stage.pair.bob, all).await;
            told.sort();
            told.dedup();
            assert_eq!(told.len(), 6, "announced more than once, or not at all");
        }
    }
    Ok(())
}

#[tokio::test]
async fn several_gaps_and_one_message_of_a_hundred() -> Outcome {
    for (lost, count) in [(&[2, 3, 5, 7][..], 9), (&[57], 100)] {
        let mut stage = Stage::new(true, HASTY).await?;
        stage.to_bob(lost, Verdict::Drop);
        let mut events = stage.pair.bob.client.events();
        stage.alice_says(count).await?;
        until_gap(&stage.pair.bob, &mut events).await?;
        stage.pair.judge(&format!("{lost:?} lost")).await?;
        // The gap is closed for ever.
        stage.pair.bob.reopen().await?;
        stage.pair.bob.client.connect();
        stage.alice_says(1).await?;
        stage.pair.judge("after a restart").await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_last_message_dropped_has_one_tick_until_the_next_one_brings_it() -> Outcome {
    let mut stage = Stage::new(true, HASTY).await?;
    stage.to_bob(&[2], Verdict::Drop);
    let said = stage.alice_says(2).await?;
    stage.pair.bob.until_shown(said[0]).await?;
    let sent = MessageState::Sent;
    stage.pair.alice.until_state(said[1], sent).await?;
    let bob = stage.pair.bob.account;
    let lost = |record: &hushpost_evil_relay::Record| {
        record.count(|event| {
            event.who.is(bob)
                && matches!(event.what, What::Delivery(_))
                && event.fate == Fate::Dropped
        }) == 1
    };
    stage.evil.until("the message to be lost", lost).await?;
    // Nobody may claim that it was delivered, and nobody can know that it was not.
    let found = stage.pair.alice.client.message(said[1]).await?.unwrap();
    assert_eq!(found.state, MessageState::Sent);
    assert!(stage.pair.bob.client.message(said[1]).await?.is_none());
    stage.alice_says(1).await?;
    stage
        .pair
        .judge("the next one came")
        .await
        .map_err(Into::into)
}

#[tokio::test]
async fn a_dropped_receipt_costs_a_tick_until_the_message_is_read() -> Outcome {
    let mut stage = Stage::new(true, HASTY).await?;
    let alice = stage.pair.alice.account;
    let rule = stage.evil.on_delivery(move |_, to| {
        if to.is(alice) {
            Verdict::Drop
        } else {
            Verdict::Pass
        }
    });
    let said = stage.alice_says(1).await?[0];
    stage.pair.bob.until_shown(said).await?;
    let dropped = |record: &hushpost_evil_relay::Record| {
        record.count(|event| event.who.is(alice) && event.fate == Fate::Dropped) == 1
    };
    stage.evil.until("the receipt to be lost", dropped).await?;
    stage.evil.remove(rule);
    let history = stage.pair.bob.history(&stage.pair.alice).await?;
    let last = history.last().unwrap().cursor;
    let conversation = stage.pair.bob.with(&stage.pair.alice).await?;
    conversation.mark_read(last).await?;
    let tick = MessageState::Read;
    stage.pair.alice.until_state(said, tick).await?;
    Ok(())
}

#[tokio::test]
async fn two_hundred_messages_of_two_people_in_any_order() -> Outcome {
    for seed in 0..3 {
        let mut stage = Stage::new(true, CALM).await?;
        let carol = Person::registered("carol", stage.evil.address()).await?;
        let bob = &stage.pair.bob;
        let first = carol.say(bob, "hello from me too").await?;
        bob.until_shown(first).await?;
        bob.accept(&carol).await?;
        let tick = MessageState::Delivered;
        carol.until_state(first, tick).await?;

        let events = bob.client.events();
        stage
            .evil
            .rearrange_deliveries(bob.account, 200, move |all| match seed {
                0 => all.reverse(),
                seed => all.shuffle(&mut ChaCha8Rng::seed_from_u64(seed)),
            });
        let (mut hers, mut alices) = (Vec::new(), Vec::new());
        for number in 0..100 {
            hers.push(carol.say(&stage.pair.bob, &format!("c {number}")).await?);
            alices.push(stage.pair.alice_says(&format!("a {number}")).await?);
        }
        stage.pair.judge(&format!("seed {seed}")).await?;
        for message in &hers {
            stage.pair.bob.until_shown(*message).await?;
        }
        let texts = stage.pair.bob.texts(&carol).await?;
        assert_eq!(texts, carol.texts(&stage.pair.bob).await?);

        // Live, too, nobody's later one was announced before an earlier one.
        let told = announced(&stage.pair.bob, events).await;
        assert_eq!(told.len(), 200);
        let from = |person: &Person| -> Vec<MessageRef> {
            let of = |message: &&MessageRef| message.sender == person.account;
            told.iter().filter(of).copied().collect()
        };
        assert_eq!(from(&carol), hers);
        assert_eq!(from(&stage.pair.alice), alices);
    }
    Ok(())
}

#[tokio::test]
async fn a_late_message_closes_its_gap_and_takes_its_place() -> Outcome {
    let mut stage = Stage::new(true, HASTY).await?;
    let bob = stage.pair.bob.account;
    stage.to_bob(&[2], Verdict::Hold);
    // What Bob asks for does not come through, so that it is the late one that heals.
    let mute = stage.evil.on_request(move |request, who| match request {
        Request::Send(_) if who.is(bob) => Verdict::Hold,
        _ => Verdict::Pass,
    });
    let mut events = stage.pair.bob.client.events();
    let said = stage.alice_says(4).await?;
    until_gap(&stage.pair.bob, &mut events).await?;
    stage.pair.bob.until_shown(said[3]).await?;
    assert!(stage.pair.bob.client.message(said[1]).await?.is_none());
    stage.evil.remove(mute);
    stage
        .evil
        .release_arranged(|held| held.sort_by_key(|held| !held.who.is(bob)));
    until_healed(&stage.pair.bob, &mut events).await?;
    stage.pair.judge("late").await?;
    Ok(())
}

#[tokio::test]
async fn a_late_message_that_was_sent_again_meanwhile_is_shown_once() -> Outcome {
    let mut stage = Stage::new(true, HASTY).await?;
    stage.to_bob(&[2, 3], Verdict::Hold);
    let mut events = stage.pair.bob.client.events();
    let all = stage.pair.bob.client.events();
    stage.alice_says(5).await?;
    until_gap(&stage.pair.bob, &mut events).await?;
    until_healed(&stage.pair.bob, &mut events).await?;
    assert_eq!(stage.evil.held(), 2);
    stage.evil.release_arranged(|held| held.reverse());
    // Behind the late ones.
    stage.alice_says(1).await?;
    stage.pair.judge("late and repeated").await?;
    let mut told = announced(&stage.pair.bob, all).await;
    assert_eq!(told.len(), 6);
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 6);
    Ok(())
}

#[tokio::test]
async fn what_is_repeated_is_shown_once_now_and_after_a_restart() -> Outcome {
    let mut stage = Stage::new(true, CALM).await?;
    let all = stage.pair.bob.client.events();
    stage.evil.on_delivery(|delivery, _| {
        // One to four times more.
        Verdict::Repeat(1 + usize::try_from(delivery.sequence % 4).unwrap())
    });
    stage.pair.talk_while(20, async |_, _| Ok(())).await?;
    stage.pair.judge("each several times").await?;
    stage.evil.repent();

    // Under new numbers and, at last, to a client that was started since.
    let bob = stage.pair.bob.account;
    for restart in [false, true] {
        if restart {
            stage.pair.bob.reopen().await?;
            stage.pair.bob.client.connect();
            stage.pair.bob.until_online().await?;
        }
        let old = stage.evil.recorded_deliveries();
        let of_bob = old.iter().filter(|(who, _)| who.is(bob));
        for (_, delivery) in of_bob.rev() {
            stage.evil.deliver(bob, delivery)?;
        }
        let message = stage.pair.alice_says("behind all of that").await?;
        stage.pair.bob.until_shown(message).await?;
        let tick = MessageState::Delivered;
        stage.pair.alice.until_state(message, tick).await?;
        let texts = stage.pair.bob.texts(&stage.pair.alice).await?;
        assert_eq!(texts, stage.pair.alice.texts(&stage.pair.bob).await?);
        // What is older than all the keys that are still there cannot be told from a forgery.
        for trouble in stage.pair.bob.client.troubles().await? {
            let kind = &trouble.kind;
            let forgery = matches!(kind, TroubleKind::Undecryptable { cause, .. } if cause == "invalid_message");
            assert!(forgery, "{trouble:?}");
        }
    }
    let told: Vec<Event> = all.collect().await;
    let added = |event: &&Event| matches!(event, Event::MessageAdded { .. });
    // Both said 20 things, and Alice one more before the client of these events was closed.
    assert_eq!(told.iter().filter(added).count(), 41);
    Ok(())
}
