//! N4 and N5: the log at its most talkative, and the metrics, name nobody.

use hushpost_harness::{
    Client, HarnessError, Identity, LIMITERS_OFF, RawConnection, RelayOptions, RelayProcess,
};
use hushpost_relay_tests::evidence::spelled_in;
use hushpost_relay_tests::{Person, message, random_id, sent};
use hushpost_wire::client_frame::Request;
use hushpost_wire::{
    FetchPreKeyBundles, LookUpName, NameKind, Ping, SendSealed, SetUserName, Subscribe, topic,
};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::{CANARY, Result, id_of, pre_keys, publish};

/// What must not be found, and what it is.
type Secrets = Vec<(&'static str, Vec<u8>)>;

const INVITE: &str = "canary-invite";
const HERE: &str = "127.200.77.33";
const BEHIND_A_PROXY: &str = "203.0.113.77";

/// Everything that a client can do, well and badly; what was secret in it.
async fn everything(relay: &mut RelayProcess) -> Result<Secrets> {
    let mut secrets: Secrets = vec![
        ("ciphertext", CANARY.to_vec()),
        ("an invite code", INVITE.into()),
        ("an address", HERE.into()),
        ("an address behind a proxy", BEHIND_A_PROXY.into()),
        ("what somebody sent", b"canary".to_vec()),
    ];
    let mut people = Vec::new();
    for name in ["canary.alice", "canary.bob"] {
        let identity = Identity::new()?;
        let (mut client, welcome) = Client::connect_from(HERE.parse()?, relay.address()).await?;
        let mut register = identity.register(&welcome)?;
        register.invite_code = format!("{INVITE} wrong");
        let proof = register.device.clone().expect("a proof").signature.to_vec();
        let refused = client.request(Request::Register(register.clone())).await;
        assert!(refused.is_err());
        INVITE.clone_into(&mut register.invite_code);
        client.request(Request::Register(register)).await?;
        let mut person = Person { identity, client };
        person
            .client
            .request(Request::SetUserName(SetUserName {
                name: name.to_owned(),
            }))
            .await?;
        person.allow_contacts().await?;
        person
            .client
            .request(Request::UploadPreKeys(pre_keys(30)))
            .await?;
        let keys = &person.identity;
        secrets.extend([
            ("a name", name.into()),
            ("a nonce", welcome.nonce.to_vec()),
            ("a proof", proof),
            ("an account id", id_of(keys).to_vec()),
            (
                "an account key",
                keys.account_key.verifying_key().to_bytes().to_vec(),
            ),
            ("an identity key", keys.devices[0].identity_key.to_vec()),
            ("a delivery token", keys.delivery_token.to_vec()),
            ("its hash", keys.delivery_token_hash().to_vec()),
        ]);
        people.push(person);
    }
    let [mut alice, mut bob] = <[Person; 2]>::try_from(people).expect("two");
    use_all_rooms(&mut alice, &mut bob, &mut secrets).await?;
    anonymously(relay, &bob.identity, &mut secrets).await?;
    badly(relay, &alice.identity).await?;
    let id = alice.identity.account().to_string();
    for action in ["block", "unblock", "delete"] {
        let done = relay.command(&["account", action, &id])?;
        assert!(done.status.success());
    }
    drop((alice, bob));
    assert!(relay.terminate()?.success());
    Ok(secrets)
}

async fn use_all_rooms(alice: &mut Person, bob: &mut Person, secrets: &mut Secrets) -> Result {
    let id = random_id()?;
    secrets.push(("a message id", id.to_vec()));
    alice.send(id, vec![bob.identity.recipient(CANARY)]).await?;
    bob.receive(0).await?;
    bob.messages(1).await?;
    bob.acknowledge(1).await?;
    let (key, topics) = ([0x5c; 32], vec![topic::of_key(&[0x5c; 32]).to_vec().into()]);
    secrets.push(("a topic key", key.to_vec()));
    secrets.push(("a topic", topic::of_key(&key).to_vec()));
    bob.client
        .request(Request::Subscribe(Subscribe { topics }))
        .await?;
    alice
        .client
        .request(publish(key, CANARY, CANARY, 3600))
        .await?;
    for request in [
        Request::LookUpName(LookUpName {
            kind: NameKind::UserName.into(),
            name: "canary.bob".to_owned(),
        }),
        Request::FetchPreKeyBundles(FetchPreKeyBundles {
            account: id_of(&bob.identity),
            ..FetchPreKeyBundles::default()
        }),
    ] {
        alice.client.request(request).await?;
    }
    Ok(())
}

async fn anonymously(relay: &RelayProcess, bob: &Identity, secrets: &mut Secrets) -> Result {
    let (mut nobody, _) = Client::connect_from(HERE.parse()?, relay.address()).await?;
    nobody.anonymous().await?;
    let wrong = *b"\x91\x92\x93\x94\x95\x96\x97\x98wrong...";
    secrets.push(("a wrong delivery token", wrong.to_vec()));
    for token in [bob.delivery_token, wrong] {
        let mut recipient = bob.recipient(CANARY);
        recipient.delivery_token = token.to_vec().into();
        sent(
            nobody
                .request(Request::Send(message(random_id()?, vec![recipient])))
                .await?,
        )?;
    }
    let broken = Request::SendSealed(SendSealed {
        message_id: random_id()?.to_vec().into(),
        envelope: CANARY.to_vec().into(),
        delivery_tokens: vec![bob.delivery_token.to_vec().into()],
    });
    nobody.request_refused(broken).await?;
    Ok(())
}

/// Protocol errors carry what was sent, and libraries like to say what they met.
async fn badly(relay: &RelayProcess, alice: &Identity) -> Result {
    let here = Some(HERE.parse()?);
    let (mut client, welcome) = Client::connect_from(HERE.parse()?, relay.address()).await?;
    let mut stranger = alice.clone();
    stranger.devices[0].authentication_key = Identity::new()?.devices[0].authentication_key.clone();
    assert!(client.authenticate(&welcome, &stranger, 1).await.is_err());
    client.request(Request::Ping(Ping {})).await?;
    client.send_bytes([CANARY, CANARY].concat()).await?;
    client.ended().await?;
    for message in [
        Message::text("canary"),
        Message::Ping(CANARY.to_vec().into()),
        Message::Close(Some(CloseFrame {
            code: CloseCode::Normal,
            reason: "canary".into(),
        })),
    ] {
        let (mut client, _) = Client::connect_from(HERE.parse()?, relay.address()).await?;
        client.send_message(message.clone()).await?;
        if matches!(message, Message::Ping(_)) {
            client.request(Request::Ping(Ping {})).await?;
            // A frame that no client may send: reserved bits, no mask.
            client.write_raw(&[&[0xf3, 40], CANARY].concat()).await?;
        }
        client.ended().await?;
    }
    for request in [
        "GET /canary?canary=canary HTTP/1.1\r\nHost: canary\r\nCookie: canary\r\nConnection: close\r\n\r\n",
        "GET /v1/ws HTTP/1.1\r\nHost: canary\r\nOrigin: https://canary.example\r\nConnection: close\r\n\r\n",
        "canary canary canary\r\n\r\n",
    ] {
        let mut raw = RawConnection::open(here, relay.address()).await?;
        raw.write(request.as_bytes()).await?;
        raw.read_to_end().await?;
    }
    let mut proxied = RawConnection::open(here, relay.address()).await?;
    let head = proxied
        .upgrade(&format!("X-Forwarded-For: {BEHIND_A_PROXY}\r\n"))
        .await?;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    Ok(())
}

fn talkative(format: &str) -> Result<RelayProcess, HarnessError> {
    RelayOptions::default()
        .config(LIMITERS_OFF)
        .config(format!(
            "[listen]\ntrusted_proxies = ['127.0.0.0/8']\n[registration]\n\
             invite_codes = ['{INVITE}']\n[log]\nfilter = 'trace'\nformat = '{format}'"
        ))
        .start()
}

#[tokio::test]
async fn the_log_names_nobody() -> Result {
    for format in ["text", "json"] {
        let mut relay = talkative(format)?;
        let secrets = everything(&mut relay).await?;
        let log = relay.log()?;
        assert!(log.contains("ready") && log.contains("stopped"), "{log}");
        assert!(log.contains("carried out an operator's request"), "{log}");
        for (what, secret) in secrets {
            if let Some(spelling) = spelled_in(&log, &secret) {
                let line = log.lines().find(|line| line.contains(&spelling));
                panic!(
                    "{what} is in the {format} log: {}",
                    line.unwrap_or_default()
                );
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn metrics_name_nobody() -> Result {
    let relay = talkative("text")?;
    let identity = Identity::new()?;
    let (mut client, welcome) = Client::connect_from(HERE.parse()?, relay.address()).await?;
    let mut register = identity.register(&welcome)?;
    INVITE.clone_into(&mut register.invite_code);
    client.request(Request::Register(register)).await?;
    let mut alice = Person { identity, client };
    alice.allow_contacts().await?;
    let mut secrets: Secrets = vec![
        ("an account id", id_of(&alice.identity).to_vec()),
        ("an address", HERE.into()),
        ("a proxied address", BEHIND_A_PROXY.into()),
        ("what somebody sent", b"canary".to_vec()),
    ];
    anonymously(&relay, &alice.identity, &mut secrets).await?;
    badly(&relay, &alice.identity).await?;
    let page = relay.admin_page("/metrics").await?;
    assert!(page.contains("hushpost_refused_total"), "{page}");
    for (what, secret) in secrets {
        assert_eq!(spelled_in(&page, &secret), None, "{what}");
    }
    Ok(())
}
