//! Attacks on identities: row G8 (replayed proofs) and row G11 (text that means something to SQL).
//!
//! A proof is worth something on one connection to one relay, and to no other; what looks like SQL is a name
//! like any other, or none.
//!
//! Not here: G9, because this relay sends no codes (registration by phone is not built), and G10, because it
//! calls no push endpoint yet. Of G16, a relay that lies, the client has to beware: its rows are the client's.

use ed25519_dalek::SigningKey;
use hushpost_harness::{
    Client, HarnessError, Identity, LIMITERS_OFF, RELAY_NAME, RelayOptions, RelayProcess,
};
use hushpost_relay_tests::{Person, random_id};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    Authenticate, DeviceAddress, DeviceId, ErrorCode, Found, LookUpName, NameKind, SetUserName,
    Welcome, challenge,
};

type Result<T = (), E = HarnessError> = core::result::Result<T, E>;

fn relay(config: &str) -> Result<RelayProcess> {
    RelayOptions::default()
        .config(LIMITERS_OFF)
        .config(config)
        .start()
}

async fn refused(client: &mut Client, proof: Authenticate) -> Result {
    let error = client.request_refused(Request::Authenticate(proof)).await?;
    assert_eq!(error.code(), ErrorCode::AuthenticationFailed);
    Ok(())
}

#[tokio::test]
async fn a_recorded_proof_opens_no_second_connection() -> Result {
    let mut relay = relay("")?;
    let alice = Identity::new()?;
    let (mut first, welcome) = Client::connect(relay.address()).await?;
    let registration = alice.register(&welcome)?;
    first
        .request(Request::Register(registration.clone()))
        .await?;
    let (mut second, welcome) = Client::connect(relay.address()).await?;
    let proof = alice.authenticate(&welcome, 1)?;
    second.request(Request::Authenticate(proof.clone())).await?;

    for restarted in [false, true] {
        if restarted {
            relay.kill()?;
            relay.restart()?;
        }
        let (mut replayed, _) = Client::connect(relay.address()).await?;
        refused(&mut replayed, proof.clone()).await?;
        let error = replayed
            .request_refused(Request::Register(registration.clone()))
            .await?;
        assert_eq!(error.code(), ErrorCode::AuthenticationFailed);
        // Nor half of it: the recorded registration's proof as a proof.
        let old = registration.device.clone().unwrap_or_default();
        refused(&mut replayed, old).await?;
    }
    Ok(())
}

#[tokio::test]
async fn every_connection_has_another_challenge() -> Result {
    let relay = relay("")?;
    let mut nonces = std::collections::HashSet::new();
    for _ in 0..500 {
        let (_, welcome) = Client::connect(relay.address()).await?;
        assert_eq!(welcome.nonce.len(), 32);
        assert!(nonces.insert(welcome.nonce), "a challenge came twice");
    }
    Ok(())
}

#[tokio::test]
async fn a_proof_is_bound_to_relay_account_device_and_key() -> Result {
    let relay = relay("")?;
    let elsewhere = RelayOptions::default()
        .config("name = \"another.test\"")
        .start()?;
    let identity = Identity::with_devices(2)?;
    let (mut client, welcome) = Client::connect(relay.address()).await?;
    client.register(&welcome, &identity).await?;
    let stranger = Person::register(relay.address()).await?;

    let (mut client, welcome) = Client::connect(relay.address()).await?;
    assert_eq!(welcome.relay_name, RELAY_NAME);
    let good = identity.authenticate(&welcome, 1)?;
    // For a relay of another name: what one in between, with a challenge that is genuine, would pass on.
    let (_, theirs) = Client::connect(elsewhere.address()).await?;
    assert_eq!(theirs.relay_name, "another.test");
    for name in ["another.test", "", "relay.tesT", "relay.test."] {
        let passed_on = Welcome {
            relay_name: name.to_owned(),
            ..welcome.clone()
        };
        refused(&mut client, identity.authenticate(&passed_on, 1)?).await?;
    }
    // Of another connection here or there.
    let (_, other) = Client::connect(relay.address()).await?;
    for other in [&other, &theirs] {
        refused(&mut client, identity.authenticate(other, 1)?).await?;
    }
    // For another device or account.
    let second = identity.authenticate(&welcome, 2)?;
    let swapped = Authenticate {
        device: 2,
        ..good.clone()
    };
    let to_first = Authenticate {
        device: 1,
        ..second
    };
    let theirs = Authenticate {
        account: stranger.identity.account().as_bytes().to_vec().into(),
        ..good.clone()
    };
    let never_was = Authenticate {
        device: 3,
        ..good.clone()
    };
    for proof in [swapped, to_first, theirs, never_was] {
        refused(&mut client, proof).await?;
    }
    // By the account's key, which is not the device's; and every bit of the signature counts.
    let address = DeviceAddress {
        account: identity.account(),
        device: DeviceId::PRIMARY,
    };
    let nonce: [u8; 32] = welcome.nonce.as_ref().try_into().expect("32 bytes");
    for key in [&identity.account_key, &SigningKey::from_bytes(&[7; 32])] {
        let signature = challenge::sign(RELAY_NAME, &nonce, address, key);
        let proof = Authenticate {
            signature: signature.to_vec().into(),
            ..good.clone()
        };
        refused(&mut client, proof).await?;
    }
    for bit in 0..512 {
        let mut signature = good.signature.to_vec();
        signature[bit / 8] ^= 1 << (bit % 8);
        let proof = Authenticate {
            signature: signature.into(),
            ..good.clone()
        };
        refused(&mut client, proof).await?;
    }
    for length in [0, 1, 63, 65, 1000] {
        let proof = Authenticate {
            signature: vec![0; length].into(),
            ..good.clone()
        };
        refused(&mut client, proof).await?;
    }
    // After all of that the right one still opens.
    client.request(Request::Authenticate(good)).await?;
    Ok(())
}

