//! Groups that were changed side by side, or whose relay lost its store: what the simulation found, over a real
//! relay.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use hushpost::MessageState;
use hushpost_client_tests::{Crew, TestError};
use hushpost_harness::{LIMITERS_OFF, RelayOptions, RelayProcess};

type Result<T = ()> = core::result::Result<T, TestError>;

fn relay() -> RelayProcess {
    RelayOptions::default()
        .config(LIMITERS_OFF)
        .start()
        .unwrap()
}

#[tokio::test]
async fn who_is_taken_in_beside_a_change_has_it_too() -> Result {
    let relay = relay();
    let crew = Crew::meet(relay.address(), &["alice", "bob", "dave"], 2).await?;
    let [alice, bob, dave] = &crew.people[..] else {
        panic!("three");
    };
    // Neither sees what the other does.
    bob.client.disconnect().await;
    crew.of(bob).set_name("another name").await?;
    crew.of(alice).add([dave.account]).await?;
    crew.enters(dave).await?;
    bob.client.connect();
    for person in &crew.people {
        crew.until_info(person, "one group for all", |info| {
            info.name == "another name" && info.members.len() == 3
        })
        .await?;
        assert_eq!(person.client.troubles().await?, []);
    }
    Ok(())
}

#[tokio::test]
async fn what_was_said_while_the_relay_did_not_know_a_member_arrives() -> Result {
    let mut relay = relay();
    let crew = Crew::meet(relay.address(), &["alice", "bob", "carol"], 3).await?;
    let [alice, bob, carol] = &crew.people[..] else {
        panic!("three");
    };
    let before = crew.says(alice, "before").await?;
    carol.until_shown(before).await?;
    alice.until_state(before, MessageState::Delivered).await?;
    carol.client.disconnect().await;
    relay.kill()?;
    std::fs::remove_dir_all(relay.data_dir())?;
    std::fs::create_dir_all(relay.data_dir())?;
    let address = relay.address();
    relay.restart()?;
    assert_eq!(relay.address(), address, "another test took the port");
    let meanwhile = crew.says(alice, "meanwhile").await?;
    bob.until_shown(meanwhile).await?;
    carol.client.connect();
    carol.until_shown(meanwhile).await?;
    alice
        .until_state(meanwhile, MessageState::Delivered)
        .await?;
    Ok(())
}
