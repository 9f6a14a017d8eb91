//! Every message with one bit flipped, cut short or made longer, and with the parts of two messages
//! mixed: row B3 of the project's list of attacks, for each wire type.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod cast;
mod forge;

use core::num::NonZeroUsize;

use cast::{KemKey, NOW, Person, Talk, Wire, rng};
use forge::{edit, parse};
use hushpost_protocol::sealed_sender::{
    self, ContentHint, Recipient, RecipientDevice, SenderCertificate, SenderCertificateFields,
    ServerCertificate, UnidentifiedSenderMessageContent,
};
use hushpost_protocol::{
    DecryptionErrorMessage, DeviceId, DistributionId, Error, InboundSenderKey, KeyRole,
    MessageType, OutboundSenderKey, PlaintextContent, PqPolicy, PreKeySignalMessage,
    ProtocolAddress, ReplayGuard, SafetyNumber, SafetyNumberParty, SenderKeyDistributionMessage,
    SenderKeyMessage, ServiceId, Session, SigningKeyPair, Timestamp,
};
use hushpost_wire::sent_message::SentMessage;
use uuid::Uuid;

/// Each bit flipped alone.
fn flips(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

/// Each prefix, and 1 to 64 bytes more.
fn resized(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let prefixes = (0..bytes.len()).map(|length| bytes[..length].to_vec());
    let longer = (1..=64).flat_map(move |more| {
        [0u8, 0x0a, 0xff].map(move |byte| [bytes, &vec![byte; more]].concat())
    });
    prefixes.chain(longer)
}

fn mutations(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    flips(bytes).chain(resized(bytes))
}

/// B3: a message of an established session.
#[test]
fn no_changed_signal_message_is_read() {
    for (kem, policy) in [
        (KemKey::None, PqPolicy::Off),
        (KemKey::Kyber, PqPolicy::Off),
        (KemKey::Kyber, PqPolicy::Required),
    ] {
        let mut talk = Talk::established_under(60, kem, policy);
        let (kind, one) = talk.alice_says(b"one");
        let (_, two) = talk.alice_says(b"two, which is longer than a block");
        for changed in mutations(&one) {
            talk.bob_refuses(&(kind, changed));
        }
        for field in if policy == PqPolicy::Off {
            1..=4
        } else {
            1..=5
        } {
            for (message, other) in [(&one, &two), (&two, &one)] {
                let of_other = parse(&other[1..other.len() - 8]);
                let mixed = edit(message, 8, |fields| {
                    let value = of_other.iter().find(|(it, _)| *it == field).unwrap();
                    forge::set(fields, field, value.1.clone());
                });
                if mixed != *message {
                    talk.bob_refuses(&(kind, mixed));
                }
            }
        }
        let swapped = [&one[..one.len() - 8], &two[two.len() - 8..]].concat();
        assert_eq!(talk.bob_refuses(&(kind, swapped)), Error::InvalidMessage);
        assert_eq!(talk.bob_reads(&(kind, one)).unwrap(), b"one");
        talk.round_trip();
    }
}

/// B3: a first message. Nothing authenticates the registration id, the low half of the version byte
/// and fields that nobody knows; whatever else is touched is refused.
#[test]
fn a_changed_first_message_is_refused_or_is_the_same_in_all_that_counts() {
    for kem in [KemKey::None, KemKey::Kyber, KemKey::MlKem] {
        let mut talk = Talk::started(61, false, kem);
        let message = talk.alice_says(b"hello");
        let original = PreKeySignalMessage::from_bytes(&message.1).unwrap();
        let mut accepted = 0;
        for (index, changed) in flips(&message.1).enumerate() {
            // The KEM ciphertext stands last; one bit of each of its bytes will do.
            let (byte, bit) = (index / 8, index % 8);
            let in_ciphertext = kem != KemKey::None && byte >= message.1.len() - 1_568;
            if !in_ciphertext || bit == byte % 8 {
                accepted += usize::from(read_if_the_same(&mut talk, &original, changed));
            }
        }
        // Four bits of the version byte, some of the tag and the value of the registration id.
        assert!((4..=24).contains(&accepted), "{accepted}");
        for changed in resized(&message.1) {
            read_if_the_same(&mut talk, &original, changed);
        }
        assert_eq!(talk.bob_reads(&message).unwrap(), b"hello");
    }
}

fn read_if_the_same(talk: &mut Talk, original: &PreKeySignalMessage, changed: Vec<u8>) -> bool {
    let before = (talk.at_bob.encode(), talk.bob.guard.clone());
    let changed: Wire = (MessageType::PreKey, changed);
    let Ok(plaintext) = talk.bob_reads(&changed) else {
        assert_eq!((talk.at_bob.encode(), talk.bob.guard.clone()), before);
        return false;
    };
    assert_eq!(plaintext, b"hello");
    let changed = PreKeySignalMessage::from_bytes(&changed.1).unwrap();
    assert_eq!(changed.base_key(), original.base_key());
    assert_eq!(changed.identity_key(), original.identity_key());
    assert_eq!(changed.message(), original.message());
    talk.at_bob = Session::new(PqPolicy::Off);
    talk.bob.guard = ReplayGuard::new();
    true
}

/// B3: fields of two first messages mixed.
#[test]
fn a_first_message_of_two_messages_parts_is_refused() {
    let mut talk = Talk::started(62, false, KemKey::Kyber);
    let one = talk.alice_says(b"one");
    talk.start(false, KemKey::MlKem);
    let two = talk.alice_says(b"two");
    for (message, other) in [(&one, &two), (&two, &one)] {
        for (field, value) in parse(&other.1[1..]) {
            let mixed = edit(&message.1, 0, |fields| forge::set(fields, field, value));
            if mixed != message.1 {
                talk.bob_refuses(&(MessageType::PreKey, mixed));
            }
        }
    }
    assert_eq!(talk.bob_reads(&one).unwrap(), b"one");
    assert_eq!(talk.bob_reads(&two).unwrap(), b"two");
}

fn group(
    seed: u64,
) -> (
    OutboundSenderKey,
    InboundSenderKey,
    rand_chacha::ChaCha20Rng,
) {
    let mut rng = rng(seed);
    let id = DistributionId(Uuid::from_u128(1));
    let sender = OutboundSenderKey::generate(id, &mut rng).unwrap();
    let mut receiver = InboundSenderKey::new(id);
    receiver.process(&sender.distribution_message()).unwrap();
    (sender, receiver, rng)
}

/// B3: a group message.
#[test]
fn no_changed_sender_key_message_is_read() {
    let (mut sender, mut receiver, mut rng) = group(63);
    let one = sender.encrypt(b"one", &mut rng).unwrap();
    let two = sender
        .encrypt(b"two, longer than one block", &mut rng)
        .unwrap();
    let before = receiver.encode();
    let mut refuse = |changed: &[u8]| {
        let read = SenderKeyMessage::from_bytes(changed).and_then(|it| receiver.decrypt(&it));
        assert!(read.is_err());
        assert_eq!(receiver.encode(), before);
    };
    mutations(one.as_bytes()).for_each(|changed| refuse(&changed));
    let content = |message: &SenderKeyMessage| message.as_bytes().len() - 64;
    for (message, other) in [(&one, &two), (&two, &one)] {
        for (field, value) in parse(&other.as_bytes()[1..content(other)]) {
            let bytes = message.as_bytes();
            let mixed = edit(bytes, 64, |fields| forge::set(fields, field, value));
            if mixed != bytes {
                refuse(&mixed);
            }
        }
        let (content, signature) = (content(message), content(other));
        refuse(
            &[
                &message.as_bytes()[..content],
                &other.as_bytes()[signature..],
            ]
            .concat(),
        );
    }
    assert_eq!(
        receiver.decrypt(&two).unwrap(),
        b"two, longer than one block"
    );
    assert!(receiver.decrypt(&one).is_ok());
}

/// B3: a distribution message has no signature of its own; changed ones cannot move or rewind a
/// chain that is known.
#[test]
fn no_changed_distribution_message_moves_a_known_chain() {
    let (mut sender, receiver, mut rng) = group(64);
    let stored = receiver.encode();
    let distribution = sender.distribution_message().to_bytes();
    let message = sender.encrypt(b"text", &mut rng).unwrap();
    for changed in mutations(&distribution) {
        let Ok(changed) = SenderKeyDistributionMessage::from_bytes(&changed) else {
            continue;
        };
        let mut receiver = InboundSenderKey::decode(&stored).unwrap();
        match receiver
            .process(&changed)
            .and_then(|()| receiver.decrypt(&message))
        {
            Ok(plaintext) => assert_eq!(plaintext, b"text"),
            // Another distribution, or another signing key under the same chain id.
            Err(Error::NoSenderKey | Error::InvalidSignature(KeyRole::SenderKey)) => {}
            Err(error) => panic!("{error}"),
        }
        assert!(receiver.chain_count() <= 2);
    }
}

/// What sealed sender needs: a sender with a certificate.
struct Sealed {
    alice: Person,
    bob: Person,
    trust_root: SigningKeyPair,
    content: UnidentifiedSenderMessageContent,
    rng: rand_chacha::ChaCha20Rng,
}

fn sealed(seed: u64) -> Sealed {
    let mut rng = rng(seed);
    let alice = Person::new(1, &mut rng);
    let bob = Person::new(2, &mut rng);
    let trust_root = SigningKeyPair::generate(&mut rng).unwrap();
    let server_key = SigningKeyPair::generate(&mut rng).unwrap();
    let server =
        ServerCertificate::issue(1, server_key.public_key(), &trust_root, &mut rng).unwrap();
    let account = ServiceId::account(Uuid::from_u128(7));
    let fields = SenderCertificateFields {
        sender: ProtocolAddress::new(account, DeviceId::PRIMARY),
        phone_number: None,
        identity_key: *alice.identity.public_key(),
        expires: NOW,
    };
    let certificate = SenderCertificate::issue(fields, &server, &server_key, &mut rng).unwrap();
    let content = UnidentifiedSenderMessageContent::new(
        MessageType::Signal,
        certificate,
        b"inner message".to_vec(),
        ContentHint::Resendable,
        Some(b"group".to_vec()),
    );
    Sealed {
        alice,
        bob,
        trust_root,
        content,
        rng,
    }
}

/// B3: whatever opens is what was sealed, though the version byte's low half is not authenticated.
#[test]
fn a_changed_sealed_message_does_not_open_as_anything_else() {
    let mut it = sealed(65);
    let bob = it.bob.identity.public_key();
    let one = sealed_sender::seal(&it.content, &it.alice.identity, bob, &mut it.rng).unwrap();
    let device = RecipientDevice {
        device_id: DeviceId::PRIMARY,
        registration_id: it.bob.registration_id,
    };
    let recipient = Recipient {
        service_id: ServiceId::account(Uuid::from_u128(8)),
        identity_key: *bob,
        devices: vec![device],
    };
    let sent = sealed_sender::seal_multi_recipient(
        &it.content,
        &it.alice.identity,
        &[recipient],
        &[],
        NonZeroUsize::MIN,
        &mut it.rng,
    )
    .unwrap();
    let parsed = SentMessage::parse(&sent).unwrap();
    let two = parsed.received_form(&parsed.recipients()[0]).unwrap();
    for message in [&one, &two] {
        let opened = sealed_sender::open(message, &it.bob.identity).unwrap();
        assert_eq!(opened, it.content);
        let mut accepted = 0;
        for changed in flips(message) {
            if let Ok(opened) = sealed_sender::open(&changed, &it.bob.identity) {
                assert_eq!(opened, it.content);
                accepted += 1;
            }
        }
        // The low half of the version byte; version 1 is also read where it says 0.
        assert!((4..=5).contains(&accepted), "{accepted}");
        for changed in resized(message) {
            let opened = sealed_sender::open(&changed, &it.bob.identity);
            assert!(opened.is_err() || opened == Ok(it.content.clone()));
        }
    }
    // The form for the relay: any change leaves a well-formed one or none.
    for changed in mutations(&sent) {
        let parsed = SentMessage::parse(&changed);
        for recipient in parsed.iter().flat_map(SentMessage::recipients) {
            let _ = parsed.as_ref().map(|it| it.received_form(recipient));
        }
    }
}

/// B3, B15: a changed certificate does not verify, and a good one only until it expires.
#[test]
fn a_changed_certificate_vouches_for_nothing_else() {
    let it = sealed(66);
    let original = it.content.sender_certificate();
    let root = it.trust_root.public_key();
    let verify = |bytes: &[u8], now| {
        let certificate = SenderCertificate::from_bytes(bytes)?;
        certificate.verify(root, &[], now).map(|()| certificate)
    };
    for now in [0, NOW.0] {
        verify(original.as_bytes(), Timestamp(now)).unwrap();
    }
    for now in [NOW.0 + 1, u64::MAX] {
        let expired = verify(original.as_bytes(), Timestamp(now));
        assert_eq!(expired, Err(Error::CertificateInvalid));
    }
    for changed in flips(original.as_bytes()) {
        assert_eq!(verify(&changed, NOW), Err(Error::CertificateInvalid));
    }
    for changed in resized(original.as_bytes()) {
        if let Ok(certificate) = verify(&changed, NOW) {
            assert_eq!(certificate.fields(), original.fields());
        }
    }
}

/// B3: what nothing authenticates parses to something whole, or not at all.
#[test]
fn changed_error_reports_parse_as_reports_or_not_at_all() {
    let mut talk = Talk::established(67, KemKey::Kyber);
    let (kind, message) = talk.alice_says(b"lost");
    let report =
        DecryptionErrorMessage::for_original(kind, &message, NOW, DeviceId::PRIMARY).unwrap();
    let content = PlaintextContent::new(report.clone());
    assert_eq!(
        PlaintextContent::from_bytes(&content.to_bytes()),
        Ok(content.clone())
    );
    for changed in mutations(&report.to_bytes()) {
        if let Ok(report) = DecryptionErrorMessage::from_bytes(&changed) {
            let again = DecryptionErrorMessage::from_bytes(&report.to_bytes());
            assert_eq!(again, Ok(report));
        }
    }
    for changed in mutations(&content.to_bytes()) {
        if let Ok(content) = PlaintextContent::from_bytes(&changed) {
            assert_eq!(
                PlaintextContent::from_bytes(&content.to_bytes()),
                Ok(content)
            );
        }
    }
}

/// B3: a scanned safety number, changed.
#[test]
fn no_changed_safety_number_matches() {
    let mut rng = rng(68);
    let keys = [1, 2].map(|id| Person::new(id, &mut rng));
    let [alice, bob] = keys.each_ref().map(|person| SafetyNumberParty {
        id: b"somebody",
        identity_key: person.identity.public_key(),
    });
    let here = SafetyNumber::new(2, 5, alice, bob).unwrap();
    let there = SafetyNumber::new(2, 5, bob, alice).unwrap().scannable();
    assert_eq!(here.matches_scanned(&there), Ok(true));
    assert_eq!(here.matches_scanned(&here.scannable()), Ok(false));
    let cut = (0..there.len()).map(|length| there[..length].to_vec());
    for changed in flips(&there).chain(cut) {
        assert_ne!(here.matches_scanned(&changed), Ok(true));
    }
}
