//! Attacks with keys, signatures and messages in the wrong place, and on the version: rows A4, A5, A7
//! and B13 of the project's list of attacks. `attacks_handshake.rs` and `attacks_ratchet.rs` have the
//! others and say what no test of this crate can show.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    missing_docs
)]

mod cast;
mod forge;

use cast::{KemKey, NOW, Talk, Wire, rng};
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::scalar::Scalar;
use forge::{Fields, Value, bytes, edit, get, number, parse, set};
use hushpost_protocol::{
    DecryptionErrorMessage, DeviceId, DistributionId, Error, IdentityKeyPair, InboundSenderKey,
    KemCiphertext, KemKeyPair, KemKind, KemPublicKey, KeyPair, KeyRole, MessageType, OneTimePreKey,
    OneTimePreKeyId, OutboundSenderKey, PlaintextContent, PqPolicy, PreKeySignalMessage,
    ProtocolVersion, PublicKey, SenderKeyDistributionMessage, SenderKeyMessage, Session,
    SignalMessage, Timestamp, sealed_sender,
};
use uuid::Uuid;

fn first(change: impl FnOnce(&mut Fields), message: &Wire) -> Wire {
    (MessageType::PreKey, edit(&message.1, 0, change))
}

/// A4: an elliptic-curve key where a KEM key goes, and the reverse, bare or padded to length.
#[test]
fn keys_of_one_kind_are_not_keys_of_another() {
    let mut rng = rng(20);
    let curve = KeyPair::generate(&mut rng).unwrap();
    let curve = curve.public_key().to_bytes().to_vec();
    let kem = KemKeyPair::generate(KemKind::Kyber1024, &mut rng).unwrap();
    let kem = kem.public.to_bytes();
    let mut padded = curve.clone();
    padded.resize(kem.len(), 0);
    for bytes in [&curve, &padded] {
        let refused = KemPublicKey::from_bytes(bytes).unwrap_err();
        assert_eq!(refused, Error::InvalidKey(KeyRole::KemPreKey));
        let refused = KemCiphertext::from_bytes(bytes).unwrap_err();
        assert_eq!(refused, Error::InvalidKey(KeyRole::KemCiphertext));
    }
    for bytes in [&kem[..], &kem[..33], &kem[1..34], &curve[1..], &padded] {
        assert!(PublicKey::from_bytes(bytes).is_err());
    }
    for kind in 0..=u8::MAX {
        let mut other = kem.clone();
        other[0] = kind;
        let known = matches!(kind, 0x08 | 0x0a);
        assert_eq!(KemPublicKey::from_bytes(&other).is_ok(), known);
        let mut other = curve.clone();
        other[0] = kind;
        assert_eq!(PublicKey::from_bytes(&other).is_ok(), kind == 0x05);
    }
}

/// A4: a Kyber key cannot be passed off as an ML-KEM key of the same bytes, nor its ciphertext.
#[test]
fn kyber_and_ml_kem_are_not_interchangeable() {
    for (kem, other) in [(KemKey::Kyber, 0x0a), (KemKey::MlKem, 0x08)] {
        let mut talk = Talk::new(21);
        let mut bundle = talk.bob.bundle(true, kem);
        let theirs = bundle.kem_pre_key.as_mut().unwrap();
        let mut relabelled = theirs.key.to_bytes();
        relabelled[0] = other;
        theirs.key = KemPublicKey::from_bytes(&relabelled).unwrap();
        let expected = Error::InvalidSignature(KeyRole::KemPreKey);
        assert_eq!(bundle.verify(), Err(expected));

        talk.start(true, kem);
        let message = talk.alice_says(b"hello");
        let relabelled = first(
            |fields| {
                let mut ciphertext = get(fields, 8).to_vec();
                ciphertext[0] = other;
                set(fields, 8, Value::Bytes(ciphertext));
            },
            &message,
        );
        let expected = Error::InvalidKey(KeyRole::KemCiphertext);
        assert_eq!(talk.bob_refuses(&relabelled), expected);
        assert_eq!(talk.bob_reads(&message).unwrap(), b"hello");
    }
}

