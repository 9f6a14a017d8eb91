//! The stage that the tests of every language play on: a relay, and a user of the Rust crate. What it prints and which
//! commands it takes is in `bindings/SCENARIO.md`.
//!
//! The relay's binary is that of `HUSHPOST_RELAY_BIN`, or else the one beside this program, which is built if it is
//! not there. Standard output speaks the protocol and nothing else; whatever is wrong is said on standard error.
//!
//! It ends when standard input ends, and when it is asked to (SIGTERM, SIGINT), and takes the relay with it. Only if it
//! is killed outright is the relay left behind.

use std::error::Error;
use std::io::{self, BufRead as _, Write as _};
use std::process::ExitCode;
use std::thread;

use hushpost_client_tests::{Stage, TestError};
use hushpost_harness::RELAY_NAME;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Receiver, channel};

#[tokio::main]
async fn main() -> ExitCode {
    let played = tokio::select! {
        biased;
        asked = asked_to_end() => asked.map_err(Into::into),
        played = play() => played,
    };
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // Nobody may be reading.
            drop(writeln!(io::stderr(), "stage: {why}"));
            ExitCode::FAILURE
        }
    }
}

/// Waits for a signal.
async fn asked_to_end() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Until standard input ends.
async fn play() -> Result<(), Box<dyn Error>> {
    let mut stage = Stage::set().await?;
    say(&format!(
        "relay {} {RELAY_NAME}\nrust {}\nready",
        stage.relay_url(),
        stage.account()
    ))?;
    let mut commands = lines();
    while let Some(command) = commands.recv().await {
        let answer = match perform(&mut stage, &command).await {
            Ok(()) => "done".to_owned(),
            Err(error) => format!("failed {}", one_line(&error.to_string())),
        };
        say(&answer)?;
    }
    Ok(stage.end().await?)
}

async fn perform(stage: &mut Stage, command: &str) -> Result<(), TestError> {
    match command {
        "kill" => stage.kill(),
        "start" => stage.start().await,
        "wipe" => stage.wipe().await,
        "renew" => stage.renew().await,
        _ => Err(TestError::Stage(
            "the commands are kill, start, wipe and renew",
        )),
    }
}

/// The lines of standard input, read by a thread of their own: a read cannot be given up, and the program must be
/// able to end during one.
fn lines() -> Receiver<String> {
    let (sender, receiver) = channel(16);
    thread::spawn(move || {
        for line in io::stdin().lock().split(b'\n').map_while(Result::ok) {
            // Whatever is no text is no command either, and is answered as such.
            let line = String::from_utf8_lossy(&line).trim().to_owned();
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn say(lines: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{lines}")?;
    out.flush()
}

/// An answer is one line, whatever the relay's last words were.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
