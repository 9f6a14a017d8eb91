//! Attacks on the triple ratchet by a relay, and by peers who have less of it: nothing but errors
//! comes of them, and never a session that runs on less than it would have.
//!
//! What holds under loss and reordering is in `pq_ratchet_model.rs`, what a thief can do there and in
//! the ratchet's own tests.
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

use cast::{KemKey, NOW, Talk, Wire};
use forge::{Value, bytes, edit, get, set};
use hushpost_protocol::{Error, KeyRole, MessageType, PqPolicy, ProtocolVersion, Session};
use inner_fields::{field, flips, inner, without};

const PQ_FIELD: u64 = 5;

/// Two people with these policies; Alice has a bundle.
fn started(seed: u64, alice: PqPolicy, bob: PqPolicy) -> Talk {
    let mut talk = Talk::new(seed);
    talk.at_alice.set_pq_policy(alice);
    talk.at_bob.set_pq_policy(bob);
    talk.start(true, KemKey::Kyber);
    talk
}

fn established(seed: u64, alice: PqPolicy, bob: PqPolicy) -> Talk {
    let mut talk = started(seed, alice, bob);
    talk.round_trip();
    talk
}

#[test]
fn a_changed_ratchet_field_is_refused_on_first_messages_and_later_ones() {
    let policies = [PqPolicy::Required, PqPolicy::Allowed];
    for (seed, policy) in (1..).zip(policies) {
        let mut talk = started(seed, policy, policy);
        let first = talk.alice_says(b"first");
        let second = talk.alice_says(b"second");
        refuse_changed_field(&mut talk, &first, &second, 7);
        assert_eq!(talk.at_bob.pq_epoch(), None);
        assert_eq!(talk.bob_reads(&first).unwrap(), b"first");
        refuse_changed_field(&mut talk, &second, &first, 1);
        assert_eq!(talk.bob_reads(&second).unwrap(), b"second");
        talk.round_trip();

        let third = talk.alice_says(b"third");
        refuse_changed_field(&mut talk, &third, &second, 1);
        assert_eq!(talk.bob_reads(&third).unwrap(), b"third");
        assert_eq!(talk.at_bob.pq_epoch(), Some(1));
    }
}

fn refuse_changed_field(talk: &mut Talk, message: &Wire, other: &Wire, step: usize) {
    let original = field(message, PQ_FIELD).unwrap();
    let others = field(other, PQ_FIELD).unwrap();
    let replaced = |value: Vec<u8>| inner(message, |fields| set(fields, PQ_FIELD, bytes(value)));
    let changed = [
        replaced(Vec::new()),
        replaced(vec![0]),
        replaced(vec![2]),
        replaced(original[..original.len() - 1].to_vec()),
        replaced([original.as_slice(), &[0]].concat()),
        replaced(others),
        replaced(vec![1, 1, 0, 0]),
        replaced(vec![1, 2, 1, 0]),
        replaced([[1].as_slice(), &[0xff; 9], &[1, 1, 0]].concat()),
        inner(message, without(PQ_FIELD)),
    ];
    for changed in changed
        .into_iter()
        .chain(flips(message, PQ_FIELD).step_by(step))
    {
        let error = talk.bob_refuses(&changed);
        let expected = [Error::InvalidMessage, Error::TooFarAhead, Error::Downgrade];
        assert!(expected.contains(&error), "{error}");
    }
}

/// A stripped answer must not pass for a peer without the ratchet.
#[test]
fn a_stripped_answer_does_not_switch_the_offered_ratchet_off() {
    for bobs in [PqPolicy::Required, PqPolicy::Allowed] {
        let mut talk = started(3, PqPolicy::Allowed, bobs);
        let first = talk.alice_says(b"first");
        assert_eq!(talk.bob_reads(&first).unwrap(), b"first");
        let answer = talk.bob_says(b"answer");
        let before = talk.at_alice.encode();
        for stripped in [
            inner(&answer, without(PQ_FIELD)),
            inner(&answer, |fields| set(fields, PQ_FIELD, bytes([]))),
        ] {
            assert_eq!(talk.alice_reads(&stripped), Err(Error::InvalidMessage));
            assert_eq!(talk.at_alice.encode(), before);
        }
        assert_eq!(talk.alice_reads(&answer).unwrap(), b"answer");
        assert_eq!(talk.at_alice.pq_epoch(), Some(1));
    }
}

