//! A sender key recorded from the official library: its six messages in several orders, from the
//! start and from the middle.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

mod support;

use hushpost_protocol::{
    DistributionId, Error, InboundSenderKey, KeyRole, SenderKeyDistributionMessage,
    SenderKeyMessage,
};
use serde_json::Value;
use support::{bytes, fixture, list, text};
use uuid::Uuid;

fn group() -> Value {
    fixture("group.json")
}

fn distribution_message(group: &Value, field: &str) -> SenderKeyDistributionMessage {
    SenderKeyDistributionMessage::from_bytes(&bytes(group, field)).unwrap()
}

/// A member that was introduced by the distribution message in `field`.
fn member(group: &Value, field: &str) -> InboundSenderKey {
    let message = distribution_message(group, field);
    let mut member = InboundSenderKey::new(message.distribution_id());
    member.process(&message).unwrap();
    member
}

fn message(group: &Value, index: usize) -> SenderKeyMessage {
    SenderKeyMessage::from_bytes(&bytes(&list(group, "messages")[index], "message")).unwrap()
}

fn plaintext(group: &Value, index: usize) -> Vec<u8> {
    bytes(&list(group, "messages")[index], "plaintext")
}

#[test]
fn everything_parses_into_what_was_recorded_and_back_into_the_same_bytes() {
    let group = group();
    let id = DistributionId(Uuid::parse_str(text(&group, "distribution_id")).unwrap());
    let first = distribution_message(&group, "skdm");
    for (field, iteration) in [("skdm", 0), ("skdm_after_3", 3)] {
        let recorded = bytes(&group, field);
        let parsed = distribution_message(&group, field);
        assert_eq!(parsed.distribution_id(), id);
        assert_eq!(parsed.chain_id(), first.chain_id());
        assert_eq!(parsed.iteration(), iteration);
        assert_eq!(parsed.to_bytes().as_slice(), recorded);
    }
    for index in 0..6 {
        let parsed = message(&group, index);
        assert_eq!(parsed.distribution_id(), id);
        assert_eq!(parsed.chain_id(), first.chain_id());
        assert_eq!(parsed.iteration() as usize, index);
        let recorded = bytes(&list(&group, "messages")[index], "message");
        assert_eq!(parsed.as_bytes(), recorded);
    }
    assert_eq!(list(&group, "messages").len(), 6);
}

#[test]
fn the_messages_read_in_any_order_and_only_once() {
    let group = group();
    for order in [
        [0, 1, 2, 3, 4, 5],
        [5, 4, 3, 2, 1, 0],
        [2, 0, 5, 1, 4, 3],
        [3, 5, 4, 0, 2, 1],
        [1, 0, 3, 2, 5, 4],
    ] {
        let mut member = member(&group, "skdm");
        for index in order {
            let opened = member.decrypt(&message(&group, index));
            assert_eq!(opened, Ok(plaintext(&group, index)), "{order:?}");
            // Stored and loaded between any two messages.
            member = InboundSenderKey::decode(&member.encode()).unwrap();
        }
        let before = member.encode();
        for index in 0..6 {
            let again = member.decrypt(&message(&group, index));
            assert_eq!(again, Err(Error::DuplicateMessage));
        }
        assert_eq!(member.encode(), before);
    }
}

#[test]
fn a_late_member_reads_from_its_distribution_message_on_and_nothing_before() {
    let group = group();
    let mut member = member(&group, "skdm_after_3");
    let before = member.encode();
    for index in 0..3 {
        let early = member.decrypt(&message(&group, index));
        assert_eq!(early, Err(Error::DuplicateMessage));
    }
    assert_eq!(member.encode(), before);
    for index in [5, 3, 4] {
        let opened = member.decrypt(&message(&group, index));
        assert_eq!(opened, Ok(plaintext(&group, index)));
    }
}

#[test]
fn a_distribution_message_again_neither_rewinds_nor_forwards_the_chain() {
    let group = group();
    let mut member = member(&group, "skdm");
    member.decrypt(&message(&group, 0)).unwrap();
    member.decrypt(&message(&group, 2)).unwrap();
    let before = member.encode();
    for field in ["skdm", "skdm_after_3"] {
        member
            .process(&distribution_message(&group, field))
            .unwrap();
        assert_eq!(member.encode(), before);
    }
    let again = member.decrypt(&message(&group, 0));
    assert_eq!(again, Err(Error::DuplicateMessage));
    assert_eq!(
        member.decrypt(&message(&group, 1)),
        Ok(plaintext(&group, 1))
    );
    assert_eq!(
        member.decrypt(&message(&group, 5)),
        Ok(plaintext(&group, 5))
    );
}

#[test]
fn a_changed_message_is_refused_and_changes_nothing() {
    let group = group();
    let mut member = member(&group, "skdm");
    let before = member.encode();
    let recorded = bytes(&list(&group, "messages")[4], "message");
    let mut by_signature = 0;
    for bit in 0..recorded.len() * 8 {
        let mut changed = recorded.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let opened = SenderKeyMessage::from_bytes(&changed);
        let refused = opened
            .and_then(|message| member.decrypt(&message))
            .unwrap_err();
        by_signature += usize::from(refused == Error::InvalidSignature(KeyRole::SenderKey));
        assert_eq!(member.encode(), before, "bit {bit}");
    }
    // All but the framing: body, counter and the signature itself.
    assert!(by_signature >= (16 + 64) * 8, "{by_signature}");
    assert_eq!(
        member.decrypt(&message(&group, 4)),
        Ok(plaintext(&group, 4))
    );
}

#[test]
fn a_chain_that_was_not_introduced_opens_nothing() {
    let group = group();
    let id = distribution_message(&group, "skdm").distribution_id();
    let mut uninvited = InboundSenderKey::new(id);
    assert_eq!(
        uninvited.decrypt(&message(&group, 0)),
        Err(Error::NoSenderKey)
    );

    let mut elsewhere = InboundSenderKey::new(DistributionId(Uuid::nil()));
    let refused = elsewhere.process(&distribution_message(&group, "skdm"));
    assert_eq!(refused, Err(Error::NoSenderKey));
    assert_eq!(
        elsewhere.decrypt(&message(&group, 0)),
        Err(Error::NoSenderKey)
    );
    assert_eq!(elsewhere.chain_count(), 0);
}
