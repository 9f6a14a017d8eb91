//! Sessions between honest parties over honest and dishonest networks.

use hushpost_interop::conversation::{Conversation, round_trips};
use hushpost_interop::faults::Faults;
use hushpost_interop::pairing::Stage;
use hushpost_interop::sessions::{Form, Offer};
use rand::seq::SliceRandom as _;

use super::Subject;

pub const SCENARIOS: Subject = &[
    ("x3dh", |stage| greets(stage, Offer::X3DH)),
    ("x3dh_without_one_time_key", |stage| {
        greets(stage, Offer::X3DH_DEPLETED);
    }),
    ("pqxdh", |stage| greets(stage, Offer::PQXDH)),
    ("pqxdh_without_one_time_key", |stage| {
        greets(stage, Offer::PQXDH_DEPLETED);
    }),
    ("every_length_of_plaintext", every_length_of_plaintext),
    ("first_flight_out_of_order", first_flight_out_of_order),
    ("replies_are_lost", replies_are_lost),
    ("x3dh_over_a_bad_network", |stage| {
        bad_network(stage, Offer::X3DH);
    }),
    ("pqxdh_over_a_bad_network", |stage| {
        bad_network(stage, Offer::PQXDH_DEPLETED);
    }),
    ("simultaneous_x3dh", |stage| {
        simultaneous_start(stage, Offer::X3DH);
    }),
    ("simultaneous_pqxdh", |stage| {
        simultaneous_start(stage, Offer::PQXDH);
    }),
    ("simultaneous_pqxdh_without_one_time_keys", |stage| {
        simultaneous_start(stage, Offer::PQXDH_DEPLETED);
    }),
    ("devices_are_apart", devices_are_apart),
];

const BAD: Faults = Faults {
    lose: 0.15,
    repeat: 0.2,
    corrupt: 0.15,
    overtake: 3,
};

fn greets(stage: &mut Stage, offer: Offer) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    alice.meet(&bob, offer);

    let hello = alice.write(&bob, "hello");
    assert_eq!(hello.form, Form::PreKey);
    bob.read(&alice, &hello, "hello");

    let reply = bob.write(&alice, "hello yourself");
    assert_eq!(reply.form, Form::Whisper);
    alice.read(&bob, &reply, "hello yourself");

    let next = alice.write(&bob, "how are you?");
    assert_eq!(next.form, Form::Whisper, "the session is acknowledged");
    bob.read(&alice, &next, "how are you?");

    round_trips(&alice, &bob, 5);
    for (here, there) in [(&alice, &bob), (&bob, &alice)] {
        let info = here.session_info(&there.address);
        assert_eq!(info["version"], offer.version(), "{here}");
    }
}

fn every_length_of_plaintext(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    alice.meet(&bob, Offer::PQXDH);
    // Around the cipher's blocks, and a message of the largest size that the relay takes.
    for length in (0..50).chain([255, 256, 65_536]) {
        let plaintext = stage.bytes(length);
        let message = alice.write(&bob, &plaintext);
        bob.read(&alice, &message, &plaintext);
        let echo = bob.write(&alice, &plaintext);
        alice.read(&bob, &echo, &plaintext);
    }
}

fn first_flight_out_of_order(stage: &mut Stage) {
    for (round, offer) in [Offer::X3DH, Offer::PQXDH].into_iter().enumerate() {
        let (alice, bob) = (
            stage.home(&format!("alice {round}")),
            stage.away(&format!("bob {round}")),
        );
        alice.meet(&bob, offer);
        let mut flight: Vec<_> = (0..)
            .zip(alice.write_numbers(&bob, 0..12))
            .collect::<Vec<(u32, _)>>();
        flight.shuffle(&mut stage.rng);
        for (number, message) in &flight {
            bob.read(&alice, message, number.to_string());
        }
        round_trips(&bob, &alice, 5);
    }
}

fn replies_are_lost(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    alice.meet(&bob, Offer::PQXDH);
    for turn in 0..10 {
        let line = format!("are you there? {turn}");
        let message = alice.write(&bob, &line);
        assert_eq!(message.form, Form::PreKey, "nothing has come back yet");
        bob.read(&alice, &message, &line);
        let _lost = bob.write(&alice, "yes!");
    }
    let reply = bob.write(&alice, "yes, all the time");
    alice.read(&bob, &reply, "yes, all the time");
    assert_eq!(alice.write(&bob, "good").form, Form::Whisper);
    round_trips(&alice, &bob, 5);
}

fn bad_network(stage: &mut Stage, offer: Offer) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    alice.meet(&bob, offer);
    Conversation::started_by(&alice, &bob, BAD).play(200, &mut stage.rng);
    round_trips(&alice, &bob, 10);
}

fn simultaneous_start(stage: &mut Stage, offer: Offer) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    // Both fetch the other's bundle before either has heard anything.
    let (alices, bobs) = (alice.bundle(offer), bob.bundle(offer));
    alice.process_bundle(&bob.address, &bobs).unwrap();
    bob.process_bundle(&alice.address, &alices).unwrap();
    Conversation::started_by_both(&alice, &bob, BAD).play(200, &mut stage.rng);
    round_trips(&alice, &bob, 10);
}

fn devices_are_apart(stage: &mut Stage) {
    let alice = stage.home("alice");
    let phone = stage.away("bob's phone");
    let mut laptop = stage.persona("bob's laptop");
    laptop.address.name = phone.address.name;
    laptop.address.device = 127;
    let laptop = stage.away_as(laptop);

    alice.meet(&phone, Offer::PQXDH);
    alice.meet(&laptop, Offer::X3DH);
    round_trips(&alice, &phone, 3);
    round_trips(&alice, &laptop, 3);

    let message = alice.write(&laptop, "only for the laptop");
    phone
        .decrypt(&alice.address, &message)
        .expect_err("a device reads only its own");
    laptop.read(&alice, &message, "only for the laptop");
    let message = laptop.write(&alice, "from the laptop");
    alice
        .decrypt(&phone.address, &message)
        .expect_err("one device is not another");
    alice.read(&laptop, &message, "from the laptop");
}
