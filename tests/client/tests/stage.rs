//! The stage that other languages' tests play on, played on from Rust: what it prints, every command, its end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;

use futures_util::future::try_join_all;
use hushpost::{AccountId, Conversation, Event, MAX_PAGE, Message, NewGroup, RelayUrl};
use hushpost_client_tests::script::body;
use hushpost_client_tests::{PATIENCE, Person, TestError, text};
use hushpost_harness::{RELAY_NAME, RelayBinary};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

type Result<T = ()> = core::result::Result<T, TestError>;

/// The running program.
struct Stage {
    child: Child,
    commands: Option<ChildStdin>,
    answers: UnboundedReceiver<String>,
    relay: SocketAddr,
    rust: AccountId,
}

impl Stage {
    async fn set() -> Self {
        // Built here, where nobody waits for it with a limit.
        let relay = RelayBinary::find().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_stage"))
            .env("HUSHPOST_RELAY_BIN", relay.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, answers) = unbounded_channel();
        thread::spawn(move || {
            stdout
                .lines()
                .map_while(core::result::Result::ok)
                .all(|line| sender.send(line).is_ok())
        });
        let mut stage = Self {
            commands: child.stdin.take(),
            child,
            answers,
            relay: ([127, 0, 0, 1], 0).into(),
            rust: AccountId::of_key(&[0; 32]),
        };
        let relay = stage.line().await;
        let ["relay", url, name] = relay.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{relay}");
        };
        // What another language does with it.
        let parsed: RelayUrl = url.parse().unwrap();
        assert_eq!(parsed.with_relay_name(name).unwrap().relay_name(), name);
        assert_eq!(name, RELAY_NAME);
        stage.relay = url.strip_prefix("ws://").unwrap().parse().unwrap();
        let rust = stage.line().await;
        stage.rust = rust.strip_prefix("rust ").unwrap().parse().unwrap();
        assert_eq!(stage.line().await, "ready");
        stage
    }

    async fn line(&mut self) -> String {
        let line = timeout(PATIENCE, self.answers.recv()).await;
        line.expect("a line in time").expect("a line")
    }

    async fn answer_to(&mut self, command: &[u8]) -> String {
        let commands = self.commands.as_mut().unwrap();
        commands.write_all(command).unwrap();
        commands.write_all(b"\n").unwrap();
        commands.flush().unwrap();
        self.line().await
    }

    async fn does(&mut self, command: &str) {
        assert_eq!(
            self.answer_to(command.as_bytes()).await,
            "done",
            "{command}"
        );
    }

    async fn refuses(&mut self, command: &[u8]) {
        let answer = self.answer_to(command).await;
        assert!(answer.starts_with("failed "), "{answer}");
    }

    /// Waits until the process has ended; then its relay has too, and nothing more was printed.
    async fn ended(mut self) -> ExitStatus {
        let mut child = self.child;
        let ended = tokio::task::spawn_blocking(move || child.wait().unwrap());
        let status = timeout(PATIENCE, ended).await.unwrap().unwrap();
        assert_eq!(self.answers.recv().await, None);
        TcpStream::connect(self.relay).expect_err("the relay is left behind");
        status
    }
}

/// Says something, and waits for its echo.
async fn say(person: &Person, conversation: &Conversation, words: &str) -> Result {
    conversation.send(text(words)?).await?;
    let echo = format!("echo: {words}");
    person
        .until(&echo, || async {
            let newest = conversation.messages_before(None, MAX_PAGE).await?;
            let found = newest
                .messages
                .iter()
                .find(|message| !message.is_own() && body(message) == Some(&*echo));
            Ok(found.map(|_| ()))
        })
        .await
}

/// Everything shown of a conversation.
async fn history(conversation: &Conversation) -> Result<Vec<Message>> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = conversation.messages_after(after, MAX_PAGE).await?;
        after = page.messages.last().map(|message| message.cursor);
        all.extend(page.messages);
        if !page.more {
            return Ok(all);
        }
    }
}

