//! The figures an app's users feel, against a real relay process on this machine:
//!
//! ```sh
//! cargo bench -p hushpost            # all of them
//! cargo bench -p hushpost -- search  # open, list and search alone; or `talk`, which includes the catch-up
//! cargo bench -p hushpost -- media   # sealing and opening files alone; without a relay
//! cargo bench -p hushpost -- group   # a group of 1,024 members alone
//! ```
//!
//! The relay is built with the same profile; its limits are off, so that they are not what is measured.
//! Compare within one run: the disk's fsync is most of what a send costs.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "figures/group.rs"]
mod group;
#[path = "figures/media.rs"]
mod media;
#[path = "figures/tap.rs"]
mod tap;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use hushpost::{
    AccountId, Client, Config, DatabaseKey, Event, Events, MessageRef, MessageState, Registration,
    RelayUrl, StoreThreads, Text,
};
use hushpost_harness::{LIMITERS_OFF, RELAY_NAME, RelayOptions, resident_bytes};

const PAIRS: usize = 1000;
const QUEUED: usize = 9_900;
const CONVERSATIONS: usize = 1000;
const MESSAGES: usize = 100_000;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(place) = arguments.iter().position(|argument| argument == "receive") {
        return receive(&arguments[place + 1], &arguments[place + 2]).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let only = |part: &str| arguments.iter().any(|argument| argument == part);
    if only("media") {
        return media::run(folder.path());
    }
    let relay = RelayOptions::default()
        .config(LIMITERS_OFF)
        .start()
        .unwrap();
    if only("group") {
        return group::run(folder.path(), relay.address()).await;
    }
    let url = format!("ws://{}", relay.address());
    if !only("search") {
        let alice = register(folder.path().join("alice"), &url).await;
        let bob = register(folder.path().join("bob"), &url).await;
        talk(&alice, &bob).await;
        catch_up(&alice, bob, &url, &folder.path().join("bob")).await;
    }
    if !only("talk") {
        large_store(&folder.path().join("large"), &url).await;
    }
    if !only("talk") && !only("search") {
        media::run(folder.path());
        group::run(folder.path(), relay.address()).await;
    }
}

fn config(database: &Path, url: &str) -> Config {
    let url: RelayUrl = url.parse().unwrap();
    let url = url.with_relay_name(RELAY_NAME).unwrap();
    Config::new(database, DatabaseKey::new([1; 32]), url)
}

async fn register(database: PathBuf, url: &str) -> Client {
    let client = Client::open(config(&database, url)).await.unwrap();
    client.register(Registration::open()).await.unwrap();
    client.connect();
    client
}

async fn shown(events: &mut Events, wanted: MessageRef) {
    while let Some(event) = events.next().await {
        if matches!(event, Event::MessageAdded { message, .. } if message == wanted) {
            return;
        }
    }
}

async fn until(client: &Client, message: MessageRef, state: MessageState) {
    let mut events = client.events();
    while client.message(message).await.unwrap().unwrap().state != state {
        events.next().await;
    }
}

async fn talk(alice: &Client, bob: &Client) {
    let to = bob.account_id().await.unwrap().unwrap();
    let from = alice.account_id().await.unwrap().unwrap();
    let conversation = alice.conversation_with(to).await.unwrap();
    let mut events = bob.events();
    let first = conversation
        .send(Text::new("hello").unwrap())
        .await
        .unwrap();
    shown(&mut events, first).await;
    let answer = bob.conversation_with(from).await.unwrap();
    answer.send(Text::new("hello too").unwrap()).await.unwrap();
    until(alice, first, MessageState::Delivered).await;

    let (mut sends, mut deliveries) = (Vec::new(), Vec::new());
    for number in 0..PAIRS {
        let text = Text::new(format!(
            "message number {number}, of about a hundred bytes as people write them, more or less"
        ))
        .unwrap();
        let start = Instant::now();
        let message = conversation.send(text).await.unwrap();
        sends.push(start.elapsed());
        shown(&mut events, message).await;
        deliveries.push(start.elapsed());
    }
    report("send call", "p95 < 2 ms", &mut sends);
    report(
        "online delivery, send to shown",
        "p95 < 10 ms",
        &mut deliveries,
    );
}