/// A4: the ciphertext of one handshake in another, and another KEM key's id on the message.
#[test]
fn a_kem_ciphertext_serves_its_own_handshake_only() {
    for kem in [KemKey::Kyber, KemKey::MlKem] {
        let mut talk = Talk::started(22, false, kem);
        let one = talk.alice_says(b"one");
        talk.start(false, kem);
        let two = talk.alice_says(b"two");
        let of_one = bytes(get(&parse(&one.1[1..]), 8));
        let mixed = first(|fields| set(fields, 8, of_one), &two);
        assert_eq!(talk.bob_refuses(&mixed), Error::InvalidMessage);
        for id in [1, 2, 3] {
            let named = first(|fields| set(fields, 7, number(id)), &two);
            if named != two {
                let error = talk.bob_refuses(&named);
                let other_kind = Error::InvalidKey(KeyRole::KemCiphertext);
                assert!(error == Error::InvalidMessage || error == other_kind);
            }
        }
        assert_eq!(talk.bob_reads(&two).unwrap(), b"two");
        assert_eq!(talk.bob_reads(&one).unwrap(), b"one");
    }
}

/// A5: all first bytes on each type of message.
#[test]
fn every_first_byte_but_the_versions_we_speak_is_refused_by_name() {
    let mut talk = Talk::started(23, true, KemKey::Kyber);
    let pre_key = talk.alice_says(b"hello");
    talk.bob_reads(&pre_key).unwrap();
    let answer = talk.bob_says(b"yes");
    talk.alice_reads(&answer).unwrap();
    let (_, signal) = talk.alice_says(b"established");
    let id = DistributionId(Uuid::from_u128(1));
    let mut group = OutboundSenderKey::generate(id, &mut talk.rng).unwrap();
    let distribution = group.distribution_message().to_bytes().to_vec();
    let group = group.encrypt(b"all", &mut talk.rng).unwrap().into_bytes();

    for byte in 0..=u8::MAX {
        let as_first = |message: &[u8]| [&[byte], &message[1..]].concat();
        let outcomes = [
            SignalMessage::from_bytes(&as_first(&signal)).err(),
            PreKeySignalMessage::from_bytes(&as_first(&pre_key.1)).err(),
            SenderKeyMessage::from_bytes(&as_first(&group)).err(),
            SenderKeyDistributionMessage::from_bytes(&as_first(&distribution)).err(),
        ];
        let version = byte >> 4;
        let expected = match version {
            0..=2 => [Some(Error::LegacyVersion(version)); 4],
            // A pre-key message's inner message has the version that the outer one says.
            3 => [None, Some(Error::InvalidMessage), None, None],
            4 => {
                let newer = Some(Error::UnrecognizedVersion(4));
                [None, None, newer, newer]
            }
            _ => [Some(Error::UnrecognizedVersion(version)); 4],
        };
        assert_eq!(outcomes, expected, "{byte:#04x}");
        let plaintext = PlaintextContent::from_bytes(&[byte, 0x80]).unwrap_err();
        assert_eq!(plaintext == Error::InvalidMessage, byte == 0xc0);

        let relabelled = (MessageType::Signal, as_first(&signal));
        if relabelled.1 != signal {
            talk.bob_refuses(&relabelled);
        }
    }
    talk.round_trip();
}

/// A5: the relay strips what is post-quantum from a first message.
#[test]
fn a_first_message_without_its_kem_part_is_refused() {
    let mut talk = Talk::started(24, true, KemKey::Kyber);
    let message = talk.alice_says(b"hello");
    for stripped in [&[7][..], &[8], &[7, 8]] {
        let without = first(
            |fields| fields.retain(|(field, _)| !stripped.contains(field)),
            &message,
        );
        assert_eq!(talk.bob_refuses(&without), Error::InvalidMessage);
    }
    // And relabels both layers as version 3.
    let mut relabelled = first(
        |fields| {
            fields.retain(|(field, _)| *field < 7);
            let mut inner = get(fields, 4).to_vec();
            inner[0] = 0x34;
            set(fields, 4, Value::Bytes(inner));
        },
        &message,
    );
    relabelled.1[0] = 0x34;
    assert_eq!(talk.bob_refuses(&relabelled), Error::InvalidMessage);
    assert_eq!(talk.bob_reads(&message).unwrap(), b"hello");
}

