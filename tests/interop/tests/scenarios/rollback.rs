//! Crashes and old backups of our side (only ours can save and load): a crash loses nothing, and an old
//! state breaks nothing that a new session would not heal.

use hushpost_interop::conversation::round_trips;
use hushpost_interop::implementation::Implementation;
use hushpost_interop::pairing::Stage;
use hushpost_interop::party::Party;
use hushpost_interop::sessions::Offer;

use super::Subject;

pub const SCENARIOS: Subject = &[
    ("a_crash_loses_nothing", a_crash_loses_nothing),
    ("an_old_session_is_healed_by_us", |stage| {
        old_session(stage, |ours, theirs| ours.meet(theirs, Offer::PQXDH));
    }),
    ("an_old_session_is_healed_by_them", |stage| {
        old_session(stage, |ours, theirs| theirs.meet(ours, Offer::PQXDH));
    }),
    ("before_the_first_message", before_the_first_message),
    ("an_old_sender_key", an_old_sender_key),
];

fn a_crash_loses_nothing(stage: &mut Stage) {
    let (mut ours, theirs) = sides(stage);
    ours.meet(&theirs, Offer::PQXDH);
    let group = stage.uuid();
    theirs.join(&ours, group);
    ours.join(&theirs, group);
    for turn in 0..8 {
        let [late, lost] = ["late", "lost"].map(|line| format!("{line} {turn}"));
        // In turn zero, theirs has no session to write in yet.
        let inbound = (turn > 0).then(|| [&late, &lost].map(|line| theirs.write(&ours, line)));
        let outbound = ours.write(&theirs, "before the crash");
        if let Some([_, second]) = &inbound {
            ours.read(&theirs, second, &lost);
        }

        let info = ours.session_info(&theirs.address);
        let saved = ours.save();
        ours = ours.moved_to(&stage.another_process(&ours));
        ours.load(&saved).expect("what was saved is loaded");
        assert_eq!(ours.session_info(&theirs.address), info);

        theirs.read(&ours, &outbound, "before the crash");
        if let Some([first, second]) = &inbound {
            ours.read(&theirs, first, &late);
            ours.decrypt(&theirs.address, second)
                .expect_err("it was read before the crash")
                .assert_code("duplicate_message");
        }
        round_trips(&ours, &theirs, 2);
        theirs.hear(&ours, &ours.announce(group, "to all"), "to all");
        ours.hear(&theirs, &theirs.announce(group, "to all"), "to all");
    }
    // Unused pre-keys are part of what was saved.
    let bundle = ours.bundle(Offer::PQXDH);
    let saved = ours.save();
    ours = ours.moved_to(&stage.another_process(&ours));
    ours.load(&saved).expect("what was saved is loaded");
    theirs.process_bundle(&ours.address, &bundle).unwrap();
    round_trips(&theirs, &ours, 3);
}

fn old_session(stage: &mut Stage, heal: fn(&Party, &Party)) {
    let (ours, theirs) = sides(stage);
    theirs.meet(&ours, Offer::PQXDH);
    round_trips(&theirs, &ours, 3);
    let saved = ours.save();

    // What ours will have forgotten.
    let first = theirs.write(&ours, "first");
    ours.read(&theirs, &first, "first");
    round_trips(&ours, &theirs, 3);
    let under_way = theirs.write(&ours, "under way");

    ours.load(&saved).expect("an old state is a state");
    ours.read(&theirs, &first, "first");
    ours.decrypt(&theirs.address, &under_way)
        .expect_err("for a key that ours has forgotten")
        .assert_code("invalid_message");
    theirs
        .decrypt(&ours.address, &ours.write(&theirs, "again"))
        .expect_err("in the place of a message that theirs has read");

    heal(&ours, &theirs);
    let [from_ours, from_theirs] = [(&ours, &theirs), (&theirs, &ours)].map(|(writer, reader)| {
        writer
            .encrypt(&reader.address, b"let us start over")
            .unwrap()
    });
    // Only the side that starts over writes in the new session at once.
    let read = [
        theirs.decrypt(&ours.address, &from_ours),
        ours.decrypt(&theirs.address, &from_theirs),
    ];
    assert!(read.iter().any(Result::is_ok), "the new session is known");
    round_trips(&ours, &theirs, 10);
}

fn before_the_first_message(stage: &mut Stage) {
    let (ours, theirs) = sides(stage);
    theirs.meet(&ours, Offer::PQXDH);
    let hello = theirs.write(&ours, "hello");
    let saved = ours.save();
    ours.read(&theirs, &hello, "hello");
    theirs.read(
        &ours,
        &ours.write(&theirs, "hello yourself"),
        "hello yourself",
    );
    let under_way = theirs.write(&ours, "how are you?");

    ours.load(&saved).expect("an old state is a state");
    ours.decrypt(&theirs.address, &under_way)
        .expect_err("there is no session any more")
        .assert_code("no_session");
    // The one-time key is back, and with it the session, but not what was agreed after.
    ours.read(&theirs, &hello, "hello");
    ours.decrypt(&theirs.address, &under_way)
        .expect_err("for a key that ours has forgotten")
        .assert_code("invalid_message");
    ours.meet(&theirs, Offer::PQXDH);
    round_trips(&ours, &theirs, 10);
}

fn an_old_sender_key(stage: &mut Stage) {
    let (ours, theirs) = sides(stage);
    let group = stage.uuid();
    theirs.join(&ours, group);
    let saved = ours.save();
    for message in ours.announce_numbers(group, 0..5) {
        theirs.group_decrypt(&ours.address, &message).unwrap();
    }
    ours.load(&saved).expect("an old state is a state");
    for message in ours.announce_numbers(group, 0..5) {
        theirs
            .group_decrypt(&ours.address, &message)
            .expect_err("in the place of a message that theirs has read")
            .assert_code("duplicate_message");
    }
    // Past what was forgotten it goes on; a new key would do, too.
    theirs.hear(&ours, &ours.announce(group, "caught up"), "caught up");
    let next_group = stage.uuid();
    theirs.join(&ours, next_group);
    theirs.hear(&ours, &ours.announce(next_group, "rotated"), "rotated");
}

/// The side that can save and load, and the other.
pub(super) fn sides(stage: &mut Stage) -> (Party, Party) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    if alice.implementation() == Implementation::Ours {
        (alice, bob)
    } else {
        (bob, alice)
    }
}