async fn catch_up(alice: &Client, bob: Client, url: &str, database: &Path) {
    let to = bob.account_id().await.unwrap().unwrap();
    bob.close().await;
    drop(bob);
    let conversation = alice.conversation_with(to).await.unwrap();
    let mut last = None;
    let start = Instant::now();
    for number in 0..QUEUED {
        let text = Text::new(format!("queued message {number} of the night")).unwrap();
        last = Some(conversation.send(text).await.unwrap());
    }
    until(alice, last.unwrap(), MessageState::Sent).await;
    println!(
        "{QUEUED} messages sent in {:.2} s",
        start.elapsed().as_secs_f64()
    );
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["receive", database.to_str().unwrap(), url])
        .status()
        .unwrap();
    assert!(child.success());
}

/// In a process of its own, so that its memory is its own.
async fn receive(database: &str, url: &str) {
    let empty = resident_bytes(std::process::id()).unwrap();
    let start = Instant::now();
    let client = Client::open(config(Path::new(database), url))
        .await
        .unwrap();
    let mut events = client.events();
    client.connect();
    let mut most = empty;
    let mut received = 0usize;
    while let Some(event) = events.next().await {
        match event {
            Event::MessageAdded { .. } => {
                received += 1;
                if received.is_multiple_of(500) {
                    most = most.max(resident_bytes(std::process::id()).unwrap());
                }
            }
            Event::Missed { .. } => received = 0,
            Event::CaughtUp => break,
            _ => {}
        }
    }
    let mib = |bytes: u64| f64::from(u32::try_from(bytes / 1024).unwrap()) / 1024.0;
    println!(
        "catch-up of {QUEUED} queued messages: {:.2} s (< 5 s), {:.1} MiB above the empty process (< 32)",
        start.elapsed().as_secs_f64(),
        mib(most.saturating_sub(empty)),
    );
    client.close().await;
}

async fn large_store(database: &Path, url: &str) {
    let inline = || config(database, url).store_threads(StoreThreads::Inline);
    let client = Client::open(inline()).await.unwrap();
    client.register(Registration::open()).await.unwrap();
    let words = [
        "apple", "river", "mountain", "letter", "window", "garden", "music", "winter",
    ];
    let start = Instant::now();
    let mut seed = [0; 32];
    for number in 0..CONVERSATIONS {
        seed[..8].copy_from_slice(&number.to_be_bytes());
        let conversation = client
            .conversation_with(AccountId::of_key(&seed))
            .await
            .unwrap();
        for message in 0..MESSAGES / CONVERSATIONS {
            let word = |step: usize| words[(number * 7 + message * step) % words.len()];
            let text = format!(
                "{} {} {} number{message} of conversation{number}",
                word(1),
                word(3),
                word(5)
            );
            conversation.send(Text::new(text).unwrap()).await.unwrap();
        }
    }
    println!(
        "{MESSAGES} messages stored in {:.1} s",
        start.elapsed().as_secs_f64()
    );
    client.close().await;
    drop(client);

    let mut opens = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        let client = Client::open(config(database, url)).await.unwrap();
        let list = client
            .conversations()
            .list(false, 0, CONVERSATIONS)
            .await
            .unwrap();
        opens.push(start.elapsed());
        assert_eq!(list.len(), CONVERSATIONS);
        client.close().await;
    }
    report(
        "open 100,000 messages, list 1,000 conversations",
        "< 50 ms",
        &mut opens,
    );

    let client = Client::open(config(database, url)).await.unwrap();
    let mut searches = Vec::new();
    for number in 0..500 {
        let query = match number % 5 {
            0 => words[number % words.len()].to_owned(),
            1 => format!("number{}", number % 100),
            2 => format!("conversation{number}"),
            3 => format!(
                "{} {}",
                words[number % words.len()],
                words[(number / 8) % words.len()]
            ),
            _ => words[number % words.len()].chars().take(2).collect(),
        };
        let start = Instant::now();
        client.search(&query, 0, 20).await.unwrap();
        searches.push(start.elapsed());
    }
    report(
        "search in 100,000 messages, 20 hits",
        "p95 < 10 ms",
        &mut searches,
    );
    client.close().await;
}

fn report(what: &str, target: &str, times: &mut [Duration]) {
    times.sort();
    let at =
        |part: usize| times[(times.len() * part / 100).min(times.len() - 1)].as_secs_f64() * 1000.0;
    println!(
        "{what}: p50 {:.2} ms, p95 {:.2} ms ({target})",
        at(50),
        at(95)
    );
}
