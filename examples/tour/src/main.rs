//! The main job, shown: people talk through a relay that lies, is killed, and loses its disk.
//!
//! ```sh
//! cargo run --release -p hushpost-tour
//! ```
//!
//! Everything is real: a relay process, encrypted databases, sockets. Each line is printed after what it says
//! was checked; if anything is not so, the tour stops and says what.

mod group;
mod person;
mod relay;
mod scenes;
mod story;

use std::process::ExitCode;

use crate::person::Person;
use crate::relay::Relay;
use crate::story::Outcome;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [role, folder, address] if role == relay::AS_RELAY => relay::serve(folder, address).await,
        _ => tour().await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            use std::io::Write as _;
            // Nobody may be listening.
            drop(writeln!(std::io::stderr(), "\nThe tour stops: {why}"));
            ExitCode::FAILURE
        }
    }
}

async fn tour() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut relay = Relay::start(&folder.path().join("relay"))?;
    let evil = hushpost_evil_relay::EvilRelay::renumbering(relay.address).await?;

    story::chapter("Three people, one relay")?;
    let alice = Person::arrive("alice", folder.path(), evil.address()).await?;
    let bob = Person::arrive("bob", folder.path(), evil.address()).await?;
    let carol = Person::arrive("carol", folder.path(), evil.address()).await?;
    let accounts = [alice.account, bob.account, carol.account];
    let different = accounts
        .iter()
        .collect::<std::collections::BTreeSet<_>>()
        .len()
        == 3;
    story::tell(
        different,
        "Alice, Bob and Carol have an account each, and made its keys themselves",
    )?;

    scenes::first_contact(&alice, &bob).await?;
    scenes::offline(&alice, &bob).await?;
    scenes::screens(&alice, &bob, &carol).await?;
    scenes::trust(&alice, &bob, &carol).await?;
    group::group(&alice, &bob, &carol).await?;
    scenes::lying_relay(&alice, &bob, &evil).await?;
    scenes::killed_relay(&alice, &bob, &mut relay).await?;
    scenes::lost_disk(&alice, &bob, &carol, &mut relay).await?;
    scenes::epilogue(&alice, &bob).await?;
    for person in [&alice, &bob, &carol] {
        person.client.close().await;
    }
    Ok(())
}
