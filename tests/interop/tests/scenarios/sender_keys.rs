//! Groups: one message for all, read with the sender's key.

use hushpost_interop::faults::{Copy, Faults, FaultyLink};
use hushpost_interop::pairing::Stage;
use hushpost_interop::party::{Party, Persona};
use hushpost_interop::tamper;
use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use uuid::Uuid;

use super::Subject;

pub const SCENARIOS: Subject = &[
    ("everybody_hears_everybody", everybody_hears_everybody),
    ("joining_late", joining_late),
    ("out_of_order", out_of_order),
    ("repeats", repeats),
    ("distributed_again", distributed_again),
    ("rotation", rotation),
    ("five_keys_are_kept", five_keys_are_kept),
    ("only_from_its_sender", only_from_its_sender),
    ("over_a_bad_network", over_a_bad_network),
    ("skipped_messages_are_heard", skipped_messages_are_heard),
    ("edge_of_a_jump", edge_of_a_jump),
];

fn pair(stage: &mut Stage) -> (Party, Party, Uuid) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    let group = stage.uuid();
    bob.join(&alice, group);
    (alice, bob, group)
}

fn everybody_hears_everybody(stage: &mut Stage) {
    let group = stage.uuid();
    let members = [
        stage.home("alice"),
        stage.away("bob"),
        stage.home("fiona"),
        stage.away("george"),
    ];
    let others = |sender: usize| (0..members.len()).filter(move |&other| other != sender);
    for (place, sender) in members.iter().enumerate() {
        let distribution = sender.skdm_create(group);
        for other in others(place) {
            members[other]
                .skdm_process(&sender.address, &distribution)
                .unwrap();
        }
    }
    for turn in 0..10 {
        for (place, sender) in members.iter().enumerate() {
            let line = format!("line {turn} of {sender}");
            let message = sender.announce(group, &line);
            for other in others(place) {
                members[other].hear(sender, &message, &line);
            }
        }
    }
    for length in (0..40).chain([65_536]) {
        let plaintext = stage.bytes(length);
        let message = members[0].announce(group, &plaintext);
        members[1].hear(&members[0], &message, &plaintext);
        let message = members[1].announce(group, &plaintext);
        members[0].hear(&members[1], &message, &plaintext);
    }
}

fn joining_late(stage: &mut Stage) {
    let (alice, bob, group) = pair(stage);
    let fiona = stage.away("fiona");
    let early = alice.announce_numbers(group, 0..7);
    fiona
        .group_decrypt(&alice.address, &early[0])
        .expect_err("fiona has no key yet")
        .assert_code("no_sender_key");
    fiona.join(&alice, group);
    for message in &early {
        fiona
            .group_decrypt(&alice.address, message)
            .expect_err("written before fiona joined");
    }
    for (number, message) in (7..).zip(alice.announce_numbers(group, 7..12)) {
        fiona.hear(&alice, &message, number.to_string());
        bob.hear(&alice, &message, number.to_string());
    }
    for (number, message) in early.iter().enumerate() {
        bob.hear(&alice, message, number.to_string());
    }
}

fn out_of_order(stage: &mut Stage) {
    let (alice, bob, group) = pair(stage);
    let mut messages: Vec<(u32, Vec<u8>)> =
        (0..).zip(alice.announce_numbers(group, 0..50)).collect();
    messages.shuffle(&mut stage.rng);
    for (number, message) in messages {
        bob.hear(&alice, &message, number.to_string());
    }
}

fn repeats(stage: &mut Stage) {
    let (alice, bob, group) = pair(stage);
    let messages = alice.announce_numbers(group, 0..20);
    for number in [0, 1, 5, 3, 19, 10] {
        bob.hear(&alice, &messages[number], number.to_string());
        for _ in 0..2 {
            repeated(&bob, &alice, &messages[number]);
        }
    }
    bob.hear(&alice, &messages[4], "4");
    bob.hear(&alice, &alice.announce(group, "next"), "next");
}

fn distributed_again(stage: &mut Stage) {
    let (alice, bob, group) = pair(stage);
    let first = alice.skdm_create(group);
    let messages = alice.announce_numbers(group, 0..10);
    for number in [0, 1, 2, 5] {
        bob.hear(&alice, &messages[number], number.to_string());
    }
    // Neither an old nor a new copy of a key that bob has sets his chain back or forward.
    for distribution in [&first, &alice.skdm_create(group), &first] {
        bob.skdm_process(&alice.address, distribution).unwrap();
        for number in [0, 1, 2, 5] {
            repeated(&bob, &alice, &messages[number]);
        }
    }
    for number in [3, 4, 6, 7, 8, 9] {
        bob.hear(&alice, &messages[number], number.to_string());
    }
}