#[tokio::test]
async fn a_proof_of_another_protocol_version_is_not_taken() -> Result {
    let relay = relay("")?;
    let alice = Identity::new()?;
    let (mut client, welcome) = Client::connect(relay.address()).await?;
    client.register(&welcome, &alice).await?;
    let (mut client, welcome) = Client::connect(relay.address()).await?;
    let good = alice.authenticate(&welcome, 1)?;
    for version in [0, 2, u32::MAX] {
        let proof = Authenticate {
            version,
            ..good.clone()
        };
        let error = client.request_refused(Request::Authenticate(proof)).await?;
        assert_eq!(error.code(), ErrorCode::UnsupportedVersion);
    }
    Ok(())
}

/// Text that ends a string, a statement or a pattern somewhere.
const SQL: [&str; 14] = [
    "'; DROP TABLE account; --",
    "' OR '1'='1",
    "\" OR \"\"=\"",
    "x' UNION SELECT account FROM account --",
    "%",
    "_",
    "*",
    "\"*",
    "NEAR(a b)",
    "{hash}",
    "?1",
    "\0",
    "\\'; VACUUM; --",
    "/* ' */ OR 1=1",
];

#[tokio::test]
async fn what_looks_like_sql_finds_and_changes_nothing() -> Result {
    let relay = relay("")?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    let name = "alice_1";
    let set = Request::SetUserName(SetUserName { name: name.into() });
    alice.client.request(set).await?;
    for text in SQL {
        let set = Request::SetUserName(SetUserName { name: text.into() });
        let error = bob.client.request_refused(set).await?;
        assert_eq!(error.code(), ErrorCode::NameInvalid, "{text}");
        for kind in [NameKind::UserName, NameKind::AppUserId] {
            for asked in [text.to_owned(), format!("{name}{text}")] {
                let request = Request::LookUpName(LookUpName {
                    kind: kind.into(),
                    name: asked,
                });
                let Body::NameLookedUp(found) = bob.client.request(request).await? else {
                    panic!("looked up");
                };
                assert_eq!(found.found(), Found::No, "{text}");
            }
        }
    }
    // All is where it was.
    let request = Request::LookUpName(LookUpName {
        kind: NameKind::UserName.into(),
        name: name.into(),
    });
    let Body::NameLookedUp(found) = bob.client.request(request).await? else {
        panic!("looked up");
    };
    assert_eq!(found.account.as_ref(), alice.identity.account().as_bytes());
    let hello = vec![alice.identity.recipient(b"'; DELETE FROM journal; --")];
    bob.send(random_id()?, hello).await?;
    alice.receive(0).await?;
    assert_eq!(alice.messages(1).await?.len(), 1);
    assert!(!relay.log()?.contains("a query failed"));
    Ok(())
}

#[tokio::test]
async fn invite_codes_and_tokens_are_compared_and_never_interpreted() -> Result {
    let relay = relay("[registration]\ninvite_codes = [\"summer-of-26\", \"it's ok\"]")?;
    let long = "a".repeat(100_000);
    let near = [
        "",
        "summer-of-2",
        "summer-of-266",
        "SUMMER-OF-26",
        "summer-of-26 ",
        "summer-of-26\0",
        "%",
        long.as_str(),
    ];
    let (mut client, welcome) = Client::connect(relay.address()).await?;
    let identity = Identity::new()?;
    let mut register = identity.register(&welcome)?;
    let mut answers = Vec::new();
    for code in near.into_iter().chain(SQL) {
        code.clone_into(&mut register.invite_code);
        code.clone_into(&mut register.token);
        let error = client
            .request_refused(Request::Register(register.clone()))
            .await?;
        assert_eq!(error.code(), ErrorCode::InviteRequired, "{code}");
        answers.push(format!("{error:?}"));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "answered alike");
    register.invite_code = "it's ok".to_owned();
    client.request(Request::Register(register)).await?;
    Ok(())
}
