//! Sessions that were replaced: their messages are still read, up to the limits.

use hushpost_interop::conversation::round_trips;
use hushpost_interop::implementation::Implementation;
use hushpost_interop::json;
use hushpost_interop::pairing::Stage;
use hushpost_interop::sessions::{Ciphertext, Form, Offer};

use super::Subject;

pub const SCENARIOS: Subject = &[
    ("re_initiation", re_initiation),
    ("both_start_over_at_once", both_start_over_at_once),
    (
        "ours_never_goes_back_to_a_weaker_version",
        ours_never_goes_back,
    ),
    ("forty_sessions_are_kept", forty_sessions_are_kept),
    (
        "five_receiving_chains_are_kept",
        five_receiving_chains_are_kept,
    ),
];

fn re_initiation(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    alice.meet(&bob, Offer::X3DH);
    round_trips(&alice, &bob, 3);
    let late_from_alice = alice.write(&bob, "late, from alice");
    let late_from_bob = bob.write(&alice, "late, from bob");
    assert_eq!(late_from_alice.form, Form::Whisper);

    alice.meet(&bob, Offer::PQXDH);
    let fresh = alice.write(&bob, "let us start over");
    assert_eq!(fresh.form, Form::PreKey);
    bob.read(&alice, &fresh, "let us start over");
    for (here, there) in [(&alice, &bob), (&bob, &alice)] {
        let info = here.session_info(&there.address);
        assert_eq!(json::number(&info, "version"), 4, "{here}");
        assert_eq!(json::number(&info, "archived"), 1, "{here}");
    }

    bob.read(&alice, &late_from_alice, "late, from alice");
    alice.read(&bob, &late_from_bob, "late, from bob");
    for (late, reader, writer) in [
        (&late_from_alice, &bob, &alice),
        (&late_from_bob, &alice, &bob),
    ] {
        reader
            .decrypt(&writer.address, late)
            .expect_err("an archived message is read only once")
            .assert_code("duplicate_message");
    }
    round_trips(&bob, &alice, 10);
}

fn both_start_over_at_once(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    alice.meet(&bob, Offer::PQXDH);
    for _ in 0..10 {
        round_trips(&alice, &bob, 1);
        alice.meet(&bob, Offer::PQXDH_DEPLETED);
        bob.meet(&alice, Offer::PQXDH);
        let from_alice = alice.write(&bob, "over again");
        let from_bob = bob.write(&alice, "once more");
        bob.read(&alice, &from_alice, "over again");
        alice.read(&bob, &from_bob, "once more");
    }
    round_trips(&bob, &alice, 10);
}

/// The official library of this generation does go back. Ours takes a weaker handshake for what it would
/// be once both can do better: somebody in between.
fn ours_never_goes_back(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    for (ours, other) in [(&alice, &bob), (&bob, &alice)] {
        if ours.implementation() != Implementation::Ours {
            continue;
        }
        ours.meet(other, Offer::PQXDH);
        round_trips(ours, other, 2);
        ours.process_bundle(&other.address, &other.bundle(Offer::X3DH))
            .expect_err("a weaker bundle")
            .assert_code("legacy_version");
        round_trips(ours, other, 2);
        if other
            .process_bundle(&ours.address, &ours.bundle(Offer::X3DH))
            .is_ok()
        {
            ours.decrypt(&other.address, &other.write(ours, "weaker"))
                .expect_err("a weaker session")
                .assert_code("legacy_version");
        }
        other.meet(ours, Offer::PQXDH);
        round_trips(other, ours, 3);
    }
}

fn forty_sessions_are_kept(stage: &mut Stage) {
    const ARCHIVED: usize = 40;
    const EXTRA: usize = 3;
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    let late: Vec<Ciphertext> = (0..=ARCHIVED + EXTRA)
        .map(|_| {
            alice.meet(&bob, Offer::X3DH);
            bob.read(&alice, &alice.write(&bob, "on time"), "on time");
            alice.write(&bob, "late")
        })
        .collect();
    for (here, there) in [(&alice, &bob), (&bob, &alice)] {
        let info = here.session_info(&there.address);
        assert_eq!(json::number(&info, "archived"), ARCHIVED as u64, "{here}");
    }
    let (gone, kept) = late.split_at(EXTRA);
    for message in gone {
        // Its one-time key is used up, so the session cannot be made again either.
        bob.decrypt(&alice.address, message)
            .expect_err("the oldest sessions are gone");
    }
    for message in kept {
        bob.read(&alice, message, "late");
    }
    round_trips(&alice, &bob, 3);
}

fn five_receiving_chains_are_kept(stage: &mut Stage) {
    const KEPT: usize = 5;
    const TURNS: usize = 8;
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    alice.meet(&bob, Offer::X3DH);
    round_trips(&alice, &bob, 1);
    let late: Vec<Ciphertext> = (0..TURNS)
        .map(|_| {
            let late = alice.write(&bob, "late");
            round_trips(&alice, &bob, 1);
            late
        })
        .collect();
    let (gone, kept) = late.split_at(TURNS - KEPT);
    for message in kept {
        bob.read(&alice, message, "late");
    }
    for message in gone {
        bob.decrypt(&alice.address, message)
            .expect_err("the oldest chains are gone");
    }
    round_trips(&alice, &bob, 3);
}
