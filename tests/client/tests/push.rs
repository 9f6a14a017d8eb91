//! What a notification extension or a worker does beside the app: it receives for a while, says what is new, and makes
//! way. Whoever receives, each message is shown once, and its sender knows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use hushpost::{
    Clock, ConnectionState, Error, Event, FaultHook, FaultPoint, MessageRef, MessageState,
    NewGroup, Processes, PushEnd, PushResult, StoreThreads, SystemClock, process_push,
};
use hushpost_client_tests::{Pair, Person, PersonOptions, TestError, text};
use hushpost_evil_relay::EvilRelay;
use hushpost_harness::{LIMITERS_OFF, RelayOptions, RelayProcess};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

type Result<T = ()> = core::result::Result<T, TestError>;

/// What the caller of a test would wait at most.
const BUDGET: Duration = Duration::from_secs(60);

fn relay() -> RelayProcess {
    RelayOptions::default()
        .config(LIMITERS_OFF)
        .start()
        .unwrap()
}

/// An app that knows of its extension.
fn app() -> PersonOptions {
    PersonOptions {
        configure: |config| config.pre_key_stock(10).processes(Processes::Many),
    }
}

/// Alice has such an app. One message is unread: Bob's hello.
async fn meet(line: &EvilRelay) -> Result<Pair> {
    let pair = Pair::meet_with(line.address(), app(), PersonOptions::default()).await?;
    let bob = Some("Bob".to_owned());
    let contacts = pair.alice.client.contacts();
    contacts.set_name(pair.bob.account, bob).await?;
    Ok(pair)
}

/// Bob says things that wait at the relay.
async fn bob_says(pair: &mut Pair, count: usize) -> Result<Vec<MessageRef>> {
    let mut said = Vec::new();
    for number in 0..count {
        said.push(pair.bob_says(&format!("news {number}")).await?);
    }
    for message in &said {
        pair.bob.until_state(*message, MessageState::Sent).await?;
    }
    Ok(said)
}

async fn push(person: &Person) -> Result<PushResult> {
    Ok(process_push(person.config()?, BUDGET).await?)
}

fn ids(result: &PushResult) -> Vec<MessageRef> {
    let messages = result.messages.iter();
    messages.map(|new| new.message.id).collect()
}

#[tokio::test]
async fn what_came_while_the_app_was_closed_is_told_once_and_confirmed() -> Result {
    let relay = relay();
    let line = EvilRelay::start(relay.address()).await.unwrap();
    let mut pair = meet(&line).await?;
    pair.alice.client.close().await;
    let said = bob_says(&mut pair, 3).await?;
    line.forget();

    let result = push(&pair.alice).await?;
    assert_eq!(result.end, PushEnd::CaughtUp);
    assert_eq!(ids(&result), said);
    assert_eq!(result.unread, 1 + 3);
    for new in &result.messages {
        assert_eq!(new.title.as_deref(), Some("Bob"));
        assert!(!new.requested);
        assert_eq!(new.message.state, MessageState::Unread);
    }
    // What follows from it had left before it returned.
    let record = line.record();
    let last = record.deliveries_to(pair.alice.account).last().unwrap();
    assert_eq!(
        record.acknowledged_by(pair.alice.account),
        last.sequence,
        "acknowledged"
    );
    assert_eq!(record.opened(), 1);
    for message in &said {
        pair.bob
            .until_state(*message, MessageState::Delivered)
            .await?;
    }

    let again = push(&pair.alice).await?;
    assert_eq!((again.messages.len(), again.unread), (0, 1 + 3));
    assert_eq!(again.end, PushEnd::CaughtUp);

    pair.alice.reopen().await?;
    let mut events = pair.alice.client.events();
    pair.alice.client.connect();
    pair.alice.until_online().await?;
    pair.judge("after a push").await?;
    // The app is told of nothing twice.
    let last = pair.bob_says("that was all").await?;
    let added = |event: &Event| matches!(event, Event::MessageAdded { .. });
    let first = pair.alice.until_event(&mut events, "a message", added);
    assert!(matches!(first.await?, Event::MessageAdded { message, .. } if message == last));
    Ok(())
}

