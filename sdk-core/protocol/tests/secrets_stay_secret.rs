//! Secrets stay secret: no `Debug` output shows them (attack table, F6), no broken generator becomes
//! a key (A12), and the features that wipe them are on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

mod support;

use core::fmt::Debug;
use core::num::NonZeroUsize;
use std::process::Command;

use hushpost_protocol::sealed_sender::{
    self, ContentHint, Recipient, RecipientDevice, SenderCertificate, SenderCertificateFields,
    ServerCertificate, UnidentifiedSenderMessageContent,
};
use hushpost_protocol::{
    DeviceId, DistributionId, Error, IdentityKeyPair, InboundSenderKey, KemKeyPair, KemKind,
    KemPreKey, KemPreKeyId, KeyPair, MessageType, OneTimePreKey, OneTimePreKeyId,
    OutboundSenderKey, PreKeySignalMessage, PrivateKey, ProtocolAddress, RegistrationId,
    ReplayGuard, ServiceId, Session, SignalMessage, SignedPreKey, SignedPreKeyId, SigningKeyPair,
    Timestamp,
};
use support::{
    Broken, Device, Fault, PreKeys, Scripted, bytes, field, fixture, identity, list, number, seeded,
};
use uuid::Uuid;

const NOW: Timestamp = Timestamp(0);

// ---------------------------------------------------------------------------------- Debug output

/// Whether `shown` has any four bytes of `secret` in a row, as hex or as a list of decimals.
fn shows(shown: &str, secret: &[u8]) -> bool {
    let shown: String = shown.to_lowercase().split_whitespace().collect();
    secret.windows(4).any(|window| {
        let decimals: Vec<_> = window.iter().map(ToString::to_string).collect();
        let bytes: Vec<_> = window.iter().map(|byte| format!("{byte:02x}")).collect();
        shown.contains(&hex::encode(window))
            || shown.contains(&decimals.join(","))
            || shown.contains(&bytes.join(","))
    })
}

/// Checks both forms of `Debug` output.
fn hides(value: &impl Debug, secrets: &[&[u8]]) {
    for shown in [format!("{value:?}"), format!("{value:#?}")] {
        for secret in secrets {
            assert!(secret.len() >= 4, "long enough to be recognised");
            assert!(!shows(&shown, secret), "{shown}");
        }
    }
}

#[test]
fn the_search_for_secrets_finds_them() {
    let secret: Vec<u8> = (100..132).collect();
    assert!(shows(&format!("{secret:?}"), &secret));
    assert!(shows(&format!("{secret:#?}"), &secret));
    assert!(shows(&format!("{secret:02x?}"), &secret));
    assert!(shows(&hex::encode_upper(&secret), &secret));
    assert!(shows(
        &format!("Key({})", hex::encode(&secret[20..])),
        &secret
    ));
    assert!(!shows("Key(..)", &secret));
}

#[test]
fn debug_output_of_key_types_hides_the_private_part() {
    let mut rng = seeded(1);
    let device = Device::generate(&mut rng);
    let PreKeys {
        signed,
        one_time,
        kem,
    } = &device.pre_keys;
    let (one_time, kem) = (one_time.as_ref().unwrap(), kem.as_ref().unwrap());

    let private = PrivateKey::generate(&mut rng).unwrap();
    hides(&private, &[private.as_bytes()]);
    let pair = KeyPair::generate(&mut rng).unwrap();
    hides(&pair, &[pair.private_key().as_bytes()]);
    let signing = SigningKeyPair::generate(&mut rng).unwrap();
    hides(&signing, &[signing.private_key().as_bytes()]);

    let secret = device.identity.private_key().as_bytes().as_slice();
    hides(&device.identity, &[secret]);
    hides(&device.local(), &[secret]);
    hides(signed, &[signed.keys.private_key().as_bytes()]);
    hides(one_time, &[one_time.keys.private_key().as_bytes()]);
    let kem_secret = kem.keys.secret.to_bytes();
    let public = kem.keys.public.to_bytes();
    // The public key is a part of the stored secret one; what is secret lies around it.
    let (vector, rejection) = (&kem_secret[1..1537], &kem_secret[KEM_SECRET_LEN - 32..]);
    assert_eq!(kem_secret[1537..1537 + 1568], public[1..]);
    hides(kem, &[vector, rejection]);
    hides(&kem.keys, &[vector, rejection]);
    hides(&kem.keys.secret, &[vector, rejection]);

    let mut guard = ReplayGuard::new();
    let everything = [
        signed.keys.private_key().as_bytes().as_slice(),
        one_time.keys.private_key().as_bytes(),
        vector,
        rejection,
    ];
    hides(&device.secrets(&mut guard), &everything);
}

