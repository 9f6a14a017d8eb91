//! What an operator types beside a relay, or without one: figures, single accounts, copies, room.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::fs;
use std::process::Output;

use hushpost_harness::{Client, Identity, LIMITERS_OFF, RelayOptions, RelayProcess};
use hushpost_relay_tests::{Person, random_id};
use hushpost_wire::client_frame::Request;
use hushpost_wire::{CloseReason, ErrorCode, SetUserName};
use serde_json::Value;

type Result<T = (), E = Box<dyn std::error::Error>> = core::result::Result<T, E>;

fn relay() -> Result<RelayProcess> {
    Ok(RelayOptions::default().config(LIMITERS_OFF).start()?)
}

/// What a command prints that succeeds.
fn printed(output: Output) -> Result<String> {
    let (out, problems) = (
        String::from_utf8(output.stdout)?,
        String::from_utf8(output.stderr)?,
    );
    assert!(output.status.success(), "{out}{problems}");
    assert_eq!(problems, "");
    Ok(out)
}

/// What a command says that fails.
fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stats(relay: &RelayProcess) -> Result<Value> {
    Ok(serde_json::from_str(&printed(
        relay.command(&["stats", "--json"])?,
    )?)?)
}

#[tokio::test]
async fn stats_tell_how_much_a_relay_holds() -> Result {
    let mut relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let bob = Identity::with_devices(2)?;
    let (mut client, welcome) = Client::connect(relay.address()).await?;
    client.register(&welcome, &bob).await?;
    alice.send(random_id()?, vec![bob.recipient(b"x")]).await?;
    let beside = stats(&relay)?;
    assert_eq!(beside["accounts"], 2);
    assert_eq!(beside["devices"], 3);
    assert_eq!(beside["blocked_accounts"], 0);

    assert!(relay.terminate()?.success());
    let without = stats(&relay)?;
    assert_eq!(without["waiting_messages"], 2);
    assert_eq!(without["journal_commits"], 0);
    assert_eq!(without["blobs"], 0);
    let bytes = without["database_bytes"].as_i64().expect("a number");
    assert!(bytes > 4096);
    // For people, the same figures.
    let table = printed(relay.command(&["stats"])?)?;
    for line in [
        "accounts          2",
        "devices           3",
        "waiting messages  2",
    ] {
        assert!(table.lines().any(|found| found == line), "{table}");
    }
    Ok(())
}

#[tokio::test]
async fn an_account_is_shown_without_its_keys() -> Result {
    let mut relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    bob.allow_contacts().await?;
    bob.client
        .request(Request::SetUserName(SetUserName {
            name: "bob".to_owned(),
        }))
        .await?;
    alice
        .send(random_id()?, vec![bob.identity.recipient(b"x")])
        .await?;
    let id = bob.identity.account().to_string();
    let shown = printed(relay.command(&["account", "show", &id])?)?;
    assert!(shown.contains(&id), "{shown}");
    assert!(relay.terminate()?.success());
    let shown = printed(relay.command(&["account", "show", &id])?)?;
    for line in [
        "blocked           no",
        "device list       version 1",
        "names             1",
        "takes sealed      yes",
        "device 1          1 waiting, one-time pre-keys 0 and 0 KEM",
    ] {
        assert!(shown.lines().any(|found| found == line), "{shown}");
    }
    let nobody = Identity::new()?.account().to_string();
    let problem = complaint(&relay.command(&["account", "show", &nobody])?);
    assert!(
        problem.contains(&format!("there is no account {nobody} here")),
        "{problem}"
    );
    Ok(())
}

#[tokio::test]
async fn an_account_is_blocked_and_unblocked_beside_a_running_relay_and_without_one() -> Result {
    let mut relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let Person { identity, client } = Person::register(relay.address()).await?;
    let id = identity.account().to_string();
    for running in [true, false] {
        let act = |relay: &mut RelayProcess, action: &str| -> Result {
            if !running {
                assert!(relay.terminate()?.success());
            }
            printed(relay.command(&["account", action, &id])?)?;
            if !running {
                relay.restart()?;
            }
            Ok(())
        };
        act(&mut relay, "block")?;
        let blocked = Client::connect_as(relay.address(), &identity, 1)
            .await
            .err()
            .unwrap();
        assert_eq!(blocked.code(), Some(ErrorCode::Blocked));
        // Registering again is no way around it.
        let (mut again, welcome) = Client::connect(relay.address()).await?;
        let refused = again.register(&welcome, &identity).await.err().unwrap();
        assert_eq!(refused.code(), Some(ErrorCode::Blocked));
        assert_eq!(stats(&relay)?["blocked_accounts"], 1);
        act(&mut relay, "unblock")?;
        Client::connect_as(relay.address(), &identity, 1).await?;
    }
    let ending = client.ended().await?;
    assert_eq!(
        ending.closing.map(|closing| closing.reason()),
        Some(CloseReason::AccountBlocked),
        "its connection ended with the block"
    );
    alice.reconnect(relay.address()).await?;
    let nobody = Identity::new()?.account().to_string();
    for action in ["block", "unblock", "delete"] {
        let problem = complaint(&relay.command(&["account", action, &nobody])?);
        assert!(problem.contains("there is no account"), "{problem}");
    }
    Ok(())
}

