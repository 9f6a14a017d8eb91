//! A relay that lies about times, about the mailbox's numbers, and about what it is: nothing is lost, nothing is
//! shown twice, and once it tells the truth everything is as before.
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
use hushpost::{Clock as _, Event, MessageState, SystemClock};
use hushpost_client_tests::{Pair, Person, PersonOptions};
use hushpost_evil_relay::{EvilRelay, Verdict};
use hushpost_harness::{LIMITERS_OFF, RelayOptions, RelayProcess};
use hushpost_wire::Deliveries;
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const YEAR_MS: u64 = 365 * 86_400_000;

/// Times that no honest relay shows.
fn wrong_times() -> [u64; 6] {
    let now = SystemClock.now_ms();
    let most = i64::MAX.cast_unsigned();
    [0, 1, now - YEAR_MS, now + YEAR_MS, most, u64::MAX]
}

/// Waits so short for what is missing that a test need not.
const HASTY: PersonOptions = PersonOptions {
    configure: |config| {
        config
            .pre_key_stock(10)
            .hold_back(Duration::from_millis(50))
    },
};

async fn stage() -> Outcome<(RelayProcess, EvilRelay)> {
    let relay = RelayOptions::default().config(LIMITERS_OFF).start()?;
    let evil = EvilRelay::start(relay.address()).await?;
    Ok((relay, evil))
}

async fn reconnect(person: &Person) -> Outcome {
    person.client.disconnect().await;
    person.client.connect();
    person.until_online().await?;
    Ok(())
}

/// A question and its answer, on both sides the last and in this order.
async fn ask_and_answer(pair: &mut Pair, context: &str) -> Outcome {
    let question = pair.alice_says(&format!("question {context}")).await?;
    pair.bob.until_shown(question).await?;
    let answer = pair.bob_says(&format!("answer {context}")).await?;
    pair.alice.until_shown(answer).await?;
    Ok(())
}

/// That question and that answer are the end of both histories.
async fn check_end(pair: &Pair, context: &str) -> Outcome {
    let expected = [format!("question {context}"), format!("answer {context}")];
    for (one, other) in [(&pair.alice, &pair.bob), (&pair.bob, &pair.alice)] {
        let texts = one.texts(other).await?;
        assert_eq!(texts[texts.len() - 2..], expected, "{}", one.name);
    }
    Ok(())
}

#[tokio::test]
async fn a_relay_with_a_wrong_clock_puts_nothing_out_of_order() -> Outcome {
    for time in wrong_times() {
        let (_relay, evil) = stage().await?;
        evil.on_welcome(move |welcome| welcome.time_ms = time);
        // From the first message on, and before a session.
        let mut pair = Pair::meet(evil.address()).await?;
        for number in 0..3 {
            ask_and_answer(&mut pair, &format!("{number}")).await?;
        }
        pair.talk_while(5, async |_, _| Ok(())).await?;
        pair.judge(&format!("at {time}")).await?;
        evil.repent();
        reconnect(&pair.alice).await?;
        reconnect(&pair.bob).await?;
        ask_and_answer(&mut pair, "at the right time").await?;
        pair.judge(&format!("after {time}")).await?;
        check_end(&pair, "at the right time").await?;
        // Nobody's clock was pushed into the future for good.
        let last = pair.bob.history(&pair.alice).await?.pop().unwrap();
        let now = SystemClock.now_ms();
        assert!(last.sent_ms < now + 300_000, "{time}: {last:?}");
    }
    Ok(())
}

#[tokio::test]
async fn wrong_accept_times_change_no_order() -> Outcome {
    for time in wrong_times() {
        let (_relay, evil) = stage().await?;
        let mut pair = Pair::meet(evil.address()).await?;
        evil.on_delivery(move |delivery, _| {
            delivery.accepted_ms = time;
            Verdict::Rewrite
        });
        evil.on_answer(move |_, body, _| match body {
            Body::Sent(sent) => {
                sent.accepted_ms = time;
                Verdict::Rewrite
            }
            _ => Verdict::Pass,
        });
        for number in 0..3 {
            ask_and_answer(&mut pair, &format!("{number}")).await?;
        }
        pair.talk_while(5, async |_, _| Ok(())).await?;
        // The same lie to both: still one order.
        pair.judge(&format!("accepted at {time}")).await?;
        evil.repent();
        pair.bob.reopen().await?;
        pair.bob.client.connect();
        ask_and_answer(&mut pair, "at the right time").await?;
        pair.judge(&format!("after {time}")).await?;
        check_end(&pair, "at the right time").await?;
    }
    Ok(())
}

#[tokio::test]
async fn accept_times_that_each_message_has_otherwise_change_no_order() -> Outcome {
    let (_relay, evil) = stage().await?;
    let mut pair = Pair::meet(evil.address()).await?;
    let mut turn = 0;
    evil.on_delivery(move |delivery, _| {
        turn += 1;
        delivery.accepted_ms = wrong_times()[turn % 6];
        Verdict::Rewrite
    });
    let mut said = Vec::new();
    for number in 0..12 {
        said.push(pair.alice.say(&pair.bob, &format!("{number}")).await?);
    }
    for message in &said {
        pair.bob.until_shown(*message).await?;
        let state = MessageState::Delivered;
        pair.alice.until_state(*message, state).await?;
    }
    // The liar does not get to say in which order Alice said it.
    let shown = pair.bob.history(&pair.alice).await?;
    let shown: Vec<_> = shown.iter().map(|message| message.id).collect();
    assert_eq!(shown[shown.len() - said.len()..], said);
    assert_eq!(pair.bob.client.troubles().await?, []);
    evil.repent();
    ask_and_answer(&mut pair, "in the end").await?;
    check_end(&pair, "in the end").await
}