const KEM_SECRET_LEN: usize = hushpost_protocol::KEM_SECRET_KEY_LEN;

#[test]
fn debug_output_of_a_session_hides_its_keys_and_that_of_a_message_its_plaintext() {
    let recording = fixture("session-v4-pqxdh.json");
    let bob = &recording["bob"];
    let device = Device {
        identity: identity(bob),
        registration_id: RegistrationId(number(bob, "registration_id")),
        pre_keys: PreKeys::of(bob),
    };
    let step = &list(&recording, "steps")[0];
    let message = PreKeySignalMessage::from_bytes(&bytes(step, "message")).unwrap();
    let after = &step["receiver_after"];
    let ratchet = bytes(after, "sender_ratchet_private");
    let mut rng = Scripted([ratchet.clone()].into());
    let (mut session, mut guard) = (
        Session::new(hushpost_protocol::PqPolicy::Off),
        ReplayGuard::new(),
    );
    let secrets = device.secrets(&mut guard);
    let received = session
        .decrypt_pre_key(device.local(), &message, secrets, &mut rng)
        .unwrap();
    let plaintext = bytes(step, "plaintext");
    assert_eq!(received.plaintext, plaintext);
    hides(&received, &[&plaintext]);

    let root = bytes(after, "root_key");
    let sending = bytes(after, "sender_chain_key");
    let receiving = bytes(&list(after, "receiver_chains")[0], "chain_key");
    let stored = session.encode();
    let secrets = [ratchet, root, sending, receiving];
    for secret in &secrets {
        assert!(
            stored.windows(32).any(|window| window == secret),
            "it is in there"
        );
    }
    hides(&session, &secrets.each_ref().map(Vec::as_slice));
}

#[test]
fn debug_output_of_sender_keys_hides_the_chain_and_the_signing_key() {
    let mut rng = seeded(2);
    let id = DistributionId(Uuid::from_u128(9));
    let outbound = OutboundSenderKey::generate(id, &mut rng).unwrap();
    let introduction = outbound.distribution_message();
    let sent = introduction.to_bytes();
    let chain = field(&sent[1..], 4).unwrap();
    let stored = outbound.encode();
    // Last come the signing pair's three parts: private, public, Edwards.
    let signing = &stored[stored.len() - 96..stored.len() - 64];
    let pair = KeyPair::from_private(PrivateKey::from_bytes(signing.try_into().unwrap()));
    let public = field(&sent[1..], 5).unwrap();
    assert_eq!(pair.public_key().to_bytes(), public);
    hides(&outbound, &[chain, signing]);
    hides(&introduction, &[chain]);

    let mut inbound = InboundSenderKey::new(id);
    inbound.process(&introduction).unwrap();
    let stored = inbound.encode();
    assert!(
        stored.windows(32).any(|window| window == chain),
        "it is in there"
    );
    hides(&inbound, &[chain]);
}