fn rotation(stage: &mut Stage) {
    let (alice, bob, group) = pair(stage);
    let fiona = stage.away("fiona");
    fiona.join(&alice, group);
    let straggler = alice.announce(group, "before");

    // Fiona leaves: alice goes on with a key that fiona does not get.
    let next_group = stage.uuid();
    bob.join(&alice, next_group);
    let message = alice.announce(next_group, "after");
    fiona
        .group_decrypt(&alice.address, &message)
        .expect_err("fiona has left")
        .assert_code("no_sender_key");
    bob.hear(&alice, &message, "after");
    bob.hear(&alice, &straggler, "before");
    bob.hear(&alice, &alice.announce(next_group, "later"), "later");
}

fn five_keys_are_kept(stage: &mut Stage) {
    const KEPT: usize = 5;
    const KEYS: usize = 8;
    let bob = stage.away("bob");
    let group = stage.uuid();
    let persona = stage.persona("alice");
    let messages: Vec<(Party, Vec<u8>)> = (0..KEYS)
        .map(|number| {
            // Alice installs anew, and makes another key for the same group.
            let alice = stage.home_as(Persona {
                label: format!("alice {number}"),
                ..persona.clone()
            });
            bob.join(&alice, group);
            let message = alice.announce(group, "with my key");
            (alice, message)
        })
        .collect();
    let (gone, kept) = messages.split_at(KEYS - KEPT);
    for (alice, message) in gone {
        bob.group_decrypt(&alice.address, message)
            .expect_err("the oldest keys are gone")
            .assert_code("no_sender_key");
    }
    for (alice, message) in kept {
        bob.hear(alice, message, "with my key");
    }
    for (alice, _) in kept {
        bob.hear(alice, &alice.announce(group, "still"), "still");
    }
}

fn only_from_its_sender(stage: &mut Stage) {
    let (alice, bob, group) = pair(stage);
    let fiona = stage.home("fiona");
    let message = alice.announce(group, "from alice");
    bob.group_decrypt(&fiona.address, &message)
        .expect_err("fiona has given bob no key")
        .assert_code("no_sender_key");
    bob.join(&fiona, group);
    bob.group_decrypt(&fiona.address, &message)
        .expect_err("it is not with fiona's key");
    bob.hear(&alice, &message, "from alice");
    bob.hear(&fiona, &fiona.announce(group, "from fiona"), "from fiona");
}

fn over_a_bad_network(stage: &mut Stage) {
    let (alice, bob, group) = pair(stage);
    let mut link = FaultyLink::new(Faults {
        lose: 0.15,
        repeat: 0.2,
        corrupt: 0.2,
        overtake: 40,
    });
    let mut unsent = 0..300;
    loop {
        if stage.rng.random()
            && let Some(number) = unsent.next()
        {
            let message = alice.announce(group, number.to_string());
            link.carry((number, message), &mut stage.rng);
            continue;
        }
        let Some(delivery) = link.deliver(&mut stage.rng) else {
            if unsent.is_empty() {
                break;
            }
            continue;
        };
        let (number, message) = delivery.message;
        match delivery.copy {
            Copy::First => bob.hear(&alice, &message, number.to_string()),
            Copy::Repeat => repeated(&bob, &alice, &message),
            Copy::Damaged => {
                let mutant = tamper::damage(&message, &mut stage.rng);
                bob.group_decrypt(&alice.address, &mutant.bytes)
                    .expect_err("all of it is signed");
            }
        }
    }
    bob.hear(&alice, &alice.announce(group, "at last"), "at last");
}

fn skipped_messages_are_heard(stage: &mut Stage) {
    let (alice, bob, group) = pair(stage);
    let messages = alice.announce_numbers(group, 0..2_001);
    let (last, skipped) = messages.split_last().unwrap();
    bob.hear(&alice, last, "2000");
    for (number, plaintext) in bob.group_decrypt_all(&alice, skipped).iter().enumerate() {
        let plaintext = plaintext.as_ref().expect("among the last 2000");
        assert_eq!(*plaintext, number.to_string().as_bytes());
    }
}

fn edge_of_a_jump(stage: &mut Stage) {
    let (alice, bob, group) = pair(stage);
    let messages = alice.announce_numbers(group, 0..25_002);
    bob.group_decrypt(&alice.address, &messages[25_001])
        .expect_err("one too far")
        .assert_code("too_far_ahead");
    bob.hear(&alice, &messages[25_000], "25000");
    bob.group_decrypt(&alice.address, &messages[22_999])
        .expect_err("older than what a chain remembers");
    bob.hear(&alice, &messages[23_000], "23000");
    bob.hear(&alice, &messages[24_999], "24999");
    bob.hear(&alice, &messages[25_001], "25001");
}

fn repeated(reader: &Party, writer: &Party, message: &[u8]) {
    reader
        .group_decrypt(&writer.address, message)
        .expect_err("a message is heard only once")
        .assert_code("duplicate_message");
}