/// A5: once an identity has spoken version 4, version 3 is refused from bundles, in first messages
/// and in late messages of an older session.
#[test]
fn the_version_of_a_peer_only_rises() {
    let mut talk = Talk::established(25, KemKey::None);
    let late = talk.alice_says(b"classical");
    talk.bob.one_time = Some(OneTimePreKey::generate(OneTimePreKeyId(0), &mut talk.rng).unwrap());
    let bundle = talk.bob.bundle(true, KemKey::None);
    let mut forgetful = Session::new(PqPolicy::Off);
    forgetful
        .initiate(talk.alice.local(), &bundle, NOW, &mut talk.rng)
        .unwrap();
    let downgraded = cast::wire(forgetful.encrypt(b"weak", NOW).unwrap());

    talk.start(false, KemKey::Kyber);
    assert_eq!(talk.at_alice.version(), Some(ProtocolVersion::V4));
    let before = talk.at_alice.encode();
    let refused = talk
        .at_alice
        .initiate(talk.alice.local(), &bundle, NOW, &mut talk.rng);
    assert_eq!(refused, Err(Error::Downgrade));
    assert_eq!(talk.at_alice.encode(), before);

    let strong = talk.alice_says(b"strong");
    assert_eq!(talk.bob_reads(&strong).unwrap(), b"strong");
    assert_eq!(talk.bob_refuses(&downgraded), Error::Downgrade);
    talk.at_bob.archive_current();
    assert_eq!(talk.bob_refuses(&downgraded), Error::Downgrade);
    // Still readable, but nothing is sent on that session any more.
    assert_eq!(talk.bob_reads(&late).unwrap(), b"classical");
    assert_eq!(talk.at_bob.version(), None);
}

/// A7: other bytes for a signature that verifies.
#[test]
fn a_signature_has_one_form() {
    let order: [u8; 32] = (-Scalar::ONE).to_bytes();
    let mut rng = rng(29);
    for _ in 0..20 {
        let identity = IdentityKeyPair::generate(&mut rng).unwrap();
        let key = identity.public_key();
        let signature = identity.sign(&[b"text"], &mut rng).unwrap();
        key.verify(&[b"text"], &signature).unwrap();
        let sign = signature[63] & 0x80;
        let mut s = signature;
        s[63] &= 0x7f;
        // Add L (which is `order` and one) as often as it fits.
        for _ in 0..8 {
            let mut carry = 1u16;
            for (byte, add) in s[32..].iter_mut().zip(order) {
                carry += u16::from(*byte) + u16::from(add);
                *byte = carry as u8;
                carry >>= 8;
            }
            let mut other = s;
            other[63] |= sign;
            assert!(key.verify(&[b"text"], &other).is_err());
        }
        let mut other = signature;
        other[63] ^= 0x80;
        assert!(key.verify(&[b"text"], &other).is_err());
    }
    // R of small order and s = 0 satisfy the bare equation for a key of small order; here no such
    // key exists, and for a real one they do not.
    let key = *IdentityKeyPair::generate(&mut rng).unwrap().public_key();
    for torsion in EIGHT_TORSION {
        let signature = [torsion.compress().to_bytes(), [0; 32]].concat();
        assert!(key.verify(&[b"text"], &signature).is_err());
    }
}