#[test]
fn debug_output_of_sealed_content_hides_what_was_sealed() {
    let mut rng = seeded(3);
    let device = Device::generate(&mut rng);
    let inner: Vec<u8> = (50..90).collect();
    let content = content(&device.identity, &inner);
    assert_eq!(content.contents(), inner);
    hides(&content, &[&inner, b"the group"]);
}

// -------------------------------------------------------------------------------- Broken generators

/// Runs `operation` with generators that go wrong after 0, 1, 2… sound draws, until it needs no more
/// of them: each time it must say so. `operation` gets a fresh state each time and checks it.
/// Answers how many draws the operation makes.
fn every_draw_counts<T>(mut operation: impl FnMut(&mut Broken) -> Result<T, Error>) -> usize {
    let faults = [
        Fault::Failing,
        Fault::Constant(0),
        Fault::Constant(0x42),
        Fault::Constant(0xff),
    ];
    let draws = faults.map(|fault| {
        (0..10)
            .find(|&sound| match operation(&mut Broken::after(sound, fault)) {
                Ok(_) => true,
                Err(error) => {
                    assert_eq!(error, Error::Randomness, "{fault:?} after {sound}");
                    false
                }
            })
            .expect("ten draws are enough for anything")
    });
    assert!(draws.iter().all(|&count| count == draws[0]), "{draws:?}");
    assert!(
        draws[0] > 0,
        "an operation that draws nothing is none for this test"
    );
    draws[0]
}

fn certificate(identity: &IdentityKeyPair) -> SenderCertificate {
    let mut rng = seeded(4);
    let root = SigningKeyPair::generate(&mut rng).unwrap();
    let server_key = SigningKeyPair::generate(&mut rng).unwrap();
    let server = ServerCertificate::issue(1, server_key.public_key(), &root, &mut rng).unwrap();
    SenderCertificate::issue(fields(identity), &server, &server_key, &mut rng).unwrap()
}

fn fields(identity: &IdentityKeyPair) -> SenderCertificateFields {
    SenderCertificateFields {
        sender: ProtocolAddress::new(ServiceId::account(Uuid::from_u128(1)), DeviceId::PRIMARY),
        phone_number: None,
        identity_key: *identity.public_key(),
        expires: Timestamp(1),
    }
}

fn content(sender: &IdentityKeyPair, inner: &[u8]) -> UnidentifiedSenderMessageContent {
    UnidentifiedSenderMessageContent::new(
        MessageType::Signal,
        certificate(sender),
        inner.to_vec(),
        ContentHint::Default,
        Some(b"the group".to_vec()),
    )
}

#[test]
fn no_key_is_made_by_a_broken_generator() {
    let identity = IdentityKeyPair::generate(&mut seeded(5)).unwrap();
    assert_eq!(every_draw_counts(PrivateKey::generate), 1);
    assert_eq!(every_draw_counts(KeyPair::generate), 1);
    assert_eq!(every_draw_counts(SigningKeyPair::generate), 1);
    assert_eq!(every_draw_counts(IdentityKeyPair::generate), 1);
    let one_time = |rng: &mut Broken| OneTimePreKey::generate(OneTimePreKeyId(1), rng);
    assert_eq!(every_draw_counts(one_time), 1);
    let signed = |rng: &mut Broken| SignedPreKey::generate(SignedPreKeyId(1), &identity, NOW, rng);
    assert_eq!(every_draw_counts(signed), 2);
    for kind in [KemKind::Kyber1024, KemKind::MlKem1024] {
        assert_eq!(every_draw_counts(|rng| KemKeyPair::generate(kind, rng)), 1);
        let pre_key = |rng: &mut Broken| {
            KemPreKey::generate(KemPreKeyId(1), kind, false, &identity, NOW, rng)
        };
        assert_eq!(every_draw_counts(pre_key), 2);
    }
}

