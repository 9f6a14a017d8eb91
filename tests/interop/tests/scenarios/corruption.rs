//! Damaged messages of every kind: an error, nothing changes, and the honest message is read after.
//!
//! A few bytes of some kinds are not authenticated (the envelope of a pre-key message, the version byte
//! of a sealed one). Damage there may pass, but then the message must say what it said.

use hushpost_interop::conversation::round_trips;
use hushpost_interop::implementation::Implementation;
use hushpost_interop::pairing::Stage;
use hushpost_interop::party::{Outcome, Party};
use hushpost_interop::protobuf;
use hushpost_interop::sealed::{Authority, Circular, EXPIRY};
use hushpost_interop::sessions::{Ciphertext, Form, Offer};
use hushpost_interop::tamper::{self, Damage, Mutant};
use rand::RngExt as _;

use super::Subject;

pub const SCENARIOS: Subject = &[
    ("of_first_x3dh_messages", |stage| {
        first_message(stage, Offer::X3DH);
    }),
    ("of_first_x3dh_messages_without_one_time_key", |stage| {
        first_message(stage, Offer::X3DH_DEPLETED);
    }),
    ("of_first_pqxdh_messages", |stage| {
        first_message(stage, Offer::PQXDH);
    }),
    ("of_first_pqxdh_messages_without_one_time_key", |stage| {
        first_message(stage, Offer::PQXDH_DEPLETED);
    }),
    ("of_later_pre_key_messages", later_pre_key_message),
    ("of_the_bit_that_the_curve_does_not_see", unseen_bit),
    ("of_acknowledged_sessions", acknowledged_session),
    ("of_versions_and_forms", versions_and_forms),
    ("of_sender_key_messages", sender_key_message),
    ("of_distribution_messages", distribution_message),
    ("of_sealed_messages", sealed_message),
    ("of_sealed_group_messages", sealed_group_message),
];

const LINE: &[u8] = b"what alice wrote";

fn first_message(stage: &mut Stage, offer: Offer) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    alice.meet(&bob, offer);
    let message = alice.write(&bob, LINE);
    let mutants = mutants_of(&message, stage);
    // The base key, the identity, the inner message and the post-quantum ciphertext make the keys.
    let guarded = |damage| is_in_field(&message.bytes, damage, &[2, 3, 4, 8]);
    let read = attack(mutants, guarded, decrypt(&bob, &alice, message.form));
    read_after(&bob, &alice, &message, read);
    round_trips(&bob, &alice, 3);
}

fn later_pre_key_message(stage: &mut Stage) {
    for (round, offer) in [Offer::X3DH, Offer::PQXDH].into_iter().enumerate() {
        let alice = stage.home(&format!("alice {round}"));
        let bob = stage.away(&format!("bob {round}"));
        alice.meet(&bob, offer);
        bob.read(&alice, &alice.write(&bob, "first"), "first");
        let message = alice.write(&bob, LINE);
        assert_eq!(message.form, Form::PreKey);
        let mutants = mutants_of(&message, stage);
        // Bob knows the base key already: what else would make a session is not looked at.
        let guarded = |damage| is_in_field(&message.bytes, damage, &[2, 3, 4]);
        let read = attack(mutants, guarded, decrypt(&bob, &alice, message.form));
        read_after(&bob, &alice, &message, read);
        round_trips(&alice, &bob, 3);
    }
}

/// Ours takes no base key that is spelled in another way: without one-time keys, that would be a second
/// session of the same secrets, and the same message read twice. The official library of this generation
/// does take it.
fn unseen_bit(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    for (writer, reader) in [(&alice, &bob), (&bob, &alice)] {
        if reader.implementation() != Implementation::Ours {
            continue;
        }
        writer.meet(reader, Offer::X3DH_DEPLETED);
        let message = writer.write(reader, LINE);
        let mut respelled = message.clone();
        respelled.bytes[message.unseen_byte().unwrap()] ^= 0x80;
        let refused = || {
            reader
                .decrypt(&writer.address, &respelled)
                .expect_err("no canonical key")
                .assert_code("invalid_key");
        };
        refused();
        reader.read(writer, &message, LINE);
        refused();
        round_trips(reader, writer, 2);
    }
}