#[tokio::test]
async fn strangers_and_groups_are_named_and_what_is_silent_is_not_told() -> Result {
    let relay = relay();
    let line = EvilRelay::start(relay.address()).await.unwrap();
    let mut pair = meet(&line).await?;
    let carol = Person::registered("carol", line.address()).await?;
    let (alice, bob) = (&pair.alice, &pair.bob);
    let group = NewGroup::new("The book club", [alice.account]);
    let group = bob.client.create_group(group).await?;
    alice
        .until("the group", || async {
            let summary = alice.client.conversation(group.id()).summary().await;
            Ok(summary.ok())
        })
        .await?;
    alice.client.conversation(group.id()).accept().await?;
    alice
        .with(bob)
        .await?
        .mute_for(Some(Duration::from_secs(3600)))
        .await?;
    alice.client.close().await;

    let in_group = group.conversation().send(text("page 7")?).await?;
    let asked = carol.say(alice, "may I?").await?;
    bob.until_state(in_group, MessageState::Sent).await?;
    carol.until_state(asked, MessageState::Sent).await?;
    let muted = bob_says(&mut pair, 1).await?;

    let result = push(&pair.alice).await?;
    assert_eq!(result.end, PushEnd::CaughtUp);
    let told: BTreeSet<_> = result
        .messages
        .iter()
        .map(|new| (new.message.id, new.title.as_deref(), new.requested))
        .collect();
    let expected = [
        (in_group, Some("The book club"), false),
        (asked, None, true),
    ];
    assert_eq!(told, BTreeSet::from(expected));
    assert_eq!(result.unread, 2);
    pair.alice.reopen().await?;
    pair.alice.until_shown(muted[0]).await?;
    Ok(())
}

#[tokio::test]
async fn a_connected_app_is_left_alone() -> Result {
    let relay = relay();
    let line = EvilRelay::start(relay.address()).await.unwrap();
    let mut pair = meet(&line).await?;
    pair.alice.until_online().await?;
    line.forget();
    for turn in 0..3 {
        let result = push(&pair.alice).await?;
        assert_eq!(result.end, PushEnd::AppIsConnected);
        assert_eq!(result.messages, []);
        let message = pair.bob_says(&format!("to the app {turn}")).await?;
        pair.alice.until_shown(message).await?;
    }
    assert_eq!(line.record().opened(), 0);
    let state = pair.alice.client.connection_state();
    assert_eq!(state, ConnectionState::Online);
    pair.judge("left alone").await?;
    // Once it is offline, it is not.
    pair.alice.client.disconnect().await;
    let said = bob_says(&mut pair, 1).await?;
    assert_eq!(ids(&push(&pair.alice).await?), said);
    Ok(())
}

