//! The client's process dies at any commit and at any write to the socket, and is begun again: nothing is
//! lost, nothing is shown twice, there is one order, and no key is used twice.
//!
//! Some points are tried in each run; all of them with `HUSHPOST_KILL_STRIDE=1`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use hushpost::{AccountId, Client, Event, MessageRef, Text};
use hushpost_client_tests::script::{self, Doom, EACH, body, line};
use hushpost_client_tests::{KeyUse, Person, Verdict};
use hushpost_evil_relay::EvilRelay;
use hushpost_harness::{LIMITERS_OFF, RelayOptions, RelayProcess};

/// Points tried in each run, unless a stride is given.
const POINTS: u64 = 24;
/// SIGABRT: it died where it was told to.
const ABORTED: i32 = 6;

/// What the other person said to whom, as it was sent.
type Said = Arc<Mutex<HashMap<AccountId, Vec<MessageRef>>>>;

/// A relay, somebody who watches the line, and the person whom the scripted ones talk to.
struct Stage {
    _relay: RelayProcess,
    line: EvilRelay,
    bob: Person,
    said: Said,
}

impl Stage {
    async fn set() -> Self {
        let relay = RelayOptions::default()
            .config(LIMITERS_OFF)
            .start()
            .unwrap();
        let line = EvilRelay::start(relay.address()).await.unwrap();
        let bob = Person::registered("bob", line.address()).await.unwrap();
        let said = Said::default();
        tokio::spawn(answer(bob.client.clone(), bob.account, said.clone()));
        Self {
            _relay: relay,
            line,
            bob,
            said,
        }
    }

    /// Runs the scripted person once. Gives the number of points, or `None` if they died at one.
    async fn run(&self, folder: PathBuf, kill_at: u64) -> Option<u64> {
        let (relay, bob): (SocketAddr, _) = (self.line.address(), self.bob.account);
        let running = tokio::task::spawn_blocking(move || {
            Command::new(env!("CARGO_BIN_EXE_scripted_person"))
                .args([
                    folder.into_os_string().into_string().unwrap(),
                    relay.to_string(),
                    bob.to_string(),
                ])
                .env("KILL_AT", kill_at.to_string())
                .output()
                .unwrap()
        });
        let output = running.await.unwrap();
        if output.status.signal() == Some(ABORTED) {
            assert_ne!(kill_at, 0, "died by itself: {output:?}");
            return None;
        }
        assert!(output.status.success(), "KILL_AT={kill_at}: {output:?}");
        let points = String::from_utf8(output.stdout).unwrap();
        Some(points.trim().parse().unwrap())
    }

    /// Everything that must hold once the scripted person is done.
    async fn check(&self, folder: PathBuf, context: &str) {
        let client = script::open(&folder, self.line.address(), &Doom::at(0))
            .await
            .unwrap();
        let alice = client.account_id().await.unwrap().unwrap();
        let conversation = client.conversation_with(self.bob.account).await.unwrap();
        let hers = script::history(&conversation).await.unwrap();
        assert!(client.troubles().await.unwrap().is_empty(), "{context}");
        client.close().await;
        let conversation = self.bob.client.conversation_with(alice).await.unwrap();
        let his = script::history(&conversation).await.unwrap();
        let own: Vec<_> = hers.iter().filter(|message| message.is_own()).collect();
        let lines: Vec<_> = own
            .iter()
            .map(|message| body(message).unwrap().to_owned())
            .collect();
        let script: Vec<_> = (0..EACH).map(|number| line("alice", number)).collect();
        assert_eq!(lines, script, "{context}");
        let answers = self.said.lock().unwrap().remove(&alice).unwrap();
        assert_eq!(answers.len(), EACH, "{context}");
        Verdict::new()
            .sent("alice", own.iter().map(|message| message.id))
            .sent("bob", answers)
            .shown("alice", hers.iter().map(|message| message.id))
            .shown("bob", his.iter().map(|message| message.id))
            .check(context);
        let log = script::event_log(&folder).unwrap();
        assert_eq!(log.twice().unwrap(), [], "{context}: shown twice");
    }

    /// No key was used twice by anybody since the last time.
    fn check_keys(&self, context: &str) {
        let sends = self.line.recorded_sends();
        let envelopes = sends.iter().flat_map(|(_, send)| {
            let devices = send.recipients.iter().flat_map(|one| &one.devices);
            devices.map(|device| device.ciphertext.as_ref())
        });
        let keys = KeyUse::of(envelopes);
        assert!(keys.keys() >= 2 * EACH, "{context}");
        keys.check(context);
    }
}

/// Answers each line of whoever writes with the line of that number, and notes it.
async fn answer(client: Client, me: AccountId, said: Said) {
    let mut events = client.events();
    while let Some(event) = events.next().await {
        match event {
            Event::MessageAdded { message, .. } if message.sender != me => {
                let found = client.message(message).await.unwrap().unwrap();
                let number = body(&found).unwrap().strip_prefix("alice ").unwrap();
                let reply = Text::new(line("bob", number.parse().unwrap())).unwrap();
                let conversation = client.conversation_with(message.sender).await.unwrap();
                let sent = conversation.send(reply).await.unwrap();
                let mut said = said.lock().unwrap();
                said.entry(message.sender).or_default().push(sent);
            }
            Event::Missed { .. } => panic!("the test is too slow for its own events"),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_point_and_begun_again() {
    let stage = Stage::set().await;
    let folder = tempfile::tempdir().unwrap();
    let points = stage.run(folder.path().to_owned(), 0).await.unwrap();
    stage.check(folder.path().to_owned(), "not killed").await;
    stage.check_keys("not killed");
    let stride = std::env::var("HUSHPOST_KILL_STRIDE").map_or(points / POINTS + 1, |stride| {
        stride.parse().expect("a number of points")
    });
    let mut killed = 0;
    for kill_at in (1..=points).step_by(usize::try_from(stride).unwrap()) {
        let context = format!("KILL_AT={kill_at}");
        stage.line.forget();
        let folder = tempfile::tempdir().unwrap();
        if stage.run(folder.path().to_owned(), kill_at).await.is_none() {
            killed += 1;
            stage.run(folder.path().to_owned(), 0).await;
        }
        stage.check(folder.path().to_owned(), &context).await;
        stage.check_keys(&context);
    }
    println!("{points} points, killed at {killed}");
    assert!(killed > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_it_still_ends() {
    let stage = Stage::set().await;
    let folder = tempfile::tempdir().unwrap();
    let mut deaths = 0;
    // Each life is a little longer than the one before, so that all of them end somewhere else.
    while stage
        .run(folder.path().to_owned(), 40 + 3 * deaths)
        .await
        .is_none()
    {
        deaths += 1;
        assert!(deaths < 200, "it never ends");
    }
    println!("{deaths} deaths");
    assert!(deaths > 1);
    stage.check(folder.path().to_owned(), "many deaths").await;
    stage.check_keys("many deaths");
}