#[tokio::test]
async fn an_account_is_deleted_beside_a_running_relay_and_without_one() -> Result {
    let mut relay = relay()?;
    for running in [true, false] {
        let Person { identity, client } = Person::register(relay.address()).await?;
        let id = identity.account().to_string();
        if running {
            printed(relay.command(&["account", "delete", &id])?)?;
            assert_eq!(
                client
                    .ended()
                    .await?
                    .closing
                    .map(|closing| closing.reason()),
                Some(CloseReason::AccountDeleted)
            );
        } else {
            drop(client);
            assert!(relay.terminate()?.success());
            printed(relay.command(&["account", "delete", &id])?)?;
            relay.restart()?;
        }
        let gone = Client::connect_as(relay.address(), &identity, 1)
            .await
            .err()
            .unwrap();
        assert_eq!(gone.code(), Some(ErrorCode::AuthenticationFailed));
        assert_eq!(stats(&relay)?["accounts"], 0);
    }
    Ok(())
}

#[tokio::test]
async fn a_backup_is_made_beside_a_running_relay_and_restored() -> Result {
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join("copy");
    let destination = copy.display().to_string();
    let relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let bob = Person::register(relay.address()).await?;
    let (_, original) = Client::connect(relay.address()).await?;
    alice
        .send(random_id()?, vec![bob.identity.recipient(b"waits")])
        .await?;
    assert_eq!(printed(relay.command(&["backup", &destination])?)?, "");
    let again = complaint(&relay.command(&["backup", &destination])?);
    assert!(again.contains("exist"), "{again}");
    // The original goes on; what it takes now is not in the copy.
    alice
        .send(random_id()?, vec![bob.identity.recipient(b"later")])
        .await?;
    let late = Person::register(relay.address()).await?;

    let restored = RelayOptions::default()
        .config(LIMITERS_OFF)
        .data_dir(&copy)
        .start()?;
    let (_, welcome) = Client::connect(restored.address()).await?;
    assert_ne!(welcome.storage_epoch, original.storage_epoch);
    let (client, authenticated) = Client::connect_as(restored.address(), &bob.identity, 1).await?;
    assert_eq!(authenticated.last_sequence, 1);
    let mut bob = Person {
        identity: bob.identity,
        client,
    };
    bob.receive(0).await?;
    let waiting = bob.messages_until_caught_up().await?;
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].ciphertext.as_ref(), b"waits");
    assert!(
        Client::connect_as(restored.address(), &late.identity, 1)
            .await
            .is_err()
    );
    // Room is given back as in the original.
    printed(restored.command(&["vacuum"])?)?;
    Ok(())
}

#[tokio::test]
async fn vacuum_gives_room_back_beside_a_running_relay_and_without_one() -> Result {
    let mut relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    for running in [true, false] {
        for _ in 0..20 {
            let large = bob.identity.recipient(&vec![7; 60_000]);
            alice.send(random_id()?, vec![large]).await?;
        }
        // To the mailbox, from there to the device, and out of the file.
        assert!(relay.terminate()?.success());
        let full = stats(&relay)?["database_bytes"].as_i64().expect("a number");
        assert!(full > 1_000_000);
        relay.restart()?;
        alice.reconnect(relay.address()).await?;
        bob.reconnect(relay.address()).await?;
        bob.receive(0).await?;
        let received = bob.messages_until_caught_up().await?;
        assert_eq!(received.len(), 20);
        bob.acknowledge(received[19].sequence).await?;
        assert!(relay.terminate()?.success());
        assert!(stats(&relay)?["free_bytes"].as_i64() > Some(1_000_000));
        if running {
            relay.restart()?;
        }
        printed(relay.command(&["vacuum"])?)?;
        let after = stats(&relay)?;
        assert_eq!(after["free_bytes"], 0);
        assert!(after["database_bytes"].as_i64() < Some(full - 1_000_000));
        if !running {
            relay.restart()?;
        }
        alice.reconnect(relay.address()).await?;
        bob.reconnect(relay.address()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_command_in_the_wrong_folder_says_so_and_makes_nothing() -> Result {
    let mut relay = relay()?;
    assert!(relay.terminate()?.success());
    let folder = tempfile::tempdir()?;
    let elsewhere = format!("data_dir={}", folder.path().join("typo").display());
    let destination = folder.path().join("copy").display().to_string();
    let id = Identity::new()?.account().to_string();
    for command in [
        vec!["stats"],
        vec!["vacuum"],
        vec!["account", "show", &id],
        vec!["account", "delete", &id],
        vec!["backup", &destination],
    ] {
        let arguments = [&["--set", &elsewhere][..], &command].concat();
        let problem = complaint(&relay.command(&arguments)?);
        assert!(
            problem.contains("holds no relay's data; is data_dir right?"),
            "{problem}"
        );
    }
    assert_eq!(fs::read_dir(folder.path())?.count(), 0);
    Ok(())
}
