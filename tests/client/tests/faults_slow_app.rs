//! An app that does not read its events, and one that drops futures in the middle: nothing is lost, nothing is
//! said twice, and memory is bounded.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use futures_util::StreamExt as _;
use hushpost::{EVENT_BUFFER, Event, Events, MessageRef, MessageState, Registration};
use hushpost_client_tests::script::{self, Doom};
use hushpost_client_tests::{Pair, Person, TestError, text};
use hushpost_harness::{LIMITERS_OFF, RelayOptions, RelayProcess};

type Result<T = ()> = core::result::Result<T, TestError>;

fn relay() -> RelayProcess {
    RelayOptions::default()
        .config(LIMITERS_OFF)
        .start()
        .unwrap()
}

/// Looks at a future so many times, and drops it unless it was done. Tells whether it was.
async fn poll_times<T>(times: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    for _ in 0..times {
        let looked = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        if let std::task::Poll::Ready(done) = looked {
            return Some(done);
        }
        // Whatever runs beside it gets on a little: about as far as one thing on another thread.
        tokio::task::spawn_blocking(|| ()).await.unwrap();
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_events_that_nobody_reads() -> Result {
    let relay = relay();
    let pair = Pair::meet(relay.address()).await?;
    let mut slow = pair.bob.client.events();
    let conversation = pair.bob.with(&pair.alice).await?;
    // The cheapest thing that is an event.
    for number in 0..10_000 {
        conversation.set_archived(number % 2 == 1).await?;
    }
    let message = pair.alice.say(&pair.bob, "did you read all that?").await?;
    pair.bob.until_shown(message).await?;
    pair.alice
        .until_state(message, MessageState::Delivered)
        .await?;
    // The history has everything, whatever was missed.
    assert_eq!(
        pair.bob.texts(&pair.alice).await?,
        pair.alice.texts(&pair.bob).await?
    );
    pair.bob.client.close().await;
    // The oldest went, the newest are there, and how many are missing is said first.
    let Some(Event::Missed { events: missed }) = slow.next().await else {
        panic!("not told");
    };
    let left: Vec<Event> = slow.collect().await;
    let buffer = u64::try_from(EVENT_BUFFER).unwrap();
    assert!(missed >= 10_000 - buffer, "{missed}");
    assert!(left.len() <= EVENT_BUFFER, "{} are kept", left.len());
    let told = |event: &Event| matches!(event, Event::MessageAdded { message: added, .. } if *added == message);
    assert_eq!(left.iter().filter(|event| told(event)).count(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_messages_to_an_app_that_reads_nothing() -> Result {
    let relay = relay();
    let mut pair = Pair::meet(relay.address()).await?;
    let mut slow = pair.bob.client.events();
    pair.bob.client.disconnect().await;
    for number in 0..4500 {
        pair.alice_says(&format!("number {number}")).await?;
    }
    pair.bob.client.connect();
    pair.judge("thousands").await?;
    let first = slow.next().await;
    assert!(matches!(first, Some(Event::Missed { .. })), "{first:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_that_is_dropped_happened_once_or_not_at_all() -> Result {
    let relay = relay();
    let mut pair = Pair::meet(relay.address()).await?;
    let conversation = pair.alice.with(&pair.bob).await?;
    let mut done = 0;
    for number in 0..60 {
        let send = conversation.send(text(&format!("maybe {number}"))?);
        done += usize::from(poll_times(number * 37 % 400, send).await.is_some());
        if number % 10 == 9 {
            // One that was waited for, behind all that was not.
            pair.alice_says(&format!("surely {number}")).await?;
        }
    }
    println!("{done} of 60 were done in time");
    assert!((1..60).contains(&done), "all the same: nothing was tried");
    // Every one that happened is in the history, once, and arrives like any other.
    let said = pair.alice.history(&pair.bob).await?;
    let own: Vec<_> = said.iter().filter(|message| message.is_own()).collect();
    for message in &own {
        pair.bob.until_shown(message.id).await?;
        pair.alice
            .until_state(message.id, MessageState::Delivered)
            .await?;
    }
    let texts = pair.alice.texts(&pair.bob).await?;
    assert_eq!(texts, pair.bob.texts(&pair.alice).await?);
    let mut once = texts.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), texts.len(), "twice");
    for number in [9, 19, 29, 39, 49, 59] {
        assert!(texts.contains(&format!("surely {number}")));
    }
    assert_eq!(pair.bob.client.troubles().await?, []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_by_a_dropped_call_leaves_and_is_announced_all_the_same() -> Result {
    let relay = relay();
    let pair = Pair::meet(relay.address()).await?;
    let conversation = pair.alice.with(&pair.bob).await?;
    // Offline nobody else writes: each of these has begun after the first look, and must happen.
    pair.alice.client.disconnect().await;
    let mut offline = Vec::new();
    for number in 0..5 {
        // Behind whatever still had the writer.
        conversation.set_draft("a draft").await?;
        let mut events = pair.alice.client.events();
        let body = format!("dropped offline {number}");
        poll_times(1, conversation.send(text(&body)?)).await;
        offline.push((added(&pair.alice, &mut events).await?, body));
    }
    pair.alice.client.connect();
    for (message, body) in offline {
        assert_eq!(pair.bob.until_shown(message).await?, body);
    }
    // Online, with nothing that would help a message on. Where another transaction had the writer just then, the
    // call was dropped in the queue, and nothing happened.
    let mut left = 0;
    for number in 0..1000 {
        let mut events = pair.alice.client.events();
        let body = format!("dropped {number}");
        poll_times(1, conversation.send(text(&body)?)).await;
        conversation.set_draft(&body).await?;
        if !pair.alice.texts(&pair.bob).await?.contains(&body) {
            continue;
        }
        let message = added(&pair.alice, &mut events).await?;
        assert_eq!(pair.bob.until_shown(message).await?, body);
        left += 1;
        if left == 5 {
            return Ok(());
        }
    }
    panic!("only {left} of the dropped calls had begun");
}

/// The next message that is announced.
async fn added(person: &Person, events: &mut Events) -> Result<MessageRef> {
    let wanted = |event: &Event| matches!(event, Event::MessageAdded { .. });
    match person.until_event(events, "a message", wanted).await? {
        Event::MessageAdded { message, .. } => Ok(message),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_call_may_be_dropped_at_any_point() -> Result {
    let relay = relay();
    let mut pair = Pair::meet(relay.address()).await?;
    for times in 0..8 {
        let alice = &pair.alice;
        let conversation = alice.with(&pair.bob).await?;
        poll_times(times, alice.client.conversation_with(pair.bob.account)).await;
        poll_times(times, conversation.messages_before(None, 10)).await;
        poll_times(times, conversation.set_draft("half a")).await;
        poll_times(times, conversation.accept()).await;
        poll_times(times, alice.client.search("hello", 0, 10)).await;
        poll_times(times, alice.client.disconnect()).await;
        poll_times(times, alice.client.register(Registration::open())).await;
        alice.client.connect();
        alice.until_online().await?;
        pair.alice_says(&format!("after {times}")).await?;
        pair.bob_says(&format!("you too, after {times}")).await?;
    }
    pair.judge("dropped calls").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_that_is_dropped_can_be_made_again() -> Result {
    let relay = relay();
    let bob = Person::registered("bob", relay.address()).await?;
    for times in [0, 1, 3, 10, 30, 100] {
        let folder = tempfile::tempdir()?;
        let alice = script::open(folder.path(), relay.address(), &Doom::at(0)).await?;
        poll_times(times, alice.register(Registration::open())).await;
        let account = alice.register(Registration::open()).await?;
        assert_eq!(alice.account_id().await?, Some(account));
        alice.connect();
        let conversation = alice.conversation_with(bob.account).await?;
        let message = conversation.send(text("registered")?).await?;
        bob.until_shown(message).await?;
        alice.close().await;
    }
    Ok(())
}