#[test]
fn changed_version_bytes_and_stripped_kem_parts_are_refused() {
    let mut talk = started(4, PqPolicy::Required, PqPolicy::Required);
    let first = talk.alice_says(b"first");
    for version in (0..=255).filter(|version| version >> 4 != 4) {
        let outer = [&[version], &first.1[1..]].concat();
        let both = |kem: bool| {
            let mut message = edit(&first.1, 0, |fields| {
                let mut inner = get(fields, 4).to_vec();
                inner[0] = version;
                set(fields, 4, Value::Bytes(inner));
                fields.retain(|(number, _)| kem || *number < 7);
            });
            message[0] = version;
            message
        };
        for changed in [outer, both(true), both(false)] {
            talk.bob_refuses(&(MessageType::PreKey, changed));
        }
    }
    // The low half is ignored outside, and under the MAC inside.
    let inner_low = edit(&first.1, 0, |fields| {
        let mut inner = get(fields, 4).to_vec();
        inner[0] = 0x43;
        set(fields, 4, Value::Bytes(inner));
    });
    let refused = talk.bob_refuses(&(MessageType::PreKey, inner_low));
    assert_eq!(refused, Error::InvalidMessage);
    assert_eq!(talk.bob_reads(&first).unwrap(), b"first");
}

#[test]
fn a_bundle_without_its_kem_key_or_with_another_starts_nothing() {
    let mut talk = Talk::new(5);
    talk.at_alice.set_pq_policy(PqPolicy::Required);
    let mut other = talk.bob.bundle(true, KemKey::Kyber);
    other.kem_pre_key = talk.alice.bundle(true, KemKey::Kyber).kem_pre_key;
    let mut swapped = talk.bob.bundle(true, KemKey::Kyber);
    let ml_kem = talk.bob.bundle(true, KemKey::MlKem).kem_pre_key.unwrap();
    swapped.kem_pre_key.as_mut().unwrap().key = ml_kem.key;
    let unsigned = Error::InvalidSignature(KeyRole::KemPreKey);
    for (bundle, expected) in [
        (talk.bob.bundle(true, KemKey::None), Error::Downgrade),
        (other, unsigned),
        (swapped, unsigned),
    ] {
        let before = talk.at_alice.encode();
        let local = talk.alice.local();
        let result = talk.at_alice.initiate(local, &bundle, NOW, &mut talk.rng);
        assert_eq!(result, Err(expected));
        assert_eq!(talk.at_alice.encode(), before);
        assert!(!talk.at_alice.can_send(NOW));
    }
}

#[test]
fn who_requires_the_ratchet_refuses_a_first_message_without_it() {
    for kem in KemKey::ALL {
        let mut talk = Talk::new(6);
        talk.at_bob.set_pq_policy(PqPolicy::Required);
        talk.start(true, kem);
        let first = talk.alice_says(b"first");
        assert_eq!(talk.bob_refuses(&first), Error::Downgrade);
        // And what is offered to one without it, and required of it, is not read.
        let mut talk = started(6, PqPolicy::Required, PqPolicy::Off);
        let first = talk.alice_says(b"first");
        assert_eq!(talk.bob_refuses(&first), Error::InvalidMessage);
    }
}

#[test]
fn a_peer_once_post_quantum_does_not_start_without_it_later() {
    for bobs in [PqPolicy::Required, PqPolicy::Allowed, PqPolicy::Off] {
        let mut talk = established(7, PqPolicy::Required, PqPolicy::Allowed);
        talk.at_bob.set_pq_policy(bobs);
        talk.at_bob = Session::decode(&talk.at_bob.encode()).unwrap();
        for kem in [KemKey::None, KemKey::Kyber, KemKey::MlKem] {
            talk.at_alice = Session::new(PqPolicy::Off);
            talk.start(false, kem);
            let first = talk.alice_says(b"weaker");
            assert_eq!(talk.bob_refuses(&first), Error::Downgrade);
        }
        // Archived, it counts as much.
        talk.at_bob.archive_current();
        let again = talk.alice_says(b"weaker");
        assert_eq!(talk.bob_refuses(&again), Error::Downgrade);
    }
}

#[test]
fn whoever_was_once_post_quantum_does_not_start_without_it_itself() {
    let mut talk = established(8, PqPolicy::Allowed, PqPolicy::Required);
    assert_eq!(talk.at_alice.pq_epoch(), Some(1));
    let bundle = talk.bob.bundle(false, KemKey::None);
    let before = talk.at_alice.encode();
    let local = talk.alice.local();
    let result = talk.at_alice.initiate(local, &bundle, NOW, &mut talk.rng);
    assert_eq!(result, Err(Error::Downgrade));
    assert_eq!(talk.at_alice.encode(), before);

    // The new start requires what the policy would only allow.
    talk.start(false, KemKey::Kyber);
    assert_eq!(talk.at_alice.pq_epoch(), Some(1));
    talk.at_bob = Session::new(PqPolicy::Off);
    let first = talk.alice_says(b"again");
    assert_eq!(talk.bob_refuses(&first), Error::InvalidMessage);
    talk.at_bob.set_pq_policy(PqPolicy::Allowed);
    assert_eq!(talk.bob_reads(&first).unwrap(), b"again");
    assert_eq!(talk.at_bob.pq_epoch(), Some(1));
}