fn acknowledged_session(stage: &mut Stage) {
    for (round, offer) in [Offer::X3DH, Offer::PQXDH].into_iter().enumerate() {
        let alice = stage.home(&format!("alice {round}"));
        let bob = stage.away(&format!("bob {round}"));
        alice.meet(&bob, offer);
        round_trips(&alice, &bob, 2);
        for (writer, reader) in [(&alice, &bob), (&bob, &alice), (&alice, &bob)] {
            let message = writer.write(reader, LINE);
            assert_eq!(message.form, Form::Whisper);
            let mutants = mutants_of(&message, stage);
            let read = attack(mutants, |_| true, decrypt(reader, writer, message.form));
            read_after(reader, writer, &message, read);
        }
        round_trips(&alice, &bob, 3);
    }
}

fn versions_and_forms(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    alice.meet(&bob, Offer::PQXDH);
    let pre_key = alice.write(&bob, LINE);
    bob.decrypt(&alice.address, &as_form(&pre_key, Form::Whisper))
        .expect_err("another form");
    bob.read(&alice, &pre_key, LINE);
    round_trips(&alice, &bob, 1);

    let whisper = alice.write(&bob, LINE);
    bob.decrypt(&alice.address, &as_form(&whisper, Form::PreKey))
        .expect_err("another form");
    for (version, code) in [
        (0x14, "legacy_version"),
        (0x24, "legacy_version"),
        (0x54, "unrecognized_version"),
        (0xf4, "unrecognized_version"),
    ] {
        let mut message = whisper.clone();
        message.bytes[0] = version;
        bob.decrypt(&alice.address, &message)
            .expect_err("not a version of today")
            .assert_code(code);
    }
    let mut message = whisper.clone();
    message.bytes[0] = 0x34;
    bob.decrypt(&alice.address, &message)
        .expect_err("not the version of the session");
    bob.read(&alice, &whisper, LINE);
}

fn sender_key_message(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    let group = stage.uuid();
    bob.join(&alice, group);
    for _ in 0..3 {
        let message = alice.announce(group, LINE);
        let mutants = tamper::thoroughly(&message, &mut stage.rng);
        let read = attack(
            mutants,
            |_| true,
            |bytes| bob.group_decrypt(&alice.address, bytes),
        );
        assert!(!read, "all of it is signed");
        bob.hear(&alice, &message, LINE);
    }
}

fn distribution_message(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    let group = stage.uuid();
    let honest = alice.skdm_create(group);
    bob.skdm_process(&alice.address, &honest).unwrap();
    for mutant in tamper::thoroughly(&honest, &mut stage.rng) {
        // Such a message is not authenticated (sessions carry it): what passes may displace the honest
        // key, which then only has to be learned again.
        if bob.skdm_process(&alice.address, &mutant.bytes).is_ok() {
            bob.skdm_process(&alice.address, &honest).unwrap();
        }
        if stage.rng.random_bool(0.2) {
            bob.hear(&alice, &alice.announce(group, LINE), LINE);
        }
    }
}

fn sealed_message(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    alice.meet(&bob, Offer::PQXDH);
    round_trips(&alice, &bob, 1);
    let authority = Authority::beside(&alice, "authority");
    let certificate = authority.certify(&alice);
    let sealed = alice
        .sealed_encrypt(&bob.address, &certificate, LINE)
        .unwrap();
    let open = |bytes: &[u8]| {
        bob.sealed_decrypt(bytes, &authority.trust_root, EXPIRY)
            .map(|unsealed| unsealed.plaintext)
    };
    let mutants = tamper::thoroughly(&sealed, &mut stage.rng);
    let guarded = |damage| !matches!(damage, Damage::Flipped(0) | Damage::Extended(_));
    if attack(mutants, guarded, open) {
        open(&sealed)
            .expect_err("it was read already")
            .assert_code("duplicate_message");
    } else {
        assert_eq!(open(&sealed).unwrap(), LINE);
    }
    round_trips(&alice, &bob, 3);
}

