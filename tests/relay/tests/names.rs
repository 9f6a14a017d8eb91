//! Names through a real relay: one account each, found exactly, and an app's own user ids by its tokens.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use hushpost_harness::{Client, HarnessError, Identity, LIMITERS_OFF, RelayOptions};
use hushpost_relay_tests::Person;
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{AccountId, ErrorCode, Found, LookUpName, NameKind, SetUserName};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

type Result<T = (), E = Box<dyn std::error::Error>> = core::result::Result<T, E>;

fn set(name: &str) -> Request {
    Request::SetUserName(SetUserName {
        name: name.to_owned(),
    })
}

async fn look_up(client: &mut Client, kind: NameKind, name: &str) -> Result<Option<AccountId>> {
    let request = Request::LookUpName(LookUpName {
        kind: kind.into(),
        name: name.to_owned(),
    });
    let Body::NameLookedUp(answer) = client.request(request).await? else {
        panic!("an answer")
    };
    match answer.found() {
        Found::Yes => Ok(Some(AccountId::from_slice(&answer.account)?)),
        Found::No => {
            assert_eq!(answer.account.as_ref(), [0; 16]);
            Ok(None)
        }
        Found::Unspecified => panic!("yes or no"),
    }
}

#[tokio::test]
async fn a_user_name_belongs_to_one_account_and_can_be_changed_and_given_up() -> Result {
    let relay = RelayOptions::default().config(LIMITERS_OFF).start()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    let (mut nobody, _) = Client::connect(relay.address()).await?;
    nobody.anonymous().await?;
    let kind = NameKind::UserName;

    alice.client.request(set("alice.1")).await?;
    alice.client.request(set("alice.1")).await?;
    assert_eq!(
        look_up(&mut nobody, kind, "alice.1").await?,
        Some(alice.identity.account())
    );
    let taken = bob.client.request_refused(set("alice.1")).await?;
    assert_eq!(taken.code(), ErrorCode::NameTaken);
    for wrong in ["Alice", "al", "1alice", "al ice", "alicé", &"a".repeat(33)] {
        let refused = bob.client.request_refused(set(wrong)).await?;
        assert_eq!(refused.code(), ErrorCode::NameInvalid, "{wrong}");
    }

    // Looked up exactly; an app's user id of the same text is another name.
    for none in ["alice", "alice.1 ", "ALICE.1", "alice%"] {
        assert_eq!(look_up(&mut nobody, kind, none).await?, None, "{none}");
    }
    assert_eq!(
        look_up(&mut nobody, NameKind::AppUserId, "alice.1").await?,
        None
    );

    alice.client.request(set("alice_2")).await?;
    assert_eq!(look_up(&mut nobody, kind, "alice.1").await?, None);
    bob.client.request(set("alice.1")).await?;
    assert_eq!(
        look_up(&mut nobody, kind, "alice.1").await?,
        Some(bob.identity.account())
    );
    alice.client.request(set("")).await?;
    assert_eq!(look_up(&mut nobody, kind, "alice_2").await?, None);

    for (kind, name) in [
        (NameKind::Unspecified, "alice".to_owned()),
        (NameKind::UserName, String::new()),
        (NameKind::UserName, "a".repeat(257)),
    ] {
        let request = Request::LookUpName(LookUpName {
            kind: kind.into(),
            name,
        });
        let refused = nobody.request_refused(request).await?;
        assert_eq!(refused.code(), ErrorCode::BadRequest);
    }
    let refused = nobody.request_refused(set("nobody")).await?;
    assert_eq!(refused.code(), ErrorCode::Unauthenticated);
    Ok(())
}

#[tokio::test]
async fn a_token_of_the_apps_backend_opens_the_door_and_brings_the_apps_user_id() -> Result {
    let folder = tempfile::tempdir()?;
    let secret = b"a secret of the backend, and of the relay.";
    let key_file = folder.path().join("key");
    fs::write(&key_file, secret)?;
    let relay = RelayOptions::default()
        .config(LIMITERS_OFF)
        .config(format!(
            "[registration]\nmode = 'token'\n[registration.token]\nalgorithm = 'HS256'\n\
             issuer = 'https://id.example'\naudience = 'hushpost'\nkey_file = '{}'",
            key_file.display()
        ))
        .start()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let token = |user: &str, secret: &[u8], bound: Option<AccountId>| {
        let mut claims = json!({
            "iss": "https://id.example", "aud": "hushpost", "sub": user, "exp": now + 600,
        });
        if let Some(account) = bound {
            claims["hushpost_account"] = account.to_string().into();
        }
        let key = EncodingKey::from_secret(secret);
        encode(&Header::new(Algorithm::HS256), &claims, &key).expect("a token")
    };
    let register = async |identity: &Identity, token: String| -> Result<Client, HarnessError> {
        let (mut client, welcome) = Client::connect(relay.address()).await?;
        let mut register = identity.register(&welcome)?;
        register.token = token;
        client
            .request(Request::Register(register))
            .await
            .map(|_| client)
    };
    let (alice, bob) = (Identity::new()?, Identity::new()?);
    for wrong in [
        String::new(),
        "x".repeat(9000),
        token(
            "user-1",
            b"a secret that somebody else made up, as long as it",
            None,
        ),
        token("user-1", secret, Some(bob.account())),
    ] {
        let refused = register(&alice, wrong).await.err().unwrap();
        assert_eq!(refused.code(), Some(ErrorCode::TokenRejected));
    }
    let mut client = register(&alice, token("user-1", secret, Some(alice.account()))).await?;
    let kind = NameKind::AppUserId;
    assert_eq!(
        look_up(&mut client, kind, "user-1").await?,
        Some(alice.account())
    );
    // A known account needs no token, and a later one does not bind it to another account.
    register(&alice, String::new()).await?;
    assert_eq!(
        look_up(&mut client, kind, "user-1").await?,
        Some(alice.account())
    );

    // The user lost the phone and the backup: the new account takes the app's user id along.
    register(&bob, token("user-1", secret, None)).await?;
    let (mut client, _) = Client::connect_as(relay.address(), &bob, 1).await?;
    assert_eq!(
        look_up(&mut client, kind, "user-1").await?,
        Some(bob.account())
    );
    Ok(())
}