/// Each thing that was said in a conversation has its echo once, and nothing else came.
async fn check_echoes(conversation: &Conversation) -> Result {
    let history = history(conversation).await?;
    let mut echoes = BTreeMap::new();
    for message in history.iter().filter(|message| !message.is_own()) {
        if let Some(body) = body(message) {
            *echoes.entry(body.to_owned()).or_insert(0) += 1;
        }
    }
    let own = history.iter().filter(|message| message.is_own());
    let expected = own
        .filter_map(body)
        .filter(|said| !said.starts_with("echo: "))
        .map(|said| (format!("echo: {said}"), 1))
        .collect();
    assert_eq!(echoes, expected);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_and_an_echo_after_each() -> Result {
    let mut stage = Stage::set().await;
    let alice = Person::registered("alice", stage.relay).await?;
    let direct = alice.client.conversation_with(stage.rust).await?;
    say(&alice, &direct, "hello").await?;
    direct.send(text("echo: not answered")?).await?;
    let crew = NewGroup::new("crew", [stage.rust]);
    let group = alice.client.create_group(crew).await?.conversation();
    say(&alice, &group, "hello, group").await?;

    for round in 1..=2 {
        let mut events = alice.client.events();
        stage.does("renew").await;
        // She is told without writing.
        let renewed = |event: &Event| match event {
            Event::DevicesChanged {
                account, renewed, ..
            } => *account == stage.rust && renewed.len() == 1,
            _ => false,
        };
        alice
            .until_event(&mut events, "a renewed device", renewed)
            .await?;
        say(&alice, &direct, &format!("after renewal {round}")).await?;
        say(&alice, &group, &format!("after renewal {round}, group")).await?;
    }

    stage.does("kill").await;
    for nothing_to_do in ["kill", "renew"] {
        stage.refuses(nothing_to_do.as_bytes()).await;
    }
    let while_away = direct.send(text("while you were away")?).await?;
    stage.does("start").await;
    stage.refuses(b"start").await;
    say(&alice, &direct, "after a kill").await?;

    stage.does("wipe").await;
    say(&alice, &direct, "after a lost disk").await?;
    stage.does("kill").await;
    stage.does("wipe").await;
    stage.does("renew").await;
    say(&alice, &direct, "after all of it").await?;
    say(&alice, &group, "after all of it, group").await?;

    for garbage in [&b"dance"[..], b"", b"kill the relay", b"\xff\xfe", b"KILL"] {
        stage.refuses(garbage).await;
    }
    alice.until_shown(while_away).await?;
    for conversation in [&direct, &group] {
        check_echoes(conversation).await?;
    }
    stage.commands = None;
    assert_eq!(stage.ended().await.code(), Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_at_once_have_one_answer_each() -> Result {
    const MANY: usize = 500;
    let mut stage = Stage::set().await;
    let alice = Person::registered("alice", stage.relay).await?;
    let direct = alice.client.conversation_with(stage.rust).await?;
    let all = (0..MANY)
        .map(async |number| Ok::<_, TestError>(direct.send(text(&number.to_string())?).await?));
    try_join_all(all).await?;
    alice
        .until("so many echoes", || async {
            let history = history(&direct).await?;
            let echoes = history.iter().filter(|message| !message.is_own());
            Ok((echoes.count() >= MANY).then_some(()))
        })
        .await?;
    // Everything is read again after this, and nothing answered again.
    stage.does("renew").await;
    say(&alice, &direct, "and once more").await?;
    check_echoes(&direct).await?;
    stage.commands = None;
    assert_eq!(stage.ended().await.code(), Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asked_to_end_it_takes_the_relay_with_it() {
    let stage = Stage::set().await;
    let kill = Command::new("kill")
        .arg(stage.child.id().to_string())
        .status();
    assert!(kill.unwrap().success());
    assert_eq!(stage.ended().await.code(), Some(0));
}
