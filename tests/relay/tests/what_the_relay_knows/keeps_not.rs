//! N1, N3, N6 to N11: what is in no table and no file.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use hushpost_harness::{Client, Identity, LIMITERS_OFF, RelayOptions, RelayProcess};
use hushpost_relay_tests::evidence::{cells_with, contents, database, files_with, number};
use hushpost_relay_tests::{Person, message, random_id, sent};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{CountPreKeys, LookUpName, NameKind, Ping, Subscribe, topic};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

use super::{CANARY, Result, anonymous, id_of, publish, relay};

fn assert_nowhere(relay: &RelayProcess, what: &[u8]) -> Result {
    assert_eq!(
        files_with(&relay.data_dir(), what)?,
        std::collections::BTreeSet::default(),
        "{}",
        what.escape_ascii()
    );
    Ok(())
}

#[test]
fn the_relay_links_nothing_that_could_open_a_message() -> Result {
    // Cargo tells the tests it runs where it is.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--package", "hushpost-relay", "--edges", "normal"])
        .args([
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--offline",
            "--locked",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()?;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let tree = String::from_utf8(output.stdout)?;
    let linked: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(linked.contains(&"hushpost-relay") && linked.contains(&"hushpost-wire"));
    for forbidden in [
        "hushpost",
        "hushpost-protocol",
        "hushpost-ffi",
        "aes",
        "aes-gcm",
        "aes-gcm-siv",
        "cbc",
        "ctr",
        "hkdf",
        "libcrux-ml-kem",
        "ml-kem",
        "x25519-dalek",
        "vodozemac",
    ] {
        assert!(!linked.contains(&forbidden), "the relay links {forbidden}");
    }
    assert!(!linked.iter().any(|name| name.contains("signal-protocol")));
    Ok(())
}

#[tokio::test]
async fn network_addresses_are_in_no_file() -> Result {
    let mut relay = relay()?;
    let here = "127.200.77.33";
    let alice = Identity::new()?;
    let (mut client, welcome) = Client::connect_from(here.parse()?, relay.address()).await?;
    client.register(&welcome, &alice).await?;
    let send = message(random_id()?, vec![alice.recipient(b"x")]);
    let _refused_or_not = client.request(Request::Send(send)).await;
    let (mut nobody, _) = Client::connect_from(here.parse()?, relay.address()).await?;
    nobody.anonymous().await?;
    nobody.request(publish([3; 32], b"v", b"w", 3600)).await?;
    nobody.close().await?;
    assert_nowhere(&relay, here.as_bytes())?;
    assert_nowhere(&relay, &[127, 200, 77, 33])?;
    assert!(relay.terminate()?.success());
    assert_nowhere(&relay, here.as_bytes())?;
    assert_nowhere(&relay, &[127, 200, 77, 33])?;
    Ok(())
}

#[tokio::test]
async fn a_fetched_message_and_its_sender_are_gone() -> Result {
    let mut relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    let id = random_id()?;
    // One straight from the journal, one from the mailbox.
    for settled in [false, true] {
        alice
            .send(random_id()?, vec![bob.identity.recipient(CANARY)])
            .await?;
        alice.send(id, vec![bob.identity.recipient(CANARY)]).await?;
        if settled {
            assert!(relay.terminate()?.success());
            relay.restart()?;
            alice.reconnect(relay.address()).await?;
            bob.reconnect(relay.address()).await?;
        }
        bob.receive(0).await?;
        let received = bob.messages_until_caught_up().await?;
        assert!(!received.is_empty());
        let last = received.last().map_or(0, |one| one.sequence);
        bob.acknowledge(last).await?;
    }
    assert!(relay.terminate()?.success());
    let database = database(&relay)?;
    assert!(cells_with(&database, CANARY)?.is_empty());
    assert!(cells_with(&database, &id)?.is_empty());
    for table in ["mailbox", "payload", "journal"] {
        assert_eq!(
            number(&database, &format!("SELECT count(*) FROM {table}"))?,
            0,
            "{table}"
        );
    }
    assert_eq!(
        cells_with(&database, &id_of(&alice.identity))?,
        ["account.account".to_owned()].into()
    );
    Ok(())
}

#[tokio::test]
async fn codes_and_tokens_that_were_shown_are_not_kept() -> Result {
    let folder = tempfile::tempdir()?;
    let secret = b"a secret of the backend, and of the relay.";
    let key_file = folder.path().join("key");
    std::fs::write(&key_file, secret)?;
    let token_mode = format!(
        "[registration]\nmode = 'token'\n[registration.token]\nalgorithm = 'HS256'\n\
         issuer = 'i'\naudience = 'a'\nkey_file = '{}'",
        key_file.display()
    );
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let token = encode(
        &Header::new(Algorithm::HS256),
        &json!({"iss": "i", "aud": "a", "sub": "user-1", "exp": now + 600}),
        &EncodingKey::from_secret(secret),
    )?;
    let code = "canary-of-an-invite".to_owned();
    let invite_mode = format!("[registration]\ninvite_codes = ['{code}']");
    for (config, invite_code, token) in [
        (invite_mode, code.clone(), String::new()),
        (token_mode, String::new(), token),
    ] {
        let mut relay = RelayOptions::default()
            .config(LIMITERS_OFF)
            .config(config)
            .start()?;
        let mut identity = Identity::new()?;
        let wrong = "canary-of-a-wrong-one";
        for right in [false, true] {
            let (mut client, welcome) = Client::connect(relay.address()).await?;
            let mut register = identity.register(&welcome)?;
            register.invite_code = wrong.to_owned();
            register.token = wrong.to_owned();
            if right {
                register.invite_code.clone_from(&invite_code);
                register.token.clone_from(&token);
            }
            let registered = client.request(Request::Register(register)).await;
            assert_eq!(registered.is_ok(), right);
            if right {
                let mut bob = Person {
                    identity: identity.clone(),
                    client,
                };
                bob.allow_contacts().await?;
                let mut nobody = anonymous(&relay).await?;
                let mut recipient = bob.identity.recipient_with_token(b"x");
                sent(
                    nobody
                        .request(Request::Send(message([1; 16], vec![recipient.clone()])))
                        .await?,
                )?;
                identity.delivery_token = *b"a wrong token...";
                recipient.delivery_token = identity.delivery_token.to_vec().into();
                sent(
                    nobody
                        .request(Request::Send(message([2; 16], vec![recipient])))
                        .await?,
                )?;
                assert_nowhere(&relay, &bob.identity.delivery_token)?;
            }
        }
        assert_nowhere(&relay, &identity.delivery_token)?;
        assert!(relay.terminate()?.success());
        for shown in [wrong, &invite_code, &token] {
            if !shown.is_empty() {
                assert_nowhere(&relay, shown.as_bytes())?;
            }
        }
        assert_eq!(
            number(&database(&relay)?, "SELECT count(*) FROM account")?,
            1
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_sender_of_an_anonymous_message_is_nowhere() -> Result {
    let mut relay = relay()?;
    // Alice is registered and connected from the same address, and sends from a second connection.
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    bob.allow_contacts().await?;
    let mut nobody = anonymous(&relay).await?;
    let contact = bob.identity.recipient_with_token(CANARY);
    let answer = sent(
        nobody
            .request(Request::Send(message([1; 16], vec![contact])))
            .await?,
    )?;
    assert_eq!(answer.stored, 1);
    alice.client.request(Request::Ping(Ping {})).await?;
    for settled in [false, true] {
        if settled {
            assert!(relay.terminate()?.success());
        }
        let database = database(&relay)?;
        assert_eq!(
            cells_with(&database, &id_of(&alice.identity))?,
            ["account.account".to_owned()].into()
        );
        if settled {
            // Sixteen bytes of message id, and no more.
            let header = "SELECT length(header) FROM mailbox";
            assert_eq!(number(&database, header)?, 16);
        }
    }
    relay.restart()?;
    bob.reconnect(relay.address()).await?;
    bob.receive(0).await?;
    assert!(bob.messages(1).await?[0].sender.is_none());
    Ok(())
}

#[tokio::test]
async fn presence_keys_followers_and_short_lived_values_are_not_kept() -> Result {
    let mut relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    let (key, other_key) = (*b"canary: the key of one topic ...", [4; 32]);
    let followed = topic::of_key(&other_key);
    let topics = vec![followed.to_vec().into()];
    bob.client
        .request(Request::Subscribe(Subscribe { topics }))
        .await?;
    let (online, offline) = (b"canary: online", b"canary: offline");
    alice
        .client
        .request(publish(
            key,
            b"last seen",
            b"last seen again",
            7 * 24 * 3600,
        ))
        .await?;
    alice
        .client
        .request(publish(other_key, online, offline, 599))
        .await?;
    assert!(matches!(
        bob.client.next_push().await?,
        Body::PresenceValues(_)
    ));
    alice.client.close().await?;
    // The last will, too, was told and not kept.
    assert!(matches!(
        bob.client.next_push().await?,
        Body::PresenceValues(_)
    ));
    for trace in [&key[..], &other_key, &followed, online, offline] {
        assert_nowhere(&relay, trace)?;
    }
    assert_eq!(
        number(&database(&relay)?, "SELECT count(*) FROM presence")?,
        1
    );
    drop(bob);
    assert!(relay.terminate()?.success());
    for trace in [&key[..], &other_key, &followed, online, offline] {
        assert_nowhere(&relay, trace)?;
    }
    Ok(())
}

#[tokio::test]
async fn ephemeral_messages_never_touch_the_disk() -> Result {
    let mut relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    let before = contents(&database(&relay)?)?;
    let mut typing = message(random_id()?, vec![bob.identity.recipient(CANARY)]);
    typing.ephemeral = true;
    sent(alice.client.request(Request::Send(typing)).await?)?;
    assert!(matches!(bob.client.next_push().await?, Body::Ephemeral(_)));
    assert_eq!(before, contents(&database(&relay)?)?);
    assert_nowhere(&relay, CANARY)?;
    drop((alice, bob));
    assert!(relay.terminate()?.success());
    assert_nowhere(&relay, CANARY)?;
    Ok(())
}

#[tokio::test]
async fn when_somebody_connects_is_not_kept() -> Result {
    let relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let before = contents(&database(&relay)?)?;
    assert!(!before.is_empty());
    for _ in 0..3 {
        alice.reconnect(relay.address()).await?;
        alice.receive(0).await?;
        assert!(alice.messages_until_caught_up().await?.is_empty());
        for request in [
            Request::CountPreKeys(CountPreKeys {}),
            Request::Ping(Ping {}),
            Request::LookUpName(LookUpName {
                kind: NameKind::UserName.into(),
                name: "somebody".to_owned(),
            }),
        ] {
            alice.client.request(request).await?;
        }
    }
    alice.client.close().await?;
    assert_eq!(before, contents(&database(&relay)?)?);
    Ok(())
}
