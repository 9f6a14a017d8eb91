//! A first message says under its MAC whom it is from and for: passed off to another device or
//! account, or as another's, it is refused.
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
mod inner_fields;

use cast::{KemKey, Talk};
use hushpost_protocol::{DeviceId, Error, PqPolicy, ProtocolAddress, ServiceId, Session};
use inner_fields::{field, flips, inner, without};
use uuid::Uuid;

const ADDRESSES_FIELD: u64 = 6;

/// Alice's first device, Bob's first, and who else a message may be passed off to or from.
fn addresses() -> [ProtocolAddress; 4] {
    [(1, 1), (2, 1), (2, 2), (3, 1)].map(|(account, device)| {
        let service_id = ServiceId::account(Uuid::from_u128(account));
        ProtocolAddress::new(service_id, DeviceId::new(device).unwrap())
    })
}

#[test]
fn a_first_message_is_only_read_between_the_addresses_it_was_sent_between() {
    let [alice, bob, bobs_other, fiona] = addresses();
    let mut talk = Talk::new(11);
    talk.at_alice = Session::new(PqPolicy::Required).between(alice, bob);
    talk.start(true, KemKey::Kyber);
    let first = talk.alice_says(b"first");
    let sent = field(&first, ADDRESSES_FIELD).unwrap();
    assert_eq!(sent.len(), 36);
    // The account and its phone number's identity are two.
    let number = ServiceId::parse(&format!("PNI:{}", alice.service_id.uuid())).unwrap();
    let number = ProtocolAddress::new(number, alice.device_id);
    for (local, remote) in [
        (bobs_other, alice),
        (fiona, alice),
        (bob, fiona),
        (bob, bobs_other),
        (bob, number),
        (alice, bob),
        (alice, alice),
        (bob, bob),
    ] {
        talk.at_bob = Session::new(PqPolicy::Required).between(local, remote);
        assert_eq!(talk.bob_refuses(&first), Error::InvalidMessage);
    }
    talk.at_bob = Session::new(PqPolicy::Required).between(bob, alice);
    for changed in flips(&first, ADDRESSES_FIELD).step_by(5) {
        assert_eq!(talk.bob_refuses(&changed), Error::InvalidMessage);
    }
    let stripped = inner(&first, without(ADDRESSES_FIELD));
    assert_eq!(talk.bob_refuses(&stripped), Error::InvalidMessage);
    assert_eq!(talk.bob_reads(&first).unwrap(), b"first");
}

#[test]
fn addresses_are_in_unanswered_messages_only_and_may_be_absent() {
    let [alice, bob, ..] = addresses();
    for (alices, bobs) in [(true, true), (true, false), (false, true)] {
        let mut talk = Talk::new(12);
        let session = |is_known, local, remote| {
            let session = Session::new(PqPolicy::Required);
            let session = if is_known {
                session.between(local, remote)
            } else {
                session
            };
            Session::decode(&session.encode()).unwrap()
        };
        talk.at_alice = session(alices, alice, bob);
        talk.at_bob = session(bobs, bob, alice);
        talk.start(true, KemKey::Kyber);
        for _ in 0..3 {
            let first = talk.alice_says(b"first");
            assert_eq!(field(&first, ADDRESSES_FIELD).is_some(), alices);
            assert_eq!(talk.bob_reads(&first).unwrap(), b"first");
        }
        let answer = talk.bob_says(b"answer");
        assert_eq!(field(&answer, ADDRESSES_FIELD), None);
        assert_eq!(talk.alice_reads(&answer).unwrap(), b"answer");
        let later = talk.alice_says(b"later");
        assert_eq!(field(&later, ADDRESSES_FIELD), None);
        assert_eq!(talk.bob_reads(&later).unwrap(), b"later");
    }
}
