//! Attacks on sender keys: rows D3 to D8, and B1 and B10 for groups, of the project's list of attacks.
//!
//! Not shown here, because this crate has no part in it: who is a member (D1, D2), when a sender
//! rotates (D3, D5: the SDK calls `rotate`; here it has been called), that a distribution message
//! comes over its sender's own session (D7: the SDK files each under the session's identity), what
//! group messages say (D9), invitations (D10).
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

use cast::rng;
use forge::{Value, edit, get, number, parse, set};
use hushpost_protocol::{
    DistributionId, Error, InboundSenderKey, KeyRole, MAX_FORWARD_JUMP, MAX_SENDER_KEY_STATES,
    OutboundSenderKey, SenderKeyDistributionMessage, SenderKeyMessage, SigningKeyPair,
};
use rand_chacha::ChaCha20Rng;
use uuid::Uuid;

const GROUP: DistributionId = DistributionId(Uuid::from_u128(1));

/// Alice sends; Bob has read along from the start.
struct Group {
    alice: OutboundSenderKey,
    at_bob: InboundSenderKey,
    rng: ChaCha20Rng,
}

fn group(seed: u64) -> Group {
    let mut rng = rng(seed);
    let alice = OutboundSenderKey::generate(GROUP, &mut rng).unwrap();
    let at_bob = member_from_now(&alice);
    Group { alice, at_bob, rng }
}

/// A member who gets the distribution message at this moment.
fn member_from_now(sender: &OutboundSenderKey) -> InboundSenderKey {
    let mut member = InboundSenderKey::new(GROUP);
    member.process(&sender.distribution_message()).unwrap();
    member
}

impl Group {
    fn say(&mut self, text: &[u8]) -> SenderKeyMessage {
        self.alice.encrypt(text, &mut self.rng).unwrap()
    }

    /// Rotates and tells Bob.
    fn rotate(&mut self) {
        self.alice.rotate(&mut self.rng).unwrap();
        self.at_bob
            .process(&self.alice.distribution_message())
            .unwrap();
    }

    /// Why Bob does not read this; nothing of his may have changed.
    #[track_caller]
    fn bob_refuses(&mut self, bytes: &[u8]) -> Error {
        let before = self.at_bob.encode();
        let message = SenderKeyMessage::from_bytes(bytes).unwrap();
        let error = self.at_bob.decrypt(&message).unwrap_err();
        assert_eq!(self.at_bob.encode(), before);
        error
    }
}

/// D3: Fiona left and kept everything.
#[test]
fn a_removed_member_reads_nothing_after_the_rotation() {
    let mut group = group(100);
    let mut at_fiona = member_from_now(&group.alice);
    let before = group.say(b"with Fiona");
    assert_eq!(at_fiona.decrypt(&before).unwrap(), b"with Fiona");
    let in_flight = group.say(b"in flight");
    group.rotate();
    for text in [b"without", b"Fiona  "] {
        let message = group.say(text);
        assert_eq!(at_fiona.decrypt(&message), Err(Error::NoSenderKey));
        assert_eq!(group.at_bob.decrypt(&message).unwrap(), text);
        // Nor under the id of the chain she knows.
        let old_id = number(in_flight.chain_id().0);
        let renamed = edit(message.as_bytes(), 64, |fields| set(fields, 2, old_id));
        let renamed = SenderKeyMessage::from_bytes(&renamed).unwrap();
        let refused = at_fiona.decrypt(&renamed);
        assert_eq!(refused, Err(Error::InvalidSignature(KeyRole::SenderKey)));
    }
    // What was sent before the rotation still arrives.
    assert_eq!(group.at_bob.decrypt(&in_flight).unwrap(), b"in flight");
}

/// D4: Fiona joins and tries everything that was ever sent.
#[test]
fn a_new_member_reads_nothing_from_before() {
    let mut group = group(101);
    let mut old: Vec<_> = (0..50u8).map(|text| group.say(&[text])).collect();
    group.rotate();
    old.extend((0..50u8).map(|text| group.say(&[text])));
    let mut at_fiona = member_from_now(&group.alice);
    let stored = at_fiona.encode();
    for message in &old {
        assert!(matches!(
            at_fiona.decrypt(message),
            Err(Error::NoSenderKey | Error::DuplicateMessage)
        ));
    }
    assert_eq!(at_fiona.encode(), stored);
    let message = group.say(b"welcome");
    assert_eq!(at_fiona.decrypt(&message).unwrap(), b"welcome");
}

