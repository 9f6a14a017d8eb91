//! A message that comes again: an error, nothing changes, and the next one is read.

use hushpost_interop::conversation::round_trips;
use hushpost_interop::pairing::Stage;
use hushpost_interop::party::Party;
use hushpost_interop::sessions::{Ciphertext, Offer};

use super::Subject;

pub const SCENARIOS: Subject = &[
    ("of_a_first_flight", of_a_first_flight),
    ("of_an_acknowledged_session", of_an_acknowledged_session),
    ("after_skipping", after_skipping),
];

fn of_a_first_flight(stage: &mut Stage) {
    let offers = [
        Offer::X3DH,
        Offer::X3DH_DEPLETED,
        Offer::PQXDH,
        Offer::PQXDH_DEPLETED,
    ];
    for (round, offer) in offers.into_iter().enumerate() {
        let alice = stage.home(&format!("alice {round}"));
        let bob = stage.away(&format!("bob {round}"));
        alice.meet(&bob, offer);
        let flight = alice.write_numbers(&bob, 0..5);
        for (number, message) in flight.iter().enumerate() {
            bob.read(&alice, message, number.to_string());
            for earlier in &flight[..=number] {
                comes_again(&bob, &alice, earlier);
            }
        }
        round_trips(&bob, &alice, 3);
        for message in &flight {
            comes_again(&bob, &alice, message);
        }
        round_trips(&alice, &bob, 3);
    }
}

fn of_an_acknowledged_session(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    alice.meet(&bob, Offer::PQXDH);
    round_trips(&alice, &bob, 1);
    for _ in 0..5 {
        for (writer, reader) in [(&alice, &bob), (&bob, &alice)] {
            let message = writer.write(reader, "once");
            reader.read(writer, &message, "once");
            for _ in 0..3 {
                comes_again(reader, writer, &message);
            }
            let next = writer.write(reader, "next");
            reader.read(writer, &next, "next");
            comes_again(reader, writer, &message);
        }
    }
}

fn after_skipping(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    alice.meet(&bob, Offer::X3DH);
    round_trips(&alice, &bob, 1);
    let messages = alice.write_numbers(&bob, 0..10);
    bob.read(&alice, &messages[9], "9");
    comes_again(&bob, &alice, &messages[9]);
    for number in [4, 0, 8] {
        bob.read(&alice, &messages[number], number.to_string());
        comes_again(&bob, &alice, &messages[number]);
    }
    // A skipped message is still there after its neighbours came again.
    for number in [1, 2, 3, 5, 6, 7] {
        bob.read(&alice, &messages[number], number.to_string());
    }
    for message in &messages {
        comes_again(&bob, &alice, message);
    }
    round_trips(&bob, &alice, 3);
}

fn comes_again(reader: &Party, writer: &Party, message: &Ciphertext) {
    reader
        .decrypt(&writer.address, message)
        .expect_err("a message is read only once")
        .assert_code("duplicate_message");
}
