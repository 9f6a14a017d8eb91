//! Many messages lost in a row: how far a chain jumps, and how many skipped messages are still read.

use hushpost_interop::conversation::round_trips;
use hushpost_interop::pairing::Stage;
use hushpost_interop::party::Party;
use hushpost_interop::sessions::{Ciphertext, Offer};

use super::Subject;

pub const SCENARIOS: Subject = &[
    ("skipped_messages_are_read", skipped_messages_are_read),
    ("edge_in_a_first_flight", edge_in_a_first_flight),
    ("edge_in_a_fresh_chain", edge_in_a_fresh_chain),
];

/// The furthest jump: a message this much beyond the next expected one.
const FURTHEST: u32 = 25_000;
/// Skipped messages that a chain remembers.
const REMEMBERED: usize = 2_000;

fn skipped_messages_are_read(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    alice.meet(&bob, Offer::PQXDH);
    round_trips(&alice, &bob, 1);
    let messages = alice.write_numbers(&bob, 0..2_001);
    bob.read(&alice, &messages[REMEMBERED], "2000");
    for (number, plaintext) in bob
        .decrypt_all(&alice, &messages[..REMEMBERED])
        .into_iter()
        .enumerate()
    {
        let plaintext = plaintext.unwrap_or_else(|refusal| panic!("message {number}: {refusal}"));
        assert_eq!(plaintext, number.to_string().as_bytes());
    }
    round_trips(&alice, &bob, 3);
}

fn edge_in_a_first_flight(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    let offer = if stage.pairing.ratchets() {
        Offer::PQXDH
    } else {
        Offer::X3DH
    };
    alice.meet(&bob, offer);
    let messages = alice.write_numbers(&bob, 0..furthest(stage) + 3);
    bob.read(&alice, &messages[0], "0");
    jump(&bob, &alice, &messages[1..]);
    round_trips(&bob, &alice, 3);
}

fn edge_in_a_fresh_chain(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    alice.meet(&bob, Offer::PQXDH);
    round_trips(&alice, &bob, 2);
    let messages = bob.write_numbers(&alice, 0..furthest(stage) + 2);
    jump(&alice, &bob, &messages);
    round_trips(&alice, &bob, 3);
}

/// The post-quantum ratchet's own chain goes one step less far, and both must go.
fn furthest(stage: &Stage) -> u32 {
    FURTHEST - u32::from(stage.pairing.ratchets())
}

/// The first of the messages is the next expected one, and the last is one step too far.
fn jump(reader: &Party, writer: &Party, messages: &[Ciphertext]) {
    let (too_far, reachable) = messages.split_last().expect("there are messages");
    let (furthest, skipped) = reachable.split_last().expect("there are messages");
    reader
        .decrypt(&writer.address, too_far)
        .expect_err("one too far")
        .assert_code("too_far_ahead");
    reader
        .decrypt(&writer.address, furthest)
        .expect("as far as a chain jumps");

    let (forgotten, remembered) = skipped.split_at(skipped.len() - REMEMBERED);
    for message in [&forgotten[0], &forgotten[forgotten.len() - 1]] {
        reader
            .decrypt(&writer.address, message)
            .expect_err("older than what a chain remembers");
    }
    for message in [&remembered[0], &remembered[REMEMBERED - 1]] {
        reader
            .decrypt(&writer.address, message)
            .expect("among the last that were skipped");
    }
    // What was too far is next now.
    reader
        .decrypt(&writer.address, too_far)
        .expect("the next message");
}
