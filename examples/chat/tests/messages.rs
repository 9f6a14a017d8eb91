//! What two people do with messages that are there, over a real relay.

mod support;

use crossterm::event::KeyCode;
use hushpost_harness::{LIMITERS_OFF, RelayOptions, RelayProcess};
use support::{Outcome, Person, until};

/// Both are in their conversation, in which Alice said hello.
async fn meet(folder: &std::path::Path, relay: &RelayProcess) -> Outcome<(Person, Person)> {
    let mut alice = Person::sit_down("alice", folder, relay).await?;
    let mut bob = Person::sit_down("bob", folder, relay).await?;
    until("both are online", &mut alice, &mut bob, |alice, bob| {
        [alice, bob]
            .iter()
            .all(|person| person.sees("● online") && !person.sees("name not taken yet"))
    })
    .await?;
    alice.enters("/new bob");
    until("bob is found", &mut alice, &mut bob, |alice, _| {
        alice.sees(" bob ─")
    })
    .await?;
    alice.enters("hello bob");
    until("a request", &mut alice, &mut bob, |_, bob| {
        bob.sees("wants to write to you")
    })
    .await?;
    bob.press(KeyCode::Tab);
    bob.press(KeyCode::Enter);
    bob.enters("/accept");
    until("it is read", &mut alice, &mut bob, |alice, _| {
        alice.sees_as_read("hello bob")
    })
    .await?;
    Ok((alice, bob))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_marked_held_up_forwarded_and_deleted() -> Outcome {
    let folder = tempfile::tempdir()?;
    let relay = RelayOptions::default().config(LIMITERS_OFF).start()?;
    let (mut alice, mut bob) = meet(folder.path(), &relay).await?;
    let (alice, bob) = (&mut alice, &mut bob);

    // A star is one's own.
    alice.press(KeyCode::Up);
    alice.enters("/star");
    alice.enters("/pin-message");
    until("marks", alice, bob, |alice, bob| {
        alice.row("hello bob").contains("⚑ ★") && bob.row("hello bob").contains('⚑')
    })
    .await?;
    assert!(!bob.sees("★"));
    alice.enters("/starred");
    until("what has a star", alice, bob, |alice, _| {
        alice.sees("1 with a star") && alice.sees("you to bob: hello bob")
    })
    .await?;
    alice.press(KeyCode::Esc);
    bob.enters("/pinned");
    until("what is held up", alice, bob, |_, bob| {
        bob.sees("1 held up here")
    })
    .await?;
    bob.press(KeyCode::Enter);
    bob.press(KeyCode::Esc);
    alice.press(KeyCode::Esc);

    // A group of one is a place for notes.
    alice.enters("/group notes");
    until("a place for notes", alice, bob, |alice, _| {
        alice.sees("notes · 1 member ")
    })
    .await?;
    alice.enters("/new bob");
    until("back", alice, bob, |alice, _| {
        alice.sees(" bob ─") && alice.sees("hello bob ⚑")
    })
    .await?;
    alice.press(KeyCode::Up);
    alice.enters("/forward notes");
    until("forwarded", alice, bob, |alice, _| {
        alice.sees("│ forwarded")
    })
    .await?;

    // The server of a link is never one of this machine or its network.
    alice.enters("/link http://127.0.0.1:9/ look");
    until("no link", alice, bob, |alice, _| {
        alice.sees("not sent: the link") && alice.sees("> http://127.0.0.1:9/ look")
    })
    .await?;
    for _ in 0.."http://127.0.0.1:9/ look".len() {
        alice.press(KeyCode::Backspace);
    }

    alice.enters("/timer 1h");
    until("a timer", alice, bob, |alice, bob| {
        alice.sees("⧗ 1h") && bob.sees("⧗ 1h")
    })
    .await?;
    alice.enters("oops");
    until("what is wrong", alice, bob, |alice, bob| {
        bob.sees("oops") && alice.sees_as_read("oops")
    })
    .await?;
    alice.press(KeyCode::Esc);
    alice.press(KeyCode::Up);
    alice.enters("/delete all");
    until("it is gone", alice, bob, |alice, bob| {
        [alice, bob]
            .iter()
            .all(|person| person.sees("(deleted)") && !person.sees("oops"))
    })
    .await?;
    bob.press(KeyCode::Up);
    bob.enters("/delete me");
    until("it is gone here", alice, bob, |alice, bob| {
        !bob.sees("(deleted)") && alice.sees("(deleted)")
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_stopped_or_left_is_told() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut relay = RelayOptions::default().config(LIMITERS_OFF).start()?;
    let (mut alice, mut bob) = meet(folder.path(), &relay).await?;
    relay.kill()?;
    for name in ["one.txt", "two.txt"] {
        let path = folder.path().join(name);
        std::fs::write(&path, name)?;
        alice.enters(&format!("/send '{}'", path.display()));
        until("it waits", &mut alice, &mut bob, |alice, _| {
            alice.sees(&format!("↑ {name} waits"))
        })
        .await?;
        if name == "one.txt" {
            alice.enters("/cancel");
            until("it is stopped", &mut alice, &mut bob, |alice, _| {
                alice.sees("one.txt was not sent: ") && !alice.sees("↑ one.txt")
            })
            .await?;
        }
    }
    alice.chat.close().await;
    relay.restart()?;
    let mut alice = Person::sit_down("alice", folder.path(), &relay).await?;
    until("it is told", &mut alice, &mut bob, |alice, _| {
        alice.sees("not sent before you left: two.txt;")
    })
    .await
}
