//! Recorded sessions of the official library, replayed from its own records: every step that has a
//! record of the receiver is opened from that record, and the initiator's first flight is made again
//! byte for byte.

use getrandom::SysRng;
use serde_json::Value;

use super::*;
use crate::{
    CiphertextMessage, DistributionId, InboundSenderKey, LocalParty, PreKeySecrets,
    PreKeySignalMessage, RegistrationId, ReplayGuard, SenderKeyDistributionMessage,
    SenderKeyMessage, Session, SignalMessage,
};

/// Recordings of sessions without a post-quantum ratchet.
const SESSIONS: [&str; 5] = [
    include_str!("../../tests/fixtures/session-v3-byte33.json"),
    include_str!("../../tests/fixtures/session-v3-byte34.json"),
    include_str!("../../tests/fixtures/session-v3-no-one-time.json"),
    include_str!("../../tests/fixtures/session-v4-pqxdh.json"),
    include_str!("../../tests/fixtures/session-v4-no-one-time.json"),
];
const GROUP: &str = include_str!("../../tests/fixtures/group.json");

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field} is not text"))
}

fn bytes(value: &Value, field: &str) -> Vec<u8> {
    hex::decode(text(value, field)).unwrap()
}

fn number(value: &Value, field: &str) -> u32 {
    u32::try_from(value[field].as_u64().unwrap()).unwrap()
}

fn session_named(value: &Value, field: &str) -> Option<Session> {
    value
        .get(field)
        .map(|_| session(&bytes(value, field)).unwrap())
}

/// Decrypts with pre-keys imported from Bob's records.
fn receive(recording: &Value, receiver: &mut Session, step: &Value) -> Vec<u8> {
    let message = bytes(step, "message");
    if step["type"] == 2 {
        let message = SignalMessage::from_bytes(&message).unwrap();
        return receiver.decrypt(&message, &mut SysRng).unwrap().plaintext;
    }
    let bob = &recording["bob"];
    let identity = IdentityKeyPair::from_private(PrivateKey::from_bytes(
        bytes(bob, "identity_private").try_into().unwrap(),
    ));
    let signed = signed_pre_key(&bytes(bob, "signed_pre_key_record")).unwrap();
    let one_time = bob
        .get("pre_key_record")
        .map(|_| one_time_pre_key(&bytes(bob, "pre_key_record")).unwrap());
    let kem = bob.get("kyber_pre_key_id").map(|_| KemPreKey {
        id: KemPreKeyId(number(bob, "kyber_pre_key_id")),
        keys: KemKeyPair {
            public: KemPublicKey::from_bytes(&bytes(bob, "kyber_pre_key_public")).unwrap(),
            secret: KemSecretKey::from_bytes(&bytes(bob, "kyber_pre_key_secret")).unwrap(),
        },
        signature: bytes(bob, "kyber_pre_key_signature").try_into().unwrap(),
        created: Timestamp(0),
        last_resort: true,
    });
    let message = PreKeySignalMessage::from_bytes(&message).unwrap();
    receiver
        .decrypt_pre_key(
            LocalParty {
                identity: &identity,
                registration_id: RegistrationId(number(bob, "registration_id")),
            },
            &message,
            PreKeySecrets {
                signed_pre_key: Some(&signed),
                one_time_pre_key: one_time.as_ref(),
                kem_pre_key: kem.as_ref(),
                replay_guard: &mut ReplayGuard::new(),
            },
            &mut SysRng,
        )
        .unwrap()
        .plaintext
}

#[test]
fn every_recorded_step_opens_from_the_receivers_record() {
    for recording in SESSIONS {
        let recording: Value = serde_json::from_str(recording).unwrap();
        let steps = recording["steps"].as_array().unwrap();
        let mut replayed = 0;
        let mut after_previous = Some(Session::new(crate::PqPolicy::Off));
        for step in steps {
            let before = session_named(step, "receiver_record_before").or(after_previous.take());
            if let Some(mut receiver) = before {
                let plaintext = receive(&recording, &mut receiver, step);
                assert_eq!(plaintext, bytes(step, "plaintext"));
                replayed += 1;
            }
            after_previous = session_named(step, "receiver_record_after");
        }
        assert!(
            replayed >= 11,
            "only {replayed} steps of {} had a record",
            steps.len()
        );
    }
}

#[test]
fn the_initiators_first_flight_is_made_again_byte_for_byte() {
    let mut compared = 0;
    for recording in SESSIONS {
        let recording: Value = serde_json::from_str(recording).unwrap();
        let mut alice = session_named(&recording, "alice_record_after_bundle").unwrap();
        // The pending data's age does not matter here.
        let now = Timestamp(0);
        let mut flight: Vec<_> = recording["steps"].as_array().unwrap()[..3].iter().collect();
        flight.sort_by_key(|step| bytes(step, "plaintext"));
        for step in flight {
            let made = alice.encrypt(&bytes(step, "plaintext"), now).unwrap();
            assert!(matches!(made, CiphertextMessage::PreKey(_)));
            let recorded = bytes(step, "message");
            // A 0x33 sender knew nothing newer than version 3; ours says 4 in the low nibble.
            if recorded[0] & 0x0f == 4 {
                assert_eq!(hex::encode(made.as_bytes()), hex::encode(recorded));
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 12);
}

#[test]
fn imported_sessions_survive_our_own_encoding() {
    for recording in SESSIONS {
        let recording: Value = serde_json::from_str(recording).unwrap();
        for step in recording["steps"].as_array().unwrap() {
            if let Some(imported) = session_named(step, "receiver_record_before") {
                let mut restored = Session::decode(&imported.encode()).unwrap();
                assert_eq!(*restored.encode(), *imported.encode());
                let plaintext = receive(&recording, &mut restored, step);
                assert_eq!(plaintext, bytes(step, "plaintext"));
            }
        }
    }
}

#[test]
fn a_sender_key_record_serves_as_our_chain_and_as_anothers() {
    let group: Value = serde_json::from_str(GROUP).unwrap();
    let id = DistributionId(text(&group, "distribution_id").parse().unwrap());
    let record = bytes(&group, "sender_record");
    let mut ours = outbound_sender_key(&record, id).unwrap();
    let mut theirs = inbound_sender_key(&record, id).unwrap();
    assert_eq!(ours.iteration(), 6);
    let message = ours.encrypt(b"after the record", &mut SysRng).unwrap();
    assert_eq!(theirs.decrypt(&message).unwrap(), b"after the record");

    // A member who got the distribution message at the start reads on.
    let mut member = InboundSenderKey::new(id);
    let start = SenderKeyDistributionMessage::from_bytes(&bytes(&group, "skdm")).unwrap();
    member.process(&start).unwrap();
    for step in group["messages"].as_array().unwrap() {
        let message = SenderKeyMessage::from_bytes(&bytes(step, "message")).unwrap();
        assert_eq!(member.decrypt(&message).unwrap(), bytes(step, "plaintext"));
    }
    assert_eq!(member.decrypt(&message).unwrap(), b"after the record");
}

#[test]
fn damaged_records_are_refused_whole() {
    let recording: Value = serde_json::from_str(SESSIONS[3]).unwrap();
    let record = bytes(&recording, "alice_record_after_bundle");
    assert!(session(&record).is_ok());
    for length in 1..record.len() {
        assert_eq!(session(&record[..length]).err(), Some(Error::InvalidState));
    }
    for length in 1..=64 {
        let mut longer = record.clone();
        longer.extend(std::iter::repeat_n(0xff, length));
        assert_eq!(session(&longer).err(), Some(Error::InvalidState));
    }
}
