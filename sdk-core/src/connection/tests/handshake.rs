//! From a URL to a link that speaks for somebody.

use std::future::pending;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    AccountId, Authenticate, Authenticated, CloseReason, Closing, DeviceAddress, DeviceId,
    SignedDeviceList, Welcome, challenge,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use super::scripted_relay::{RELAY, ScriptedRelay, connected, stream, url, welcome, welcomed};
use crate::connection::{
    Connecting, OpenError, Registration, RelayUrl, RequestError, Transport, anonymous,
    authenticate, open, register,
};

fn device() -> DeviceAddress {
    DeviceAddress {
        account: AccountId::of_key(&[1; 32]),
        device: DeviceId::new(3).unwrap(),
    }
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[5; 32])
}

fn proves(proof: &Authenticate, relay_name: &str) -> bool {
    assert_eq!(proof.version, 1);
    assert_eq!(proof.account.as_ref(), device().account.as_bytes());
    assert_eq!(proof.device, 3);
    let public = key().verifying_key().to_bytes();
    challenge::verify(relay_name, &[7; 32], device(), &public, &proof.signature)
}

async fn refusal(welcome: Welcome) -> OpenError {
    let (opened, _relay) = welcomed(welcome, 64 * 1024).await;
    opened.err().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_welcome_is_checked() {
    let (opened, _relay) = welcomed(welcome(), 64 * 1024).await;
    assert_eq!(opened.unwrap().2, welcome());

    let other = Welcome {
        relay_name: "other\n.example".to_owned(),
        ..welcome()
    };
    match refusal(other).await {
        OpenError::RelayName { expected, said } => {
            assert_eq!((expected.as_str(), said.as_str()), (RELAY, "other.example"));
        }
        error => panic!("{error}"),
    }
    for (oldest_version, newest_version) in [(2, 3), (0, 0), (3, 1)] {
        let error = refusal(Welcome {
            oldest_version,
            newest_version,
            ..welcome()
        })
        .await;
        assert!(matches!(
            error,
            OpenError::Version { oldest, newest } if (oldest, newest) == (oldest_version, newest_version)
        ));
    }
    for len in [0, 31, 33] {
        let nonce = vec![7; len].into();
        let error = refusal(Welcome { nonce, ..welcome() }).await;
        assert!(matches!(error, OpenError::NotARelay(_)));
    }
    for len in [0, 15, 17] {
        let storage_epoch = vec![7; len].into();
        let error = refusal(Welcome {
            storage_epoch,
            ..welcome()
        })
        .await;
        assert!(matches!(error, OpenError::NotARelay(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_relay_may_close_instead() {
    let (transport, theirs) = stream(1024);
    let closing = Closing {
        reason: CloseReason::Draining.into(),
        reconnect_after_ms: 700,
    };
    let url = url();
    let (opened, _relay) = tokio::join!(open(&transport, &url), async {
        let mut relay = ScriptedRelay::accept(theirs).await;
        relay.push(Body::Closing(closing)).await;
        relay
    });
    let error = opened.err().unwrap();
    assert_eq!(error.reconnect_after(), Some(Duration::from_millis(700)));
    match error {
        OpenError::Closed(ending) => assert_eq!(ending.reason, Some(CloseReason::Draining)),
        error => panic!("{error}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_instead_of_a_welcome_is_refused() {
    for message in [
        Message::text("hello"),
        Message::binary(vec![0xff; 9]),
        // An answer to nothing; an empty frame.
        Message::binary(vec![8, 1, 0x1a, 0]),
        Message::binary(vec![]),
    ] {
        let (transport, theirs) = stream(1024);
        let url = url();
        let (opened, _relay) = tokio::join!(open(&transport, &url), async {
            let mut relay = ScriptedRelay::accept(theirs).await;
            relay.send(message).await;
            relay
        });
        assert!(matches!(opened.err().unwrap(), OpenError::NotARelay(_)));
    }
}

async fn answered_with(head: &str) -> OpenError {
    let (transport, mut theirs) = stream(4096);
    let url = url();
    let (opened, ()) = tokio::join!(open(&transport, &url), async {
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            asked.push(theirs.read_u8().await.unwrap());
        }
        theirs.write_all(head.as_bytes()).await.unwrap();
        theirs.shutdown().await.unwrap();
    });
    opened.err().unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_upgrade_may_be_refused() {
    let busy = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n";
    let error = answered_with(busy).await;
    assert!(matches!(error, OpenError::Refused { status: 503, .. }));
    assert_eq!(error.reconnect_after(), Some(Duration::from_secs(5)));

    let missing = "HTTP/1.1 404 Not Found\r\nRetry-After: soon\r\n\r\n";
    let error = answered_with(missing).await;
    assert!(matches!(error, OpenError::Refused { status: 404, .. }));
    assert_eq!(error.reconnect_after(), None);

    for nonsense in [
        "SSH-2.0-relay\r\n",
        // A WebSocket of somebody else: neither the key's answer nor the subprotocol.
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "",
    ] {
        let error = answered_with(nonsense).await;
        assert!(
            matches!(error, OpenError::NotARelay(_) | OpenError::Transport(_)),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn no_attempt_lasts_for_ever() {
    struct Nowhere;
    impl Transport for Nowhere {
        fn connect<'a>(&'a self, _: &'a RelayUrl) -> Connecting<'a> {
            Box::pin(pending())
        }
    }
    let start = Instant::now();
    let error = open(&Nowhere, &url()).await.err().unwrap();
    assert!(matches!(error, OpenError::Timeout));
    assert_eq!(start.elapsed().as_secs(), 15);

    let (transport, theirs) = stream(1024);
    let error = open(&transport, &url()).await.err().unwrap();
    assert!(matches!(error, OpenError::Timeout));
    drop(theirs);

    // The stream is used up: as if nobody listened.
    let error = open(&transport, &url()).await.err().unwrap();
    assert!(matches!(error, OpenError::Transport(_)));
}

#[tokio::test(start_paused = true)]
async fn a_device_signs_the_name_that_it_knows() {
    let url = url().with_relay_name("the name we know").unwrap();
    let (link, _pushes, mut relay) = connected().await;
    let (welcome, key) = (welcome(), key());
    let (authenticated, ()) =
        tokio::join!(authenticate(&link, &welcome, &url, device(), &key), async {
            let (id, request) = relay.next().await;
            match request {
                Request::Authenticate(proof) => {
                    assert!(proves(&proof, "the name we know"));
                    assert!(!proves(&proof, RELAY));
                }
                _ => panic!("no proof"),
            }
            let answer = Authenticated {
                last_sequence: 8,
                ..Authenticated::default()
            };
            relay.say(id, Body::Authenticated(answer)).await;
        });
    assert_eq!(authenticated.unwrap().last_sequence, 8);
}

#[tokio::test(start_paused = true)]
async fn an_account_is_registered_with_all_that_it_shows() {
    let (link, _pushes, mut relay) = connected().await;
    let registration = Registration {
        device_list: SignedDeviceList {
            device_list: vec![1, 2].into(),
            signature: vec![3; 64].into(),
        },
        invite_code: "invited".to_owned(),
        token: "signed".to_owned(),
    };
    let (welcome, url, key) = (welcome(), url(), key());
    let (registered, ()) = tokio::join!(
        register(&link, &welcome, &url, device(), &key, registration),
        async {
            let (id, request) = relay.next().await;
            match request {
                Request::Register(asked) => {
                    assert!(proves(&asked.device.unwrap(), RELAY));
                    assert_eq!(asked.device_list.unwrap().device_list.as_ref(), [1, 2]);
                    assert_eq!(asked.invite_code, "invited");
                    assert_eq!(asked.token, "signed");
                }
                _ => panic!("no registration"),
            }
            let answer = Authenticated::default();
            relay.say(id, Body::Authenticated(answer)).await;
        }
    );
    assert!(registered.is_ok());
}

#[tokio::test(start_paused = true)]
async fn another_answer_than_asked_for_is_unexpected() {
    let (link, _pushes, mut relay) = connected().await;
    let answers = tokio::spawn(async move {
        let (id, request) = relay.next().await;
        assert!(matches!(request, Request::Anonymous(_)));
        relay.done(id).await;
        let (id, _) = relay.next().await;
        relay
            .say(id, Body::Authenticated(Authenticated::default()))
            .await;
        let (id, _) = relay.next().await;
        relay.done(id).await;
    });
    assert!(anonymous(&link).await.is_ok());
    assert_eq!(anonymous(&link).await, Err(RequestError::Unexpected));
    let authenticated = authenticate(&link, &welcome(), &url(), device(), &key()).await;
    assert_eq!(authenticated.err(), Some(RequestError::Unexpected));
    answers.await.unwrap();

    // No nonce, nothing to sign.
    let bare = Welcome::default();
    let authenticated = authenticate(&link, &bare, &url(), device(), &key()).await;
    assert_eq!(authenticated.err(), Some(RequestError::Unexpected));
}
