//! Sealed messages recorded from the official library, both versions, opened by each recipient; their
//! certificates; and the relay's part of a multi-recipient message.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

mod support;

use hushpost_protocol::sealed_sender::{
    self, ContentHint, SenderCertificate, UnidentifiedSenderMessageContent,
};
use hushpost_protocol::{
    DeviceId, Error, InboundSenderKey, MessageType, PreKeySignalMessage, ProtocolAddress,
    SenderKeyDistributionMessage, SenderKeyMessage, ServiceId, Timestamp,
};
use hushpost_wire::sent_message::{MalformedSentMessage, SentMessage};
use serde_json::Value;
use support::{bytes, fixture, identity, list, public_key, text};

const RECORDINGS: [&str; 2] = ["sealed-0.72.1.json", "sealed-0.103.0.json"];

fn now(recording: &Value) -> Timestamp {
    Timestamp(recording["validation_time"].as_u64().unwrap())
}

fn address(recording: &Value, party: &str) -> ProtocolAddress {
    let service_id = ServiceId::parse(text(&recording[party], "name")).unwrap();
    ProtocolAddress::new(service_id, DeviceId::PRIMARY)
}

fn certificate(recording: &Value) -> SenderCertificate {
    SenderCertificate::from_bytes(&bytes(recording, "sender_certificate")).unwrap()
}

/// Opens as `party` and holds the content against the recorded one.
fn open(
    recording: &Value,
    party: &str,
    sealed: &[u8],
    expected: &[u8],
) -> UnidentifiedSenderMessageContent {
    let content = sealed_sender::open(sealed, &identity(&recording[party])).unwrap();
    assert_eq!(content.as_bytes(), expected);
    assert_eq!(*content.sender_certificate(), certificate(recording));
    let root = public_key(recording, "trust_root");
    let sender = content.verify_sender(&root, &[], now(recording), &address(recording, party));
    assert_eq!(sender, Ok(certificate(recording).fields().sender));

    // Put together again from its parts, it has the same bytes.
    let again = UnidentifiedSenderMessageContent::new(
        content.message_type(),
        content.sender_certificate().clone(),
        content.contents().to_vec(),
        content.content_hint(),
        content.group_id().map(<[u8]>::to_vec),
    );
    assert_eq!(again.as_bytes(), expected);
    content
}

#[test]
fn a_version_1_message_opens_for_its_recipient_only() {
    for name in RECORDINGS {
        let recording = fixture(name);
        let recorded = &recording["v1"];
        let sealed = bytes(recorded, "message");
        let content = open(&recording, "bob", &sealed, &bytes(recorded, "usmc"));
        assert_eq!(content.message_type(), MessageType::PreKey);
        assert_eq!(
            content.message_type() as u64,
            recorded["type"].as_u64().unwrap()
        );
        assert_eq!(content.contents(), bytes(recorded, "content"));
        assert_eq!(content.content_hint(), ContentHint::Default);
        assert_eq!(content.group_id(), None);
        let inner = PreKeySignalMessage::from_bytes(content.contents()).unwrap();
        let certified = *content.sender_certificate().identity_key();
        assert_eq!(*inner.identity_key(), certified, "{name}");

        let refused = sealed_sender::open(&sealed, &identity(&recording["carol"]));
        assert_eq!(refused.err(), Some(Error::InvalidMessage));
    }
}

#[test]
fn a_version_2_message_opens_for_every_recipient_in_its_own_form_only() {
    for name in RECORDINGS {
        let recording = fixture(name);
        let recorded = &recording["v2"];
        let received: Vec<_> = list(recorded, "received")
            .iter()
            .map(|form| hex::decode(form.as_str().unwrap()).unwrap())
            .collect();
        let [for_bob, for_carol] = &received[..] else {
            panic!("two recipients were recorded");
        };
        for (party, sealed) in [("bob", for_bob), ("carol", for_carol)] {
            let content = open(&recording, party, sealed, &bytes(recorded, "usmc"));
            assert_eq!(content.message_type(), MessageType::SenderKey);
            assert_eq!(content.content_hint(), ContentHint::Resendable);
            assert_eq!(content.group_id(), Some(b"group-id".as_slice()));

            let introduction = bytes(recorded, "skdm");
            let introduction = SenderKeyDistributionMessage::from_bytes(&introduction).unwrap();
            let mut key = InboundSenderKey::new(introduction.distribution_id());
            key.process(&introduction).unwrap();
            let message = SenderKeyMessage::from_bytes(content.contents()).unwrap();
            assert_eq!(key.decrypt(&message), Ok(bytes(recorded, "plaintext")));
        }
        for (party, sealed) in [("bob", for_carol), ("carol", for_bob)] {
            let refused = sealed_sender::open(sealed, &identity(&recording[party]));
            assert_eq!(refused.err(), Some(Error::InvalidMessage));
        }
    }
}