#[test]
fn nothing_is_signed_or_sealed_with_a_broken_generator() {
    let mut sound = seeded(6);
    let signer = SigningKeyPair::generate(&mut sound).unwrap();
    let identity = IdentityKeyPair::generate(&mut sound).unwrap();
    let recipient = IdentityKeyPair::generate(&mut sound).unwrap();
    let to = recipient.public_key();
    assert_eq!(every_draw_counts(|rng| signer.sign(&[b"message"], rng)), 1);
    assert_eq!(
        every_draw_counts(|rng| identity.sign(&[b"message"], rng)),
        1
    );
    assert_eq!(
        every_draw_counts(|rng| identity.sign_alternate_identity(to, rng)),
        1
    );

    let server = |rng: &mut Broken| ServerCertificate::issue(1, signer.public_key(), &signer, rng);
    assert_eq!(every_draw_counts(server), 1);
    let server = server(&mut Broken::after(1, Fault::Failing)).unwrap();
    let certificate =
        |rng: &mut Broken| SenderCertificate::issue(fields(&identity), &server, &signer, rng);
    assert_eq!(every_draw_counts(certificate), 1);

    let content = content(&identity, b"inner");
    let seal = |rng: &mut Broken| sealed_sender::seal(&content, &identity, to, rng);
    assert_eq!(every_draw_counts(seal), 1);
    let recipients = [Recipient {
        service_id: ServiceId::account(Uuid::from_u128(2)),
        identity_key: *to,
        devices: vec![RecipientDevice {
            device_id: DeviceId::PRIMARY,
            registration_id: RegistrationId(1),
        }],
    }];
    let one = NonZeroUsize::MIN;
    let seal = |rng: &mut Broken| {
        sealed_sender::seal_multi_recipient(&content, &identity, &recipients, &[], one, rng)
    };
    assert_eq!(every_draw_counts(seal), 1);
}

#[test]
fn a_sender_key_stays_as_it_was_when_the_generator_breaks() {
    let id = DistributionId(Uuid::from_u128(9));
    assert_eq!(
        every_draw_counts(|rng| OutboundSenderKey::generate(id, rng)),
        3
    );

    let mut key = OutboundSenderKey::generate(id, &mut seeded(7)).unwrap();
    key.encrypt(b"moves on", &mut seeded(8)).unwrap();
    let stored = key.encode();
    let encrypt = |rng: &mut Broken| {
        let mut key = OutboundSenderKey::decode(&stored).unwrap();
        let result = key.encrypt(b"message", rng);
        assert_eq!(
            result.is_err(),
            key.encode() == stored,
            "unchanged if and only if refused"
        );
        result
    };
    assert_eq!(every_draw_counts(encrypt), 1);
    let rotate = |rng: &mut Broken| {
        let mut key = OutboundSenderKey::decode(&stored).unwrap();
        let result = key.rotate(rng);
        assert_eq!(
            result.is_err(),
            key.encode() == stored,
            "unchanged if and only if refused"
        );
        result
    };
    assert_eq!(every_draw_counts(rotate), 3);
}

/// Alice with a fresh session and its first message, Bob with what answers it.
struct Setting {
    alice: Device,
    bob: Device,
    session: Session,
    first: PreKeySignalMessage,
}

impl Setting {
    fn new() -> Self {
        let mut rng = seeded(9);
        let alice = Device::generate(&mut rng);
        let bob = Device::generate(&mut rng);
        let mut session = Session::new(hushpost_protocol::PqPolicy::Off);
        session
            .initiate(alice.local(), &bob.bundle(), NOW, &mut rng)
            .unwrap();
        let first = session.encrypt(b"first", NOW).unwrap();
        let first = PreKeySignalMessage::from_bytes(first.as_bytes()).unwrap();
        Self {
            alice,
            bob,
            session,
            first,
        }
    }

