//! The post-quantum ratchet beside the Double Ratchet: that it runs where both sides have it, that it
//! is given up where one side lets it be and the other has none, and that it survives what a session
//! must survive.

use hushpost_interop::conversation::{Conversation, round_trips};
use hushpost_interop::faults::Faults;
use hushpost_interop::implementation::Implementation;
use hushpost_interop::json;
use hushpost_interop::pairing::Stage;
use hushpost_interop::party::Party;
use hushpost_interop::sessions::{Form, Offer};
use rand::seq::SliceRandom as _;
use serde_json::Value;

use super::Subject;
use super::rollback::sides;

pub const SCENARIOS: Subject = &[
    ("over_a_bad_network", over_a_bad_network),
    ("first_flight_out_of_order", first_flight_out_of_order),
    ("strict_alternation", strict_alternation),
    ("simultaneous_start", simultaneous_start),
    ("saved_and_loaded_all_the_time", saved_and_loaded),
];

const BAD: Faults = Faults {
    lose: 0.15,
    repeat: 0.2,
    corrupt: 0.1,
    overtake: 3,
};

fn over_a_bad_network(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    alice.meet(&bob, Offer::PQXDH);
    Conversation::started_by(&alice, &bob, BAD).play(400, &mut stage.rng);
    round_trips(&alice, &bob, 10);
    assert_epoch(stage, &alice, &bob, 1);
}

fn first_flight_out_of_order(stage: &mut Stage) {
    for (round, offer) in [Offer::PQXDH, Offer::PQXDH_DEPLETED]
        .into_iter()
        .enumerate()
    {
        let alice = stage.home(&format!("alice {round}"));
        let bob = stage.away(&format!("bob {round}"));
        alice.meet(&bob, offer);
        let mut flight: Vec<_> = (0..).zip(alice.write_numbers(&bob, 0..12)).collect();
        flight.shuffle(&mut stage.rng);
        let (last, others) = flight.split_last().unwrap();
        for (number, message) in others {
            assert_eq!(message.form, Form::PreKey);
            bob.read(&alice, message, u32::to_string(number));
        }
        // The answer does not wait for all of it.
        let answer = bob.write(&alice, "I am here");
        alice.read(&bob, &answer, "I am here");
        round_trips(&alice, &bob, 2);
        bob.read(&alice, &last.1, last.0.to_string());
        round_trips(&bob, &alice, 5);
        assert_epoch(stage, &alice, &bob, 1);
    }
}

/// An epoch takes some 85 messages when each answers the one before.
fn strict_alternation(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    alice.meet(&bob, Offer::PQXDH);
    round_trips(&alice, &bob, 200);
    assert_epoch(stage, &alice, &bob, 5);
}

fn simultaneous_start(stage: &mut Stage) {
    for (round, offer) in [Offer::PQXDH, Offer::PQXDH_DEPLETED]
        .into_iter()
        .enumerate()
    {
        let alice = stage.home(&format!("alice {round}"));
        let bob = stage.away(&format!("bob {round}"));
        // Both fetch the other's bundle before either has heard anything.
        let (alices, bobs) = (alice.bundle(offer), bob.bundle(offer));
        alice.process_bundle(&bob.address, &bobs).unwrap();
        bob.process_bundle(&alice.address, &alices).unwrap();
        Conversation::started_by_both(&alice, &bob, BAD).play(200, &mut stage.rng);
        round_trips(&alice, &bob, 10);
        assert_epoch(stage, &alice, &bob, 1);
    }
}

/// Often enough for every state of the ratchet to be saved in.
fn saved_and_loaded(stage: &mut Stage) {
    let (mut ours, theirs) = sides(stage);
    ours.meet(&theirs, Offer::PQXDH);
    round_trips(&ours, &theirs, 1);
    for turn in 0..90 {
        let [late, read] = ["late", "read"].map(|line| theirs.write(&ours, line));
        let outbound = ours.write(&theirs, "before");
        ours.read(&theirs, &read, "read");

        let info = ours.session_info(&theirs.address);
        let saved = ours.save();
        if turn % 30 == 0 {
            ours = ours.moved_to(&stage.another_process(&ours));
        }
        ours.load(&saved).expect("what was saved is loaded");
        assert_eq!(ours.session_info(&theirs.address), info);

        theirs.read(&ours, &outbound, "before");
        ours.read(&theirs, &late, "late");
        ours.decrypt(&theirs.address, &read)
            .expect_err("it was read before")
            .assert_code("duplicate_message");
    }
    round_trips(&ours, &theirs, 5);
    assert_epoch(stage, &ours, &theirs, 2);
}

/// How far the ratchet has come, as ours tells; that it does not run where one side has none.
#[track_caller]
fn assert_epoch(stage: &Stage, alice: &Party, bob: &Party, at_least: u64) {
    for (here, there) in [(alice, bob), (bob, alice)] {
        if here.implementation() != Implementation::Ours {
            continue;
        }
        let info = here.session_info(&there.address);
        if stage.pairing.ratchets() {
            let epoch = json::number(&info, "pq_epoch");
            assert!(epoch >= at_least, "{here} is in epoch {epoch}");
        } else {
            assert_eq!(info["pq_epoch"], Value::Null, "{here}");
        }
        assert_eq!(json::number(&info, "version"), 4, "{here}");
    }
}
