//! Stored states of every released encoding version stay readable.
//!
//! Each version has a fixture, written once by [`write_the_fixture_of_the_current_version`] and never
//! changed: the encodings of every kind, and messages that they must still open. A new encoding
//! version adds a file; it replaces none.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use hushpost_protocol::{
    DeviceId, DistributionId, IdentityKeyPair, InboundSenderKey, KemKind, KemPreKey, KemPreKeyId,
    LocalParty, OneTimePreKey, OneTimePreKeyId, OutboundSenderKey, PqPolicy, PreKeyBundle,
    PreKeySecrets, PreKeySignalMessage, ProtocolAddress, RegistrationId, ReplayGuard,
    SenderKeyMessage, ServiceId, Session, SignalMessage, SignedPreKey, SignedPreKeyId, Timestamp,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use uuid::Uuid;

/// Of the newest encoding; kinds that have not changed since are in it as they were.
const CURRENT_VERSION: u8 = 2;
const NOW: Timestamp = Timestamp(1_764_000_000_000);
const GROUP: DistributionId = DistributionId(Uuid::from_u128(7));

type Fixture = BTreeMap<String, String>;

fn path(version: u8) -> PathBuf {
    let file = format!("tests/fixtures/states-v{version}.json");
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn read(version: u8) -> Fixture {
    serde_json::from_slice(&fs::read(path(version)).unwrap()).unwrap()
}

fn bytes(fixture: &Fixture, name: &str) -> Vec<u8> {
    hex::decode(&fixture[name]).unwrap()
}

fn local(identity: &IdentityKeyPair) -> LocalParty<'_> {
    LocalParty {
        identity,
        registration_id: RegistrationId(300),
    }
}

/// What the fixture's sessions were made with: version 1 had no post-quantum ratchet.
fn policy(version: u8) -> PqPolicy {
    if version == 1 {
        PqPolicy::Off
    } else {
        PqPolicy::Required
    }
}

fn address(number: u128) -> ProtocolAddress {
    let service_id = ServiceId::account(Uuid::from_u128(number));
    ProtocolAddress::new(service_id, DeviceId::PRIMARY)
}

fn versions() -> impl Iterator<Item = (u8, Fixture)> {
    (1..=CURRENT_VERSION).map(|version| (version, read(version)))
}

#[test]
fn what_was_stored_is_stored_again_unchanged() {
    for (version, fixture) in versions() {
        let stored = |name| bytes(&fixture, name);
        let again = [
            (
                "identity",
                IdentityKeyPair::decode(&stored("identity"))
                    .unwrap()
                    .encode(),
            ),
            (
                "one_time",
                OneTimePreKey::decode(&stored("one_time")).unwrap().encode(),
            ),
            (
                "signed",
                SignedPreKey::decode(&stored("signed")).unwrap().encode(),
            ),
            ("kem", KemPreKey::decode(&stored("kem")).unwrap().encode()),
            (
                "replay_guard",
                ReplayGuard::decode(&stored("replay_guard"))
                    .unwrap()
                    .encode(),
            ),
            (
                "session",
                Session::decode(&stored("session")).unwrap().encode(),
            ),
            (
                "pending_session",
                Session::decode(&stored("pending_session"))
                    .unwrap()
                    .encode(),
            ),
            (
                "outbound",
                OutboundSenderKey::decode(&stored("outbound"))
                    .unwrap()
                    .encode(),
            ),
            (
                "inbound",
                InboundSenderKey::decode(&stored("inbound"))
                    .unwrap()
                    .encode(),
            ),
        ];
        // An older version may be written anew in the current one.
        if version == CURRENT_VERSION {
            for (name, encoded) in again {
                assert_eq!(hex::encode(&*encoded), fixture[name], "{name}");
            }
        }
    }
}

#[test]
fn a_stored_session_opens_skipped_and_coming_messages() {
    for (_, fixture) in versions() {
        let rng = &mut ChaCha20Rng::from_seed([9; 32]);
        let mut session = Session::decode(&bytes(&fixture, "session")).unwrap();
        for name in ["skipped_message", "next_message"] {
            let message = SignalMessage::from_bytes(&bytes(&fixture, name)).unwrap();
            let received = session.decrypt(&message, rng).unwrap();
            assert_eq!(received.plaintext, name.as_bytes());
        }
    }
}

#[test]
fn stored_pre_keys_open_the_stored_sessions_next_message() {
    for (version, fixture) in versions() {
        let rng = &mut ChaCha20Rng::from_seed([9; 32]);
        let mut alice = Session::decode(&bytes(&fixture, "pending_session")).unwrap();
        let first = alice.encrypt(b"still pending", NOW).unwrap();
        let bob = IdentityKeyPair::decode(&bytes(&fixture, "identity")).unwrap();
        let message = PreKeySignalMessage::from_bytes(first.as_bytes()).unwrap();
        let received = Session::new(policy(version))
            .decrypt_pre_key(
                local(&bob),
                &message,
                PreKeySecrets {
                    signed_pre_key: Some(
                        &SignedPreKey::decode(&bytes(&fixture, "signed")).unwrap(),
                    ),
                    one_time_pre_key: Some(
                        &OneTimePreKey::decode(&bytes(&fixture, "one_time")).unwrap(),
                    ),
                    kem_pre_key: Some(&KemPreKey::decode(&bytes(&fixture, "kem")).unwrap()),
                    replay_guard: &mut ReplayGuard::decode(&bytes(&fixture, "replay_guard"))
                        .unwrap(),
                },
                rng,
            )
            .unwrap();
        assert_eq!(received.plaintext, b"still pending");
    }
}