    /// Bob's session after the first message.
    fn answering(&self, rng: &mut impl rand_core::TryCryptoRng) -> Session {
        let (mut session, mut guard) = (
            Session::new(hushpost_protocol::PqPolicy::Off),
            ReplayGuard::new(),
        );
        let secrets = self.bob.secrets(&mut guard);
        let local = self.bob.local();
        let received = session
            .decrypt_pre_key(local, &self.first, secrets, rng)
            .unwrap();
        assert_eq!(received.plaintext, b"first");
        session
    }
}

fn encrypt(session: &mut Session, plaintext: &[u8]) -> SignalMessage {
    let message = session.encrypt(plaintext, NOW).unwrap();
    SignalMessage::from_bytes(message.as_bytes()).unwrap()
}

#[test]
fn a_session_stays_as_it_was_when_the_generator_breaks() {
    let Setting {
        alice,
        bob,
        session,
        first,
    } = &Setting::new();
    // Starting, from nothing and over an older start.
    for stored in [
        Session::new(hushpost_protocol::PqPolicy::Off).encode(),
        session.encode(),
    ] {
        let initiate = |rng: &mut Broken| {
            let mut session = Session::decode(&stored).unwrap();
            let result = session.initiate(alice.local(), &bob.bundle(), NOW, rng);
            assert_eq!(result.is_err(), session.encode() == stored);
            result
        };
        // Base key, KEM seed, ratchet key.
        assert_eq!(every_draw_counts(initiate), 3);
    }

    // The responder's first step. Without a one-time key, so that the guard is asked.
    let mut no_one_time = Session::new(hushpost_protocol::PqPolicy::Off);
    let mut bundle = bob.bundle();
    bundle.one_time_pre_key = None;
    no_one_time
        .initiate(alice.local(), &bundle, NOW, &mut seeded(10))
        .unwrap();
    let guarded = no_one_time.encrypt(b"first", NOW).unwrap();
    let guarded = PreKeySignalMessage::from_bytes(guarded.as_bytes()).unwrap();
    for message in [first, &guarded] {
        let respond = |rng: &mut Broken| {
            let (mut session, mut guard) = (
                Session::new(hushpost_protocol::PqPolicy::Off),
                ReplayGuard::new(),
            );
            let secrets = bob.secrets(&mut guard);
            let result = session.decrypt_pre_key(bob.local(), message, secrets, rng);
            if result.is_err() {
                assert_eq!(
                    session.encode(),
                    Session::new(hushpost_protocol::PqPolicy::Off).encode()
                );
                assert!(guard.is_empty());
            }
            result
        };
        assert_eq!(every_draw_counts(respond), 1);
    }
}

#[test]
fn a_message_read_with_a_broken_generator_can_be_read_again_with_a_sound_one() {
    let setting = Setting::new();
    let answer = encrypt(&mut setting.answering(&mut seeded(11)), b"answer");
    let stored = setting.session.encode();
    let read = |rng: &mut Broken| {
        let mut session = Session::decode(&stored).unwrap();
        let result = session.decrypt(&answer, rng);
        assert_eq!(result.is_err(), session.encode() == stored);
        if result.is_err() {
            let received = session.decrypt(&answer, &mut seeded(12)).unwrap();
            assert_eq!(received.plaintext, b"answer");
        }
        result
    };
    assert_eq!(every_draw_counts(read), 1);
}

#[test]
fn a_broken_generator_is_named_when_an_archived_state_would_have_opened_the_message() {
    let setting = Setting::new();
    let answer = encrypt(&mut setting.answering(&mut seeded(11)), b"answer");
    // A later start is current; the answer is to the archived one.
    let mut session = Session::decode(&setting.session.encode()).unwrap();
    let bundle = setting.bob.bundle();
    session
        .initiate(setting.alice.local(), &bundle, NOW, &mut seeded(13))
        .unwrap();
    assert_eq!(session.archived_len(), 1);
    let stored = session.encode();
    let read = |rng: &mut Broken| {
        let mut session = Session::decode(&stored).unwrap();
        let result = session.decrypt(&answer, rng);
        assert_eq!(result.is_err(), session.encode() == stored);
        result
    };
    assert_eq!(every_draw_counts(read), 1);
}