/// Who is told of the commits of what runs beside the app.
static COMMITS: Mutex<Option<UnboundedSender<()>>> = Mutex::new(None);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_app_may_come_at_any_moment() -> Result {
    let relay = relay();
    let line = EvilRelay::start(relay.address()).await.unwrap();
    let mut pair = meet(&line).await?;
    pair.alice.client.close().await;
    for turn in 0..8 {
        let said = bob_says(&mut pair, 30).await?;
        let (told, mut commits) = unbounded_channel();
        *COMMITS.lock().unwrap() = Some(told);
        let hook = FaultHook::new(|point| {
            if let (FaultPoint::AfterCommit, Some(told)) = (point, &*COMMITS.lock().unwrap()) {
                let _nobody_counts_any_more = told.send(());
            }
        });
        let config = pair.alice.config()?.fault_hook(hook);
        let pushed = tokio::spawn(process_push(config, BUDGET));
        for _ in 0..=turn {
            commits.recv().await.unwrap();
        }
        pair.alice.reopen().await?;
        let mut events = pair.alice.client.events();
        pair.alice.client.connect();
        pair.alice.until_online().await?;
        let result = pushed.await.unwrap()?;
        assert_ne!(result.end, PushEnd::OutOfTime, "turn {turn}");
        pair.judge(&format!("turn {turn}")).await?;
        assert_eq!(
            pair.alice.client.connection_state(),
            ConnectionState::Online,
            "turn {turn}"
        );
        // One of them told of it, never both.
        pair.alice.client.close().await;
        let mut all: Vec<MessageRef> = ids(&result);
        while let Some(event) = events.next().await {
            if let Event::MessageAdded { message, .. } = event {
                all.push(message);
            }
        }
        assert_eq!(all.len(), said.len(), "turn {turn}");
        assert_eq!(
            all.into_iter().collect::<BTreeSet<_>>(),
            said.into_iter().collect::<BTreeSet<_>>(),
            "turn {turn}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn without_a_relay_it_ends_in_time_and_nothing_is_lost() -> Result {
    let relay = relay();
    let line = EvilRelay::start(relay.address()).await.unwrap();
    let mut pair = meet(&line).await?;
    pair.alice.client.close().await;
    bob_says(&mut pair, 3).await?;
    line.go_down();
    let began = Instant::now();
    let result = process_push(pair.alice.config()?, Duration::from_secs(2)).await?;
    assert_eq!((result.end, result.unread), (PushEnd::OutOfTime, 1));
    assert_eq!(result.messages, []);
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(1500), "it tried: {took:?}");
    // A loaded machine may be late, but not by the longest wait between two tries.
    assert!(took < Duration::from_secs(10), "{took:?}");

    line.come_up();
    assert_eq!(push(&pair.alice).await?.messages.len(), 3);
    pair.alice.reopen().await?;
    pair.alice.client.connect();
    pair.judge("after a relay that was down").await
}

/// How far ahead Alice's clock is.
static AHEAD: AtomicI64 = AtomicI64::new(0);

struct Ahead;

impl Clock for Ahead {
    fn now_ms(&self) -> u64 {
        SystemClock
            .now_ms()
            .saturating_add_signed(AHEAD.load(Ordering::SeqCst))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lease_of_a_killed_app_runs_out() -> Result {
    let relay = relay();
    let line = EvilRelay::start(relay.address()).await.unwrap();
    let alice = PersonOptions {
        configure: |config| {
            let config = config.pre_key_stock(10).processes(Processes::Many);
            config.clock(Ahead)
        },
    };
    let mut pair = Pair::meet_with(line.address(), alice, PersonOptions::default()).await?;
    pair.alice.client.close().await;
    // An app on a runtime of its own, which ends without a word.
    let config = pair.alice.config()?;
    let killed = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let client = hushpost::Client::open(config).await.unwrap();
            client.connect();
            let mut states = client.connection_states();
            while states.next().await.unwrap() != ConnectionState::Online {}
        });
    });
    tokio::task::block_in_place(|| killed.join()).unwrap();
    let said = bob_says(&mut pair, 2).await?;
    assert_eq!(push(&pair.alice).await?.end, PushEnd::AppIsConnected);
    AHEAD.store(13_000, Ordering::SeqCst);
    let result = push(&pair.alice).await?;
    assert_eq!(result.end, PushEnd::CaughtUp);
    assert_eq!(ids(&result), said);
    pair.alice.reopen().await?;
    pair.alice.client.connect();
    pair.judge("after a killed app").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_thread_is_enough() -> Result {
    let relay = relay();
    let line = EvilRelay::start(relay.address()).await.unwrap();
    let mut pair = meet(&line).await?;
    pair.alice.client.close().await;
    let said = bob_says(&mut pair, 150).await?;
    let config = pair.alice.config()?.store_threads(StoreThreads::Inline);
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(process_push(config, BUDGET))
    });
    let result = tokio::task::block_in_place(|| thread.join()).unwrap()?;
    assert_eq!((result.end, result.unread), (PushEnd::CaughtUp, 1 + 150));
    // No more than a screen shows, the newest.
    assert_eq!(ids(&result), said[150 - hushpost::MAX_PUSHED..]);
    // The runtime is gone, and with it whatever was not sent: nobody misses it.
    for message in &said {
        pair.bob
            .until_state(*message, MessageState::Delivered)
            .await?;
    }
    Ok(())
}

#[tokio::test]
async fn nobody_is_made_where_nobody_is() -> Result {
    let relay = relay();
    let person = Person::registered("alice", relay.address()).await?;
    let database = person.database();
    let folder = database.parent().unwrap();
    let config = person.config()?;
    person.client.close().await;
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        if path.is_file() {
            std::fs::remove_file(path)?;
        }
    }
    let refused = process_push(config, BUDGET).await;
    assert!(matches!(refused, Err(Error::NotRegistered)), "{refused:?}");
    let mut left = std::fs::read_dir(folder)?;
    assert!(left.all(|file| file.unwrap().path().is_dir()));
    Ok(())
}

#[tokio::test]
async fn an_open_app_is_told_to_look_again() -> Result {
    let relay = relay();
    let line = EvilRelay::start(relay.address()).await.unwrap();
    let mut pair = meet(&line).await?;
    // Suspended: what it shows stays as it is.
    pair.alice.client.disconnect().await;
    let mut events = pair.alice.client.events();
    let said = bob_says(&mut pair, 2).await?;
    assert_eq!(ids(&push(&pair.alice).await?), said);
    pair.alice.client.connect();
    let look_again = |event: &Event| *event == Event::Missed { events: 0 };
    pair.alice
        .until_event(&mut events, "a word", look_again)
        .await?;
    assert!(pair.alice.client.message(said[1]).await?.is_some());
    // What it does itself is no reason to.
    pair.alice.until_online().await?;
    pair.alice.client.disconnect().await;
    pair.alice.client.connect();
    pair.alice.until_online().await?;
    pair.judge("looked again").await?;
    pair.alice.client.close().await;
    while let Some(event) = events.next().await {
        assert!(!look_again(&event), "{event:?}");
    }
    Ok(())
}