/// B13: a message of one kind or direction where another is due.
#[test]
fn a_message_means_nothing_in_another_place() {
    let mut talk = Talk::started(51, true, KemKey::Kyber);
    let first = talk.alice_says(b"first");
    assert!(SignalMessage::from_bytes(&first.1).is_err());
    // The inner message alone, before the session it starts.
    let inner = PreKeySignalMessage::from_bytes(&first.1).unwrap();
    let inner = (MessageType::Signal, inner.message().as_bytes().to_vec());
    assert_eq!(talk.bob_refuses(&inner), Error::NoSession);
    talk.bob_reads(&first).unwrap();
    assert_eq!(talk.bob_refuses(&inner), Error::DuplicateMessage);
    let answer = talk.bob_says(b"answer");
    talk.alice_reads(&answer).unwrap();

    // Back to its own sender, in both forms.
    let own = talk.bob_says(b"for Alice");
    assert_eq!(talk.bob_refuses(&own), Error::InvalidMessage);
    assert!(PreKeySignalMessage::from_bytes(&own.1).is_err());
    // In another pair's session, and as another version.
    let mut others = Talk::established(52, KemKey::Kyber);
    let message = talk.alice_says(b"for Bob");
    assert_eq!(others.bob_refuses(&message), Error::InvalidMessage);
    let mut classical = Talk::established(53, KemKey::None);
    assert_eq!(classical.bob_refuses(&message), Error::InvalidMessage);
    assert_eq!(talk.bob_reads(&message).unwrap(), b"for Bob");
}

/// B13: bytes of each type given to the readers of all the others.
#[test]
fn a_message_of_one_type_does_not_open_as_another() {
    let mut talk = Talk::started(31, true, KemKey::Kyber);
    let pre_key = talk.alice_says(b"first");
    talk.bob_reads(&pre_key).unwrap();
    let answer = talk.bob_says(b"answer");
    talk.alice_reads(&answer).unwrap();
    let (kind, signal) = talk.alice_says(b"next");
    let id = DistributionId(Uuid::from_u128(1));
    let mut group = OutboundSenderKey::generate(id, &mut talk.rng).unwrap();
    let distribution = group.distribution_message();
    let group = group.encrypt(b"all", &mut talk.rng).unwrap().into_bytes();
    let now = Timestamp(1);
    let report = DecryptionErrorMessage::for_original(kind, &signal, now, DeviceId::PRIMARY);
    let plaintext = PlaintextContent::new(report.unwrap()).to_bytes();

    let mut member = InboundSenderKey::new(id);
    member.process(&distribution).unwrap();
    let distribution = distribution.to_bytes().to_vec();
    let all = [&pre_key.1, &signal, &group, &distribution, &plaintext];
    for bytes in all {
        if *bytes != signal {
            talk.bob_refuses(&(MessageType::Signal, bytes.clone()));
        }
        talk.bob_refuses(&(MessageType::PreKey, bytes.clone()));
        if *bytes != group {
            let read = SenderKeyMessage::from_bytes(bytes).and_then(|it| member.decrypt(&it));
            assert!(read.is_err());
        }
        let introduction = SenderKeyDistributionMessage::from_bytes(bytes);
        assert_eq!(introduction.is_ok(), *bytes == distribution);
        assert_eq!(
            PlaintextContent::from_bytes(bytes).is_ok(),
            *bytes == plaintext
        );
        assert!(sealed_sender::open(bytes, &talk.bob.identity).is_err());
    }
    assert_eq!(talk.bob_reads(&(kind, signal)).unwrap(), b"next");
}

/// B13: what an identity key signs for one purpose is not its signature for another.
#[test]
fn a_signature_for_one_purpose_is_none_for_another() {
    let mut talk = Talk::new(32);
    let bob = &talk.bob.identity;
    let other = KeyPair::generate(&mut talk.rng).unwrap();
    let other = other.public_key();
    let vouched = bob.sign_alternate_identity(other, &mut talk.rng).unwrap();
    bob.public_key()
        .verify_alternate_identity(other, &vouched)
        .unwrap();
    let mut bundle = talk.bob.bundle(true, KemKey::Kyber);
    let as_identity = bob
        .public_key()
        .verify_alternate_identity(&bundle.signed_pre_key.key, &bundle.signed_pre_key.signature);
    let expected = Err(Error::InvalidSignature(KeyRole::Identity));
    assert_eq!(as_identity, expected);
    bundle.signed_pre_key.key = *other;
    bundle.signed_pre_key.signature = vouched.to_vec();
    let expected = Err(Error::InvalidSignature(KeyRole::SignedPreKey));
    assert_eq!(bundle.verify(), expected);
}