fn sealed_group_message(stage: &mut Stage) {
    /// What stands before the keys in the form that the relay gets, with one device: version, count,
    /// service id, device and registration id.
    const ADDRESSED: usize = 1 + 1 + 17 + 3;
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    let group = stage.uuid();
    bob.join(&alice, group);
    alice.meet(&bob, Offer::X3DH);
    let circular = Circular {
        group,
        certificate: &Authority::beside(&bob, "authority").certify(&alice),
        plaintext: LINE,
        group_id: Some(b"a group"),
    };
    let sent = alice
        .sealed_group_encrypt(&circular, &[&bob.address])
        .unwrap();
    let received = bob.sealed_split_single(&sent).unwrap();
    let contents = bob.sealed_open(&received).unwrap().contents;
    let open = |bytes: &[u8]| bob.sealed_open(bytes).map(|content| content.contents);

    let mutants = tamper::thoroughly(&received, &mut stage.rng);
    attack_for(
        mutants,
        |damage| damage != Damage::Flipped(0),
        open,
        &contents,
    );

    let mutants = tamper::thoroughly(&sent, &mut stage.rng);
    let guarded = |damage| !matches!(damage, Damage::Flipped(place) if place < ADDRESSED);
    let split_and_open = |bytes: &[u8]| bob.sealed_split_single(bytes).and_then(|part| open(&part));
    attack_for(mutants, guarded, split_and_open, &contents);

    bob.hear(&alice, &contents, LINE);
}

fn mutants_of(message: &Ciphertext, stage: &mut Stage) -> Vec<Mutant> {
    let mut mutants = tamper::thoroughly(&message.bytes, &mut stage.rng);
    let unseen = message.unseen_byte().map(Damage::Flipped);
    mutants.retain(|mutant| Some(mutant.damage) != unseen);
    mutants
}

/// Hands over every mutant of a message that says [`LINE`]; true when one of them was read.
fn attack(
    mutants: Vec<Mutant>,
    guarded: impl Fn(Damage) -> bool,
    open: impl Fn(&[u8]) -> Outcome<Vec<u8>>,
) -> bool {
    attack_for(mutants, guarded, open, LINE)
}

/// Damage to guarded bytes must be noticed; other damage must not change what is read.
fn attack_for(
    mutants: Vec<Mutant>,
    guarded: impl Fn(Damage) -> bool,
    open: impl Fn(&[u8]) -> Outcome<Vec<u8>>,
    honest: &[u8],
) -> bool {
    // What may pass comes last: once it has, the rest would be refused as repeats.
    let (strict, lenient): (Vec<_>, Vec<_>) = mutants
        .into_iter()
        .partition(|mutant| guarded(mutant.damage));
    for mutant in strict {
        assert!(
            open(&mutant.bytes).is_err(),
            "not noticed: {}",
            mutant.damage
        );
    }
    let mut read = false;
    for mutant in lenient {
        if let Ok(plaintext) = open(&mutant.bytes) {
            assert_eq!(plaintext, honest, "changed by {}", mutant.damage);
            read = true;
        }
    }
    read
}

fn read_after(reader: &Party, writer: &Party, message: &Ciphertext, already_read: bool) {
    if already_read {
        reader
            .decrypt(&writer.address, message)
            .expect_err("it was read already")
            .assert_code("duplicate_message");
    } else {
        reader.read(writer, message, LINE);
    }
}

fn decrypt<'a>(
    reader: &'a Party,
    writer: &'a Party,
    form: Form,
) -> impl Fn(&[u8]) -> Outcome<Vec<u8>> + 'a {
    move |bytes| {
        let bytes = bytes.to_vec();
        reader.decrypt(&writer.address, &Ciphertext { form, bytes })
    }
}

fn as_form(message: &Ciphertext, form: Form) -> Ciphertext {
    Ciphertext {
        form,
        ..message.clone()
    }
}

fn is_in_field(message: &[u8], damage: Damage, fields: &[u64]) -> bool {
    match damage {
        Damage::Flipped(place) => fields
            .iter()
            .filter_map(|&field| protobuf::contents(message, field))
            .any(|contents| contents.contains(&place)),
        // The last field is a mandatory one.
        Damage::CutAt(_) => true,
        // Random bytes may happen to be a field that nobody knows.
        Damage::Extended(_) => false,
    }
}