#[test]
fn a_relay_splits_the_sent_form_into_the_recorded_received_forms() {
    for name in RECORDINGS {
        let recording = fixture(name);
        let recorded = &recording["v2"];
        let sent = bytes(recorded, "sent");
        let message = SentMessage::parse(&sent).unwrap();
        let received = list(recorded, "received");
        let mut forms = 0;
        for ((party, registration_id), (recipient, form)) in [("bob", 100), ("carol", 0x3fff)]
            .into_iter()
            .zip(message.recipients().iter().zip(received))
        {
            let address = address(&recording, party);
            assert_eq!(recipient.service_id, address.service_id.to_fixed_width());
            let [device] = recipient.devices[..] else {
                panic!("one device each was recorded");
            };
            assert_eq!(
                (device.device_id, device.registration_id),
                (1, registration_id)
            );
            let split = message.received_form(recipient).unwrap();
            assert_eq!(hex::encode(split), form.as_str().unwrap());
            forms += 1;
        }
        assert_eq!((forms, message.recipients().len()), (2, 2));

        // Without the whole ephemeral key and tag behind the two entries, it is no sent form.
        let entries = 2 + 2 * (17 + 3 + 48);
        for length in 0..entries + 32 + 16 {
            let cut = SentMessage::parse(&sent[..length]);
            assert_eq!(cut.err(), Some(MalformedSentMessage), "{length}");
        }
    }
}

#[test]
fn a_certificate_counts_until_its_last_millisecond_and_under_its_own_root() {
    for name in RECORDINGS {
        let recording = fixture(name);
        let root = public_key(&recording, "trust_root");
        let certificate = certificate(&recording);
        assert_eq!(
            certificate.as_bytes(),
            bytes(&recording, "sender_certificate")
        );
        let fields = certificate.fields();
        assert_eq!(fields.phone_number.as_deref(), Some("+14155550100"));
        let sender = fields.sender.service_id.to_string();
        assert_eq!(sender, "9d0652a3-dcc3-4d11-975f-74d61598733f");

        let invalid = Err(Error::CertificateInvalid);
        let expiry = fields.expires.0;
        assert!(now(&recording).0 < expiry);
        for (time, expected) in [
            (0, Ok(())),
            (now(&recording).0, Ok(())),
            (expiry - 1, Ok(())),
            (expiry, Ok(())),
            (expiry + 1, invalid),
            (u64::MAX, invalid),
        ] {
            assert_eq!(
                certificate.verify(&root, &[], Timestamp(time)),
                expected,
                "{time}"
            );
        }
        for wrong in ["bob", "carol"] {
            let root = public_key(&recording[wrong], "identity_public");
            assert_eq!(certificate.verify(&root, &[], now(&recording)), invalid);
        }
        let other = RECORDINGS.iter().find(|other| **other != name).unwrap();
        let root = public_key(&fixture(other), "trust_root");
        assert_eq!(certificate.verify(&root, &[], now(&recording)), invalid);
    }
}

#[test]
fn every_bit_of_a_certificate_is_signed_or_framing() {
    for name in RECORDINGS {
        let recording = fixture(name);
        let root = public_key(&recording, "trust_root");
        let recorded = bytes(&recording, "sender_certificate");
        for bit in 0..recorded.len() * 8 {
            let mut changed = recorded.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let verdict = SenderCertificate::from_bytes(&changed)
                .and_then(|certificate| certificate.verify(&root, &[], now(&recording)));
            assert_eq!(verdict, Err(Error::CertificateInvalid), "{name} bit {bit}");
        }
    }
}

#[test]
fn a_message_from_this_very_device_is_refused() {
    let recording = fixture(RECORDINGS[0]);
    let sealed = bytes(&recording["v1"], "message");
    let content = sealed_sender::open(&sealed, &identity(&recording["bob"])).unwrap();
    let root = public_key(&recording, "trust_root");
    let own = certificate(&recording).fields().sender;
    let refused = content.verify_sender(&root, &[], now(&recording), &own);
    assert_eq!(refused, Err(Error::SelfSend));
    // Another device of the same account may well write to us.
    let device_id = DeviceId::new(u32::from(own.device_id.get()) + 1).unwrap();
    let sibling = ProtocolAddress { device_id, ..own };
    let sender = content.verify_sender(&root, &[], now(&recording), &sibling);
    assert_eq!(sender, Ok(own));
}

#[test]
fn a_changed_sealed_message_opens_for_nobody() {
    for name in RECORDINGS {
        let recording = fixture(name);
        let bob = identity(&recording["bob"]);
        let v1 = bytes(&recording["v1"], "message");
        let v2 = list(&recording["v2"], "received")[0].as_str().unwrap();
        let v2 = hex::decode(v2).unwrap();
        for sealed in [v1, v2] {
            assert!(sealed_sender::open(&sealed, &bob).is_ok());
            // The version byte's low nibble is the sender's newest version and says nothing.
            for bit in (8..sealed.len() * 8).step_by(13) {
                let mut changed = sealed.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                assert!(
                    sealed_sender::open(&changed, &bob).is_err(),
                    "{name} bit {bit}"
                );
            }
            for length in (0..sealed.len()).step_by(7) {
                assert!(sealed_sender::open(&sealed[..length], &bob).is_err());
            }
        }
    }
}