#[test]
fn stored_sender_keys_go_on() {
    for (_, fixture) in versions() {
        let rng = &mut ChaCha20Rng::from_seed([9; 32]);
        let mut sender = OutboundSenderKey::decode(&bytes(&fixture, "outbound")).unwrap();
        let mut member = InboundSenderKey::decode(&bytes(&fixture, "inbound")).unwrap();
        let skipped = SenderKeyMessage::from_bytes(&bytes(&fixture, "skipped_post")).unwrap();
        assert_eq!(member.decrypt(&skipped).unwrap(), b"skipped_post");
        let next = sender.encrypt(b"next post", rng).unwrap();
        assert_eq!(member.decrypt(&next).unwrap(), b"next post");
    }
}

/// Run by hand when [`CURRENT_VERSION`] rises: `cargo test -p hushpost-protocol --test stored_states
/// -- --ignored`. Refuses to touch a fixture that exists.
#[test]
#[ignore = "writes a fixture; run by hand for a new encoding version"]
fn write_the_fixture_of_the_current_version() {
    let rng = &mut ChaCha20Rng::from_seed([7; 32]);
    let (alice, bob) = (
        IdentityKeyPair::generate(rng).unwrap(),
        IdentityKeyPair::generate(rng).unwrap(),
    );
    let one_time = OneTimePreKey::generate(OneTimePreKeyId(0), rng).unwrap();
    let signed = SignedPreKey::generate(SignedPreKeyId(200), &bob, NOW, rng).unwrap();
    let kem_id = KemPreKeyId(70_000);
    let kem = KemPreKey::generate(kem_id, KemKind::Kyber1024, true, &bob, NOW, rng).unwrap();
    let device = DeviceId::PRIMARY;
    let bundle = PreKeyBundle::new(local(&bob), device, &signed, Some(&one_time), Some(&kem));
    let reusable = PreKeyBundle::new(local(&bob), device, &signed, None, Some(&kem));

    // A session with an archived state, several chains and skipped messages; and one unanswered.
    let mut fixture = Fixture::new();
    let mut alice_session = Session::new(policy(CURRENT_VERSION)).between(address(1), address(2));
    let mut bob_session = Session::new(policy(CURRENT_VERSION)).between(address(2), address(1));
    let mut replay_guard = ReplayGuard::new();
    for _ in 0..2 {
        alice_session
            .initiate(local(&alice), &reusable, NOW, rng)
            .unwrap();
        let first = alice_session.encrypt(b"first", NOW).unwrap();
        let message = PreKeySignalMessage::from_bytes(first.as_bytes()).unwrap();
        let secrets = PreKeySecrets {
            signed_pre_key: Some(&signed),
            one_time_pre_key: None,
            kem_pre_key: Some(&kem),
            replay_guard: &mut replay_guard,
        };
        let _ = bob_session
            .decrypt_pre_key(local(&bob), &message, secrets, rng)
            .unwrap();
        for _ in 0..3 {
            let answer = bob_session.encrypt(b"answer", NOW).unwrap();
            let answer = SignalMessage::from_bytes(answer.as_bytes()).unwrap();
            let _ = alice_session.decrypt(&answer, rng).unwrap();
            let skipped = alice_session.encrypt(b"skipped_message", NOW).unwrap();
            fixture.insert("skipped_message".into(), hex::encode(skipped.as_bytes()));
            let kept = alice_session.encrypt(b"kept", NOW).unwrap();
            let kept = SignalMessage::from_bytes(kept.as_bytes()).unwrap();
            let _ = bob_session.decrypt(&kept, rng).unwrap();
        }
    }
    let next = alice_session.encrypt(b"next_message", NOW).unwrap();
    fixture.insert("next_message".into(), hex::encode(next.as_bytes()));
    let mut pending = Session::new(policy(CURRENT_VERSION));
    pending.initiate(local(&alice), &bundle, NOW, rng).unwrap();

    let mut sender = OutboundSenderKey::generate(GROUP, rng).unwrap();
    let mut member = InboundSenderKey::new(GROUP);
    member.process(&sender.distribution_message()).unwrap();
    sender.rotate(rng).unwrap();
    member.process(&sender.distribution_message()).unwrap();
    let skipped = sender.encrypt(b"skipped_post", rng).unwrap();
    fixture.insert("skipped_post".into(), hex::encode(skipped.as_bytes()));
    let post = sender.encrypt(b"kept", rng).unwrap();
    let _ = member.decrypt(&post).unwrap();

    for (name, encoded) in [
        ("identity", bob.encode()),
        ("one_time", one_time.encode()),
        ("signed", signed.encode()),
        ("kem", kem.encode()),
        ("replay_guard", replay_guard.encode()),
        ("session", bob_session.encode()),
        ("pending_session", pending.encode()),
        ("outbound", sender.encode()),
        ("inbound", member.encode()),
    ] {
        fixture.insert(name.into(), hex::encode(&*encoded));
    }
    let mut file = fs::File::create_new(path(CURRENT_VERSION)).unwrap();
    serde_json::to_writer_pretty(&mut file, &fixture).unwrap();
}