/// D5: a thief has Bob's state as of message 5.
#[test]
fn stolen_state_opens_later_messages_until_the_rotation_and_none_before() {
    let mut group = group(102);
    let early: Vec<_> = (0..5u8).map(|text| group.say(&[text])).collect();
    for message in &early {
        group.at_bob.decrypt(message).unwrap();
    }
    let mut thief = InboundSenderKey::decode(&group.at_bob.encode()).unwrap();
    for message in &early {
        assert_eq!(thief.decrypt(message), Err(Error::DuplicateMessage));
    }
    let message = group.say(b"read by the thief");
    assert_eq!(thief.decrypt(&message).unwrap(), b"read by the thief");
    group.rotate();
    let message = group.say(b"healed");
    assert_eq!(thief.decrypt(&message), Err(Error::NoSenderKey));
    assert_eq!(group.at_bob.decrypt(&message).unwrap(), b"healed");
}

/// D6: Fiona holds Alice's chain key, as every member does, and signs with a key of her own.
#[test]
fn another_member_cannot_write_in_the_senders_name() {
    let mut group = group(103);
    let fiona = SigningKeyPair::generate(&mut group.rng).unwrap();
    let mut of_fiona = OutboundSenderKey::generate(GROUP, &mut group.rng).unwrap();
    let message = group.say(b"from Alice");
    let content = &message.as_bytes()[..message.as_bytes().len() - 64];
    let signature = fiona.sign(&[content], &mut group.rng).unwrap();
    let forged = [content, &signature].concat();
    let expected = Error::InvalidSignature(KeyRole::SenderKey);
    assert_eq!(group.bob_refuses(&forged), expected);

    // Her own message, renamed to Alice's chain.
    let hers = of_fiona
        .encrypt(b"from Alice, really", &mut group.rng)
        .unwrap();
    assert_eq!(group.bob_refuses(hers.as_bytes()), Error::NoSenderKey);
    let id = number(group.alice.chain_id().0);
    let renamed = edit(hers.as_bytes(), 64, |fields| set(fields, 2, id));
    assert_eq!(group.bob_refuses(&renamed), expected);
    assert_eq!(group.at_bob.decrypt(&message).unwrap(), b"from Alice");
}

/// D6: the same message in another group, chain or place.
#[test]
fn a_message_is_bound_to_its_group_chain_and_number() {
    let mut group = group(104);
    let other = DistributionId(Uuid::from_u128(2));
    let message = group.say(b"here");
    let mut elsewhere = InboundSenderKey::new(other);
    assert_eq!(elsewhere.decrypt(&message), Err(Error::NoSenderKey));
    let distribution = group.alice.distribution_message();
    assert_eq!(elsewhere.process(&distribution), Err(Error::NoSenderKey));
    assert_eq!(elsewhere.chain_count(), 0);

    // Even if the same chain were introduced there.
    let renamed = edit(&distribution.to_bytes(), 0, |fields| {
        set(fields, 1, Value::Bytes(other.0.as_bytes().to_vec()));
    });
    let renamed = SenderKeyDistributionMessage::from_bytes(&renamed).unwrap();
    elsewhere.process(&renamed).unwrap();
    let moved = edit(message.as_bytes(), 64, |fields| {
        set(fields, 1, Value::Bytes(other.0.as_bytes().to_vec()));
    });
    let moved = SenderKeyMessage::from_bytes(&moved).unwrap();
    let expected = Err(Error::InvalidSignature(KeyRole::SenderKey));
    assert_eq!(elsewhere.decrypt(&moved), expected);

    let renumbered = edit(message.as_bytes(), 64, |fields| set(fields, 3, number(1)));
    let expected = Error::InvalidSignature(KeyRole::SenderKey);
    assert_eq!(group.bob_refuses(&renumbered), expected);
    assert_eq!(group.at_bob.decrypt(&message).unwrap(), b"here");
    assert_eq!(
        group.bob_refuses(message.as_bytes()),
        Error::DuplicateMessage
    );
}

/// D7: a sender who announces 100 chains pushes out only its own old ones, and the state is bounded.
#[test]
fn a_flood_of_distribution_messages_is_bounded_and_hurts_its_sender_only() {
    let mut group = group(105);
    let of_fiona = OutboundSenderKey::generate(GROUP, &mut group.rng).unwrap();
    let mut fiona_at_bob = member_from_now(&of_fiona);
    let first = group.say(b"first chain");
    let mut kept = Vec::new();
    for _ in 0..100 {
        group.rotate();
        kept.push(group.say(b"kept?"));
    }
    assert_eq!(group.at_bob.chain_count(), MAX_SENDER_KEY_STATES);
    assert!(group.at_bob.encode().len() <= 600);
    assert_eq!(group.bob_refuses(first.as_bytes()), Error::NoSenderKey);
    for (age, message) in kept.iter().rev().enumerate() {
        if age < MAX_SENDER_KEY_STATES {
            assert_eq!(group.at_bob.decrypt(message).unwrap(), b"kept?");
        } else {
            assert_eq!(group.bob_refuses(message.as_bytes()), Error::NoSenderKey);
        }
    }
    let mut of_fiona = of_fiona;
    let message = of_fiona.encrypt(b"unharmed", &mut group.rng).unwrap();
    assert_eq!(fiona_at_bob.decrypt(&message).unwrap(), b"unharmed");
}