/// Where one call or one state sees two draws that must differ, a repeat is noticed. (A generator that
/// repeats across calls that share no state cannot be noticed here.)
#[test]
fn a_generator_that_repeats_itself_is_noticed_where_two_draws_must_differ() {
    let refused = Some(Error::Randomness);
    let repeating = || Broken::new(Fault::Repeating);
    let id = DistributionId(Uuid::from_u128(9));
    assert_eq!(
        OutboundSenderKey::generate(id, &mut repeating()).err(),
        refused
    );

    let mut key = OutboundSenderKey::generate(id, &mut seeded(14)).unwrap();
    let stored = key.encode();
    assert_eq!(key.rotate(&mut repeating()).err(), refused);
    // A whole new chain that is the old one again.
    assert_eq!(key.rotate(&mut seeded(14)).err(), refused);
    assert_eq!(key.encode(), stored);

    let identity = IdentityKeyPair::generate(&mut repeating()).unwrap();
    let signed = SignedPreKey::generate(SignedPreKeyId(1), &identity, NOW, &mut repeating());
    assert_eq!(
        signed.err(),
        refused,
        "the identity key must not be the signed pre-key"
    );

    let setting = Setting::new();
    let mut session = Session::new(hushpost_protocol::PqPolicy::Off);
    let bundle = setting.bob.bundle();
    let local = setting.alice.local();
    let initiated = session.initiate(local, &bundle, NOW, &mut repeating());
    assert_eq!(initiated.err(), refused);
    assert_eq!(
        session.encode(),
        Session::new(hushpost_protocol::PqPolicy::Off).encode()
    );

    // The second turn with the same generator would show the first turn's ratchet key again.
    let mut alice = setting.session;
    let mut bob = Setting::new().answering(&mut repeating());
    let answer = encrypt(&mut bob, b"answer");
    let received = alice.decrypt(&answer, &mut seeded(15)).unwrap();
    assert_eq!(received.plaintext, b"answer");
    let next = encrypt(&mut alice, b"next");
    let stored = bob.encode();
    assert_eq!(bob.decrypt(&next, &mut repeating()).err(), refused);
    assert_eq!(bob.encode(), stored);
    assert_eq!(
        bob.decrypt(&next, &mut seeded(16)).unwrap().plaintext,
        b"next"
    );
}

// --------------------------------------------------------------------------------- Wiping features

/// An upgrade must not turn the wiping of keys off again (CVE-2024-34063 was that). What `cargo tree`
/// says of the crate as its users get it, without what only tests need.
#[test]
fn the_features_that_wipe_keys_are_on() {
    const WIPING: [&str; 8] = [
        "aes",
        "aes-gcm-siv",
        "cbc",
        "cipher",
        "ctr",
        "curve25519-dalek",
        "hmac",
        "sha2",
    ];
    let cargo = std::env::var_os("CARGO").expect("cargo runs this test");
    let output = Command::new(cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["tree", "--offline", "--package", "hushpost-protocol"])
        .args([
            "--edges",
            "normal,features",
            "--prefix",
            "none",
            "--format",
            "{p}|{f}",
        ])
        .output()
        .expect("cargo starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let tree = String::from_utf8(output.stdout).unwrap();
    for name in WIPING {
        let mut seen = 0;
        for line in tree.lines() {
            let Some((package, features)) = line.split_once('|') else {
                continue;
            };
            // "aes v0.9.4" and "default,zeroize (*)"
            if package.split(' ').next() != Some(name) || !package.contains(" v") {
                continue;
            }
            let features = features.split(' ').next().unwrap();
            assert!(
                features.split(',').any(|feature| feature == "zeroize"),
                "{line}"
            );
            seen += 1;
        }
        assert!(seen > 0, "{name} is not in the tree:\n{tree}");
    }
}
