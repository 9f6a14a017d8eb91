//! Two people at two terminals, over a real relay that is killed, and loses its disk.

mod support;

use crossterm::event::{KeyCode, KeyModifiers};
use hushpost_harness::{LIMITERS_OFF, RelayOptions, RelayProcess};
use support::{Outcome, Person, turn, until};

/// Both are there, and known by their names.
async fn arrive(folder: &std::path::Path, relay: &RelayProcess) -> Outcome<(Person, Person)> {
    let mut alice = Person::sit_down("alice", folder, relay).await?;
    let mut bob = Person::sit_down("bob", folder, relay).await?;
    until("both are online", &mut alice, &mut bob, |alice, bob| {
        [alice, bob]
            .iter()
            .all(|person| person.sees("● online") && !person.sees("name not taken yet"))
    })
    .await?;
    Ok((alice, bob))
}

/// Alice writes, Bob accepts: after this they are in each other's conversation.
async fn meet(alice: &mut Person, bob: &mut Person) -> Outcome {
    alice.enters("/new bob");
    until("bob is found", alice, bob, |alice, _| alice.sees(" bob ─")).await?;
    alice.enters("hello bob");
    until("a request", alice, bob, |alice, bob| {
        alice.row("hello bob").contains('✓') && bob.sees("wants to write to you")
    })
    .await?;
    bob.press(KeyCode::Tab);
    bob.press(KeyCode::Enter);
    until("bob reads it", alice, bob, |_, bob| {
        bob.sees("hello bob") && bob.sees("/accept (or answer)")
    })
    .await?;
    if alice.row("hello bob").contains("✓✓") {
        return Err("a stranger was told of the delivery".into());
    }
    bob.enters("/accept");
    until("read ticks", alice, bob, |alice, bob| {
        alice.sees_as_read("hello bob") && !bob.sees("/accept (or answer)")
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_talk_goes_on_whatever_happens_to_the_relay() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut relay = RelayProcess::start()?;
    let (mut alice, mut bob) = arrive(folder.path(), &relay).await?;
    let (alice, bob) = (&mut alice, &mut bob);
    meet(alice, bob).await?;

    bob.types("hi");
    until("typing is shown", alice, bob, |alice, _| {
        alice.sees("bob is typing…")
    })
    .await?;
    bob.enters(" alice\u{1b}[31m");
    until("an answer", alice, bob, |alice, bob| {
        alice.sees("hi alice[31m") && bob.sees_as_read("hi alice") && !alice.sees("typing…")
    })
    .await?;

    // Killed: what is said meanwhile waits, and says so.
    relay.kill()?;
    until("the connection is lost", alice, bob, |alice, bob| {
        [alice, bob].iter().all(|person| !person.sees("● online"))
    })
    .await?;
    alice.enters("are you there?");
    until("it waits", alice, bob, |alice, _| {
        alice.row("are you there?").contains(" …")
    })
    .await?;
    relay.restart()?;
    // They come back by themselves; this is sooner.
    alice.enters("/connect");
    bob.enters("/connect");
    until("it arrives", alice, bob, |alice, _| {
        alice.sees_as_read("are you there?") && alice.sees("● online")
    })
    .await?;

    // Its disk is lost too: it knows neither of them any more.
    relay.kill()?;
    std::fs::remove_dir_all(relay.data_dir())?;
    std::fs::create_dir_all(relay.data_dir())?;
    bob.enters("always");
    relay.restart()?;
    alice.enters("/connect");
    bob.enters("/connect");
    until("the relay is a new one", alice, bob, |alice, bob| {
        bob.sees_as_read("always") && alice.sees("always")
    })
    .await?;
    alice.enters("/notices");
    until("it is told", alice, bob, |alice, _| {
        alice.sees("the relay lost its store")
    })
    .await?;
    alice.press(KeyCode::Esc);

    // Names are there again as well.
    until("the name is back", alice, bob, |alice, _| {
        !alice.sees("name not taken yet")
    })
    .await?;
    alice.enters("/new bob");
    alice.enters("still you?");
    until("the same bob", alice, bob, |alice, bob| {
        alice.sees_as_read("still you?") && bob.sees("still you?")
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_searches_numbers_and_drafts() -> Outcome {
    let folder = tempfile::tempdir()?;
    let relay = RelayProcess::start()?;
    let (mut alice, mut bob) = arrive(folder.path(), &relay).await?;
    meet(&mut alice, &mut bob).await?;

    // Bob answers that message, not just her.
    bob.press(KeyCode::Up);
    bob.press_with(KeyCode::Char('r'), KeyModifiers::CONTROL);
    bob.types("one");
    bob.press_with(KeyCode::Enter, KeyModifiers::ALT);
    bob.enters("two");
    until("a quote of her own", &mut alice, &mut bob, |alice, _| {
        alice.sees("▎you: hello bob") && alice.sees("one ") && alice.sees("two ")
    })
    .await?;

    alice.enters("/verify");
    bob.enters("/verify");
    let number = |person: &Person| {
        let screen = person.screen();
        let digits = screen.lines().filter(|row| {
            let digits = row.chars().filter(char::is_ascii_digit).count();
            digits == 20 && !row.contains(':')
        });
        digits.map(str::to_owned).collect::<Vec<_>>()
    };
    until("the same number", &mut alice, &mut bob, |alice, bob| {
        number(alice).len() == 3 && number(alice) == number(bob) && alice.sees("█▀▀▀▀▀█")
    })
    .await?;
    alice.press(KeyCode::Esc);
    bob.press(KeyCode::Esc);
    alice.enters("/mark-verified");
    until("verified", &mut alice, &mut bob, |alice, _| {
        alice.sees("✔ verified")
    })
    .await?;

    alice.enters("/search HELLO");
    until("a hit", &mut alice, &mut bob, |alice, _| {
        alice.sees("1 found for: HELLO") && alice.sees("you to bob: hello bob")
    })
    .await?;
    alice.press(KeyCode::Enter);
    until("back in it", &mut alice, &mut bob, |alice, _| {
        alice.sees("▎you: hello bob")
    })
    .await?;
    alice.press(KeyCode::Esc);

    // What was typed and not sent is there after the next start, and so is everything else.
    alice.types("not yet");
    alice.chat.close().await;
    let mut alice = Person::sit_down("alice", folder.path(), &relay).await?;
    until("the draft", &mut alice, &mut bob, |alice, _| {
        alice.sees("draft: not yet") && alice.sees("● online")
    })
    .await?;
    alice.press(KeyCode::Tab);
    alice.press(KeyCode::Enter);
    until("all is there", &mut alice, &mut bob, |alice, _| {
        alice.sees("> not yet") && alice.sees("hello bob") && alice.sees("✔ verified")
    })
    .await?;
    alice.press(KeyCode::Enter);
    until("it is sent", &mut alice, &mut bob, |alice, bob| {
        bob.sees("not yet") && alice.sees_as_read("not yet")
    })
    .await?;

    // Blocked, she is gone from the list; unblocked, back.
    bob.enters("/block");
    until("blocked", &mut alice, &mut bob, |_, bob| {
        bob.sees("Blocked: nothing they send is shown") && bob.sees("/new <user name>")
    })
    .await?;
    bob.enters("/unblock");
    until("unblocked", &mut alice, &mut bob, |_, bob| {
        !bob.sees("Blocked: nothing") && !bob.sees("/new <user name>")
    })
    .await?;
    bob.enters("/delete");
    bob.press(KeyCode::Char('y'));
    until("deleted", &mut alice, &mut bob, |_, bob| {
        !bob.sees("hello bob") && bob.sees("/new <user name>")
    })
    .await?;
    alice.enters("/quit");
    assert!(alice.chat.is_over());
    alice.chat.close().await;
    bob.chat.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_absence_is_read_from_where_it_began() -> Outcome {
    let folder = tempfile::tempdir()?;
    let relay = RelayOptions::default().config(LIMITERS_OFF).start()?;
    let (mut alice, mut bob) = arrive(folder.path(), &relay).await?;
    meet(&mut alice, &mut bob).await?;
    bob.chat.close().await;
    for number in 1..=150 {
        alice.enters(&format!("number {number:03}"));
    }
    let mut bob = Person::sit_down("bob", folder.path(), &relay).await?;
    until("all of it", &mut alice, &mut bob, |alice, bob| {
        bob.sees("(150)") && alice.row("number 150").contains("✓✓")
    })
    .await?;
    bob.press(KeyCode::Tab);
    bob.press(KeyCode::Enter);
    until("the beginning", &mut alice, &mut bob, |_, bob| {
        bob.sees("─ new ─") && bob.sees("number 001") && !bob.sees("number 149")
    })
    .await?;
    // Only what was on the screen is read.
    until("some are read", &mut alice, &mut bob, |_, bob| {
        !bob.sees("(150)") && bob.sees("(12")
    })
    .await?;
    assert!(!alice.sees_as_read("number 149"));
    // The list shows the newest line, so the one before it tells where the history stands. Down to the end page by page, and past what was loaded at first.
    while !bob.sees("number 149") {
        bob.press(KeyCode::PageDown);
        turn(&mut [&mut alice, &mut bob]).await?;
    }
    until("all are read", &mut alice, &mut bob, |alice, bob| {
        alice.sees_as_read("number 149") && !bob.sees(" unread ")
    })
    .await?;
    bob.press_with(KeyCode::Home, KeyModifiers::CONTROL);
    until("the oldest", &mut alice, &mut bob, |_, bob| {
        bob.sees("hello bob") && bob.sees("more below")
    })
    .await?;
    bob.press_with(KeyCode::End, KeyModifiers::CONTROL);
    until("the newest", &mut alice, &mut bob, |_, bob| {
        bob.sees("number 149") && bob.sees("number 140") && !bob.sees("more below")
    })
    .await
}