/// D7: a distribution message sent again neither rewinds the chain nor moves it on.
#[test]
fn a_repeated_distribution_message_does_not_open_old_messages_again() {
    let mut group = group(106);
    let distribution = group.alice.distribution_message();
    let first = group.say(b"first");
    let second = group.say(b"second");
    assert_eq!(group.at_bob.decrypt(&second).unwrap(), b"second");
    group.at_bob.process(&distribution).unwrap();
    assert_eq!(
        group.bob_refuses(second.as_bytes()),
        Error::DuplicateMessage
    );
    group
        .at_bob
        .process(&group.alice.distribution_message())
        .unwrap();
    assert_eq!(group.at_bob.decrypt(&first).unwrap(), b"first");
}

/// Alice's chain further on, without encrypting all the messages between: the stored form is kind,
/// version, distribution id, chain id, chain key, index, and the signing key's parts.
fn moved_to(sender: &OutboundSenderKey, index: u32) -> OutboundSenderKey {
    let distribution = parse(&sender.distribution_message().to_bytes()[1..]);
    let chain_key: [u8; 32] = get(&distribution, 4).try_into().unwrap();
    let steps = index - sender.iteration();
    // Beyond what can be walked here, the key is as good as any: it is told to the members.
    let chain_key = forge::walk(chain_key, steps.min(100_000));
    let stored = sender.encode();
    let mut moved = stored[..2 + 16].to_vec();
    forge::put_varint(&mut moved, sender.chain_id().0.into());
    moved.extend(chain_key);
    forge::put_varint(&mut moved, index.into());
    moved.extend(&stored[stored.len() - 96..]);
    OutboundSenderKey::decode(&moved).unwrap()
}

/// D8, B1: an authentic number may be 25,000 ahead and not one more, and 2,000 late ones stay
/// readable.
#[test]
fn a_jump_in_a_group_is_bounded() {
    for jump in [24_999, MAX_FORWARD_JUMP] {
        let mut group = group(107);
        let oldest = moved_to(&group.alice, jump - 2_000);
        let too_old = moved_to(&group.alice, jump - 2_001);
        group.alice = moved_to(&group.alice, jump);
        let message = group.say(b"far");
        assert_eq!(group.at_bob.decrypt(&message).unwrap(), b"far");
        assert!(group.at_bob.encode().len() < 80_000);
        group.alice = oldest;
        let message = group.say(b"late");
        assert_eq!(group.at_bob.decrypt(&message).unwrap(), b"late");
        group.alice = too_old;
        let message = group.say(b"too late");
        assert_eq!(
            group.bob_refuses(message.as_bytes()),
            Error::DuplicateMessage
        );
    }
    let mut group = group(108);
    for ahead in [MAX_FORWARD_JUMP + 1, 1 << 31, u32::MAX - 1] {
        group.alice = moved_to(&group.alice, ahead);
        let message = group.say(b"too far");
        assert_eq!(group.bob_refuses(message.as_bytes()), Error::TooFarAhead);
    }
}

/// B10: at the end of the counter the chain stops with an error, and rotation goes on.
#[test]
fn a_senders_chain_ends_with_an_error() {
    let mut group = group(109);
    group.alice = moved_to(&group.alice, u32::MAX - 2);
    group.at_bob = member_from_now(&group.alice);
    for iteration in [u32::MAX - 2, u32::MAX - 1] {
        let message = group.say(b"one of the last");
        assert_eq!(message.iteration(), iteration);
        assert_eq!(group.at_bob.decrypt(&message).unwrap(), b"one of the last");
    }
    let stored = group.alice.encode();
    let refused = group.alice.encrypt(b"one too many", &mut group.rng);
    assert_eq!(refused.unwrap_err(), Error::ChainExhausted);
    assert_eq!(group.alice.encode(), stored);
    group.rotate();
    let message = group.say(b"a new chain");
    assert_eq!(group.at_bob.decrypt(&message).unwrap(), b"a new chain");
}
