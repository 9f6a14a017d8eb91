//! Two clients on one database, as an app and its notification extension are: both send and receive, nothing is
//! lost or twice, no sequence number and no key is used twice.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use hushpost::{Client, ConnectionState, FaultHook, FaultPoint, MessageRef, MessageState};
use hushpost_client_tests::{KeyUse, Pair, PersonOptions, TestError, text};
use hushpost_evil_relay::EvilRelay;
use hushpost_harness::{LIMITERS_OFF, RelayOptions, RelayProcess};

type Result<T = ()> = core::result::Result<T, TestError>;

fn relay() -> RelayProcess {
    RelayOptions::default()
        .config(LIMITERS_OFF)
        .start()
        .unwrap()
}

/// Sends as another client of Alice's.
async fn say(pair: &Pair, client: &Client, body: &str) -> Result<MessageRef> {
    let conversation = client.conversation_with(pair.bob.account).await?;
    Ok(conversation.send(text(body)?).await?)
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
async fn two_clients_of_one_database_send_at_once() -> Result {
    let relay = relay();
    let line = EvilRelay::start(relay.address()).await.unwrap();
    let mut pair = Pair::meet(line.address()).await?;
    let second = pair.alice.second_client().await?;
    let conversation = second.conversation_with(pair.bob.account).await?;
    // The second one works offline, beside the first, and both take from the same chain and session.
    let writing = tokio::spawn(async move {
        let mut sent = Vec::new();
        for number in 0..40 {
            sent.push(
                conversation
                    .send(text(&format!("second {number}"))?)
                    .await?,
            );
        }
        Ok::<_, TestError>(sent)
    });
    pair.talk_while(40, async |_, _| Ok(())).await?;
    let seconds = writing.await.unwrap()?;
    // What it left in the outbox goes with whatever the first sends next.
    let last = pair.alice.say(&pair.bob, "that was all").await?;
    pair.alice
        .until_state(last, MessageState::Delivered)
        .await?;

    let hers = pair.alice.history(&pair.bob).await?;
    let own: Vec<_> = hers.iter().filter(|message| message.is_own()).collect();
    assert_eq!(own.len(), 1 + 40 + 40 + 1);
    for message in &own {
        pair.bob.until_shown(message.id).await?;
        pair.alice
            .until_state(message.id, MessageState::Delivered)
            .await?;
    }
    // One order on both sides, and each client's own messages as it sent them.
    let his = pair.bob.history(&pair.alice).await?;
    let ids = |history: &[hushpost::Message]| history.iter().map(|one| one.id).collect::<Vec<_>>();
    assert_eq!(ids(&hers), ids(&his));
    let order: Vec<_> = own
        .iter()
        .map(|one| one.id)
        .filter(|id| seconds.contains(id))
        .collect();
    assert_eq!(order, seconds);
    for person in [&pair.alice, &pair.bob] {
        assert_eq!(person.client.troubles().await?, []);
    }
    check_keys(&line, 122);
    second.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_one_that_connects_last_receives_and_what_the_other_sent_leaves_with_it() -> Result {
    let relay = relay();
    let line = EvilRelay::start(relay.address()).await.unwrap();
    let mut pair = Pair::meet(line.address()).await?;
    for turn in 0..5 {
        // The extension wakes up, takes the connection over, and goes to sleep again.
        let second = pair.alice.second_client().await?;
        let offline = say(&pair, &second, &format!("before connecting {turn}")).await?;
        second.connect();
        pair.alice
            .until_connection(ConnectionState::Replaced)
            .await?;
        let push = pair.bob_says(&format!("a push {turn}")).await?;
        pair.bob.until_state(push, MessageState::Delivered).await?;
        assert!(second.message(push).await?.is_some());
        pair.bob.until_shown(offline).await?;
        let while_away = pair
            .alice
            .say(&pair.bob, &format!("without a line {turn}"))
            .await?;
        second.close().await;
        // The app comes back.
        pair.alice.client.disconnect().await;
        pair.alice.client.connect();
        pair.alice
            .until_state(while_away, MessageState::Delivered)
            .await?;
        pair.alice_said([offline, while_away]);
    }
    pair.judge("five times taken over").await?;
    check_keys(&line, 17);
    Ok(())
}

/// Whether the second client's next transaction is held open, and who lets it go on.
static HELD: Mutex<Option<(Sender<()>, Receiver<()>)>> = Mutex::new(None);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_keeps_the_database_locked_is_an_error_and_not_a_hang() -> Result {
    let relay = relay();
    let mut pair = Pair::meet(relay.address()).await?;
    let second = pair
        .alice
        .second_client_with(PersonOptions {
            configure: |config| {
                config.fault_hook(FaultHook::new(|point| {
                    let held = HELD.lock().unwrap().take();
                    if let (FaultPoint::BeforeCommit, Some((reached, go_on))) = (point, held) {
                        reached.send(()).unwrap();
                        go_on.recv().unwrap();
                    }
                }))
            },
        })
        .await?;
    let conversation = second.conversation_with(pair.bob.account).await?;
    let (reached, is_reached) = channel();
    let (let_go, go_on) = channel();
    *HELD.lock().unwrap() = Some((reached, go_on));
    let slow = tokio::spawn(async move {
        conversation
            .send(text("slow")?)
            .await
            .map_err(TestError::from)
    });
    tokio::task::block_in_place(|| is_reached.recv()).unwrap();

    let refused = pair.alice.say(&pair.bob, "too early").await;
    let Err(TestError::Client(error)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(error.code(), "store_busy");
    assert!(error.is_retryable());
    // Reading goes on beside it.
    assert_eq!(history(&pair).await?.len(), 2);
    let_go.send(()).unwrap();
    let slow = slow.await.unwrap()?;
    pair.alice_said([slow]);
    pair.alice_says("now it works").await?;
    pair.judge("after a lock").await
}

/// Alice's history, read without a transaction that writes.
async fn history(pair: &Pair) -> Result<Vec<MessageRef>> {
    let list = pair.alice.client.conversations().list(false, 0, 10).await?;
    let conversation = pair.alice.client.conversation(list[0].id);
    let page = conversation.messages_after(None, 100).await?;
    Ok(page.messages.iter().map(|message| message.id).collect())
}