#[tokio::test]
async fn mailbox_numbers_that_are_repeated_or_zero_lose_nothing() -> Outcome {
    for number in [0, 1] {
        let (_relay, evil) = stage().await?;
        let mut pair = Pair::meet_with(evil.address(), PersonOptions::default(), HASTY).await?;
        let bob = pair.bob.account;
        let mut count = 0;
        evil.times(3).on_delivery(move |delivery, to| {
            count += usize::from(to.is(bob));
            if !to.is(bob) || count % 3 != 2 {
                return Verdict::Pass;
            }
            // Long taken, as Bob counts.
            delivery.sequence = number;
            Verdict::Rewrite
        });
        for number in 0..10 {
            pair.alice_says(&format!("{number}")).await?;
        }
        pair.alice_says("an honest one").await?;
        pair.judge(&format!("numbered {number}")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn mailbox_numbers_that_are_huge_lose_nothing() -> Outcome {
    for number in [1_000_000, i64::MAX.cast_unsigned(), u64::MAX] {
        let (_relay, evil) = stage().await?;
        let mut pair = Pair::meet_with(evil.address(), PersonOptions::default(), HASTY).await?;
        let bob = pair.bob.account;
        // Pushed by itself, so that the number is between Bob and the real relay alone.
        evil.once().on_delivery(move |delivery, to| {
            if !to.is(bob) {
                return Verdict::Pass;
            }
            delivery.sequence = number;
            let deliveries = vec![delivery.clone()];
            Verdict::instead(Body::Deliveries(Deliveries { deliveries }))
        });
        let first = pair.alice_says("under a huge number").await?;
        pair.bob.until_shown(first).await?;
        // He does not turn a deaf ear to what has smaller ones.
        for number in 0..3 {
            pair.alice_says(&format!("{number}")).await?;
        }
        pair.judge(&format!("numbered {number}")).await?;
        // Nor does he take himself for an old copy when the real relay contradicts.
        let mut events = pair.alice.client.events();
        reconnect(&pair.bob).await?;
        ask_and_answer(&mut pair, "in the end").await?;
        pair.judge(&format!("after {number}")).await?;
        check_end(&pair, "in the end").await?;
        pair.alice.client.close().await;
        while let Some(event) = events.next().await {
            assert!(!matches!(event, Event::DevicesChanged { .. }), "{number}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_relay_that_lies_about_what_was_acknowledged_loses_nothing() -> Outcome {
    for claimed in [0, 1_000_000, u64::MAX] {
        let (_relay, evil) = stage().await?;
        let mut pair = Pair::meet_with(evil.address(), PersonOptions::default(), HASTY).await?;
        let bob = pair.bob.account;
        pair.bob.client.disconnect().await;
        evil.once().on_answer(move |asked, body, who| match body {
            Body::Acknowledged(answer) if who.is(bob) && matches!(asked, Request::Receive(_)) => {
                answer.through_sequence = claimed;
                Verdict::Rewrite
            }
            _ => Verdict::Pass,
        });
        evil.on_push(move |body, who| match body {
            Body::CaughtUp(caught_up) if who.is(bob) => {
                caught_up.through_sequence = claimed;
                Verdict::Rewrite
            }
            _ => Verdict::Pass,
        });
        for number in 0..3 {
            pair.alice_says(&format!("{number}")).await?;
        }
        pair.bob.client.connect();
        pair.bob.until_online().await?;
        ask_and_answer(&mut pair, "in the end").await?;
        pair.judge(&format!("claimed {claimed}")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_relay_that_claims_to_have_lost_its_store_gets_everything_once_more() -> Outcome {
    let (_relay, evil) = stage().await?;
    let mut pair = Pair::meet(evil.address()).await?;
    let mut epoch = 0u8;
    evil.on_welcome(move |welcome| {
        epoch = epoch.wrapping_add(1);
        welcome.storage_epoch = vec![epoch; 16].into();
    });
    let mut events = pair.alice.client.events();
    for round in 0..4 {
        for number in 0..3 {
            pair.alice_says(&format!("{round} {number}")).await?;
            pair.bob_says(&format!("{round} {number}")).await?;
        }
        reconnect(&pair.alice).await?;
        reconnect(&pair.bob).await?;
        let reset = |event: &Event| *event == Event::RelayReset;
        pair.alice
            .until_event(&mut events, "the claim", reset)
            .await?;
    }
    pair.judge("four claims").await?;
    evil.repent();
    reconnect(&pair.alice).await?;
    ask_and_answer(&mut pair, "in the end").await?;
    pair.judge("after the claims").await?;
    Ok(())
}