#[test]
fn offered_to_a_peer_without_it_the_ratchet_is_off_for_good_in_that_session() {
    // Offered by Alice, who then knows by the answer; and by Bob, who knows by the first message.
    for (alice, bob) in [
        (PqPolicy::Allowed, PqPolicy::Off),
        (PqPolicy::Off, PqPolicy::Allowed),
    ] {
        let mut talk = started(9, alice, bob);
        let late = talk.alice_says(b"late");
        let offered = field(&late, PQ_FIELD).is_some();
        assert_eq!(offered, alice == PqPolicy::Allowed);
        talk.round_trip();
        talk.at_alice.set_pq_policy(PqPolicy::Allowed);
        talk.at_bob.set_pq_policy(PqPolicy::Allowed);
        for _ in 0..5 {
            talk.round_trip();
            let said = talk.alice_says(b"said");
            assert_eq!(field(&said, PQ_FIELD), None);
            assert_eq!(talk.bob_reads(&said).unwrap(), b"said");
            assert_eq!(talk.at_alice.pq_epoch(), None);
            assert_eq!(talk.at_bob.pq_epoch(), None);
        }
        let before = late.clone();
        assert_eq!(talk.bob_refuses(&before), Error::InvalidMessage);
        // A new start is another session.
        talk.start(false, KemKey::Kyber);
        talk.round_trip();
        assert_eq!(talk.at_alice.pq_epoch(), Some(1));
        assert_eq!(talk.at_bob.pq_epoch(), Some(1));
    }
}

#[test]
fn requiring_and_allowing_agree_on_it_in_both_directions() {
    for (alice, bob) in [
        (PqPolicy::Required, PqPolicy::Allowed),
        (PqPolicy::Allowed, PqPolicy::Required),
        (PqPolicy::Allowed, PqPolicy::Allowed),
    ] {
        let mut talk = started(10, alice, bob);
        let flight = [b"0", b"1", b"2"].map(|text| talk.alice_says(text));
        for message in flight.iter().rev() {
            let index = field(message, PQ_FIELD).unwrap()[2];
            assert_eq!(index == 0, alice == PqPolicy::Allowed);
            talk.bob_reads(message).unwrap();
            assert_eq!(talk.at_bob.pq_epoch(), Some(1));
        }
        for _ in 0..200 {
            talk.round_trip();
        }
        assert!(talk.at_alice.pq_epoch() > Some(4));
        assert!(talk.at_bob.pq_epoch() > Some(4));
    }
}

/// Both start at once; a message for the state that one side has just archived must reach it there.
#[test]
fn starting_at_the_same_moment_both_end_up_on_one_session() {
    for policy in [PqPolicy::Required, PqPolicy::Allowed] {
        let mut talk = started(13, policy, policy);
        let bundle = talk.alice.bundle(true, KemKey::Kyber);
        let local = talk.bob.local();
        talk.at_bob
            .initiate(local, &bundle, NOW, &mut talk.rng)
            .unwrap();
        let (alices, bobs) = (talk.alice_says(b"from Alice"), talk.bob_says(b"from Bob"));
        assert_eq!(talk.bob_reads(&alices).unwrap(), b"from Alice");
        assert_eq!(talk.alice_reads(&bobs).unwrap(), b"from Bob");
        // They cross once more, each on the other's start.
        let (alices, bobs) = (talk.alice_says(b"from Alice"), talk.bob_says(b"from Bob"));
        assert_eq!(talk.bob_reads(&alices).unwrap(), b"from Alice");
        assert_eq!(talk.alice_reads(&bobs).unwrap(), b"from Bob");
        for _ in 0..10 {
            talk.round_trip();
        }
        assert_eq!(talk.at_alice.pq_epoch(), Some(1));
        assert_eq!(talk.at_alice.version(), Some(ProtocolVersion::V4));
        assert_eq!(talk.at_alice.base_key(), talk.at_bob.base_key());
        for _ in 0..100 {
            talk.round_trip();
        }
        assert!(talk.at_bob.pq_epoch() > Some(2));
    }
}
