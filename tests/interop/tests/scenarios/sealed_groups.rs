//! Sealed sender for many (version 2): uploaded once, cut apart by the relay.

use hushpost_interop::pairing::Stage;
use hushpost_interop::party::{Party, Persona};
use hushpost_interop::relay;
use hushpost_interop::sealed::{Authority, Circular, Content};
use hushpost_interop::sessions::Offer;
use rand::RngExt as _;

use super::Subject;

pub const SCENARIOS: Subject = &[
    ("one_recipient_met_over_x3dh", |stage| {
        one_recipient(stage, Offer::X3DH);
    }),
    ("one_recipient_met_over_pqxdh", |stage| {
        one_recipient(stage, Offer::PQXDH);
    }),
    ("several_recipients", several_recipients),
    ("only_for_its_recipient", only_for_its_recipient),
    ("strangers_are_refused", strangers_are_refused),
    ("registration_id_too_large", registration_id_too_large),
];

/// The kind of a message made with a sender key.
const SENDER_KEY: u64 = 7;

fn one_recipient(stage: &mut Stage, offer: Offer) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    let group = stage.uuid();
    for (sender, reader) in [(&alice, &bob), (&bob, &alice)] {
        reader.join(sender, group);
        sender.meet(reader, offer);
        let certificate = Authority::beside(reader, "authority").certify(sender);
        for group_id in [
            None,
            Some(vec![7]),
            Some(stage.bytes(32)),
            Some(stage.bytes(1_000)),
        ] {
            for plaintext in [stage.bytes(0), stage.bytes(100), stage.bytes(65_536)] {
                let circular = Circular {
                    group,
                    certificate: &certificate,
                    plaintext: &plaintext,
                    group_id: group_id.as_deref(),
                };
                let sent = sender
                    .sealed_group_encrypt(&circular, &[&reader.address])
                    .unwrap();
                let received = sender.sealed_split_single(&sent).unwrap();
                assert_eq!(received, reader.sealed_split_single(&sent).unwrap());
                assert_eq!(received, relay::split(&sent)[0].message);
                hears(reader, &received, sender, &circular);
            }
        }
    }
    // An empty group id is none.
    let circular = Circular {
        group,
        certificate: &Authority::beside(&alice, "authority").certify(&alice),
        plaintext: b"to nobody in particular",
        group_id: Some(b""),
    };
    let sent = alice
        .sealed_group_encrypt(&circular, &[&bob.address])
        .unwrap();
    let received = bob.sealed_split_single(&sent).unwrap();
    assert_eq!(bob.sealed_open(&received).unwrap().group_id, None);
}

fn several_recipients(stage: &mut Stage) {
    let alice = stage.home("alice");
    let group = stage.uuid();
    // Bob's devices share his identity; fiona has one device of each implementation.
    let bob = stage.persona("bob");
    let fiona = stage.persona("fiona");
    let [bobs_key, fionas_key] = [bob, fiona].map(|persona| Persona {
        identity_private: Some(stage.rng.random()),
        ..persona
    });
    let device = |persona: &Persona, device: u8, registration_id: u32| {
        let mut persona = persona.clone();
        persona.label = format!("{} {device}", persona.label);
        persona.address.device = device;
        persona.registration_id = registration_id;
        persona
    };
    let members = [
        (device(&bobs_key, 1, 1), true),
        (device(&bobs_key, 2, 0x3fff), true),
        (device(&bobs_key, 127, 77), false),
        (device(&fionas_key, 5, 78), true),
        (device(&fionas_key, 6, 0x1234), false),
    ]
    .map(|(persona, away)| {
        let registration_id = persona.registration_id;
        let party = if away {
            stage.away_as(persona)
        } else {
            stage.home_as(persona)
        };
        (party, registration_id)
    });
    for (member, _) in &members {
        member.join(&alice, group);
        alice.meet(member, Offer::PQXDH);
    }
    let circular = Circular {
        group,
        certificate: &Authority::beside(&alice, "authority").certify(&alice),
        plaintext: b"to all",
        group_id: Some(b"the group"),
    };
    let addresses: Vec<_> = members.iter().map(|(member, _)| &member.address).collect();
    let sent = alice.sealed_group_encrypt(&circular, &addresses).unwrap();
    for party in [&alice, &members[0].0] {
        party
            .sealed_split_single(&sent)
            .expect_err("it has two recipients");
    }

    let parcels = relay::split(&sent);
    assert_eq!(parcels.len(), 2, "one for each account");
    let mut delivered = 0;
    for parcel in &parcels {
        for (member, registration_id) in &members {
            if member.address.name == parcel.name {
                let device = (
                    member.address.device,
                    u16::try_from(*registration_id).unwrap(),
                );
                assert!(parcel.devices.contains(&device), "{device:?} in {parcel:?}");
                hears(member, &parcel.message, &alice, &circular);
                delivered += 1;
            } else {
                member
                    .sealed_open(&parcel.message)
                    .expect_err("it is for another account");
            }
        }
    }
    assert_eq!(delivered, members.len());
}

fn only_for_its_recipient(stage: &mut Stage) {
    let (alice, bob, fiona) = (stage.home("alice"), stage.away("bob"), stage.away("fiona"));
    let group = stage.uuid();
    bob.join(&alice, group);
    alice.meet(&bob, Offer::PQXDH);
    let circular = Circular {
        group,
        certificate: &Authority::beside(&alice, "authority").certify(&alice),
        plaintext: b"for bob",
        group_id: None,
    };
    let sent = alice
        .sealed_group_encrypt(&circular, &[&bob.address])
        .unwrap();
    bob.sealed_open(&sent)
        .expect_err("the relay's form is not the recipient's");
    let received = alice.sealed_split_single(&sent).unwrap();
    fiona
        .sealed_open(&received)
        .expect_err("it is sealed for bob");
    hears(&bob, &received, &alice, &circular);
    bob.group_decrypt(
        &alice.address,
        &bob.sealed_open(&received).unwrap().contents,
    )
    .expect_err("a message is heard only once")
    .assert_code("duplicate_message");
}

fn strangers_are_refused(stage: &mut Stage) {
    let (alice, bob, fiona) = (stage.home("alice"), stage.away("bob"), stage.away("fiona"));
    let group = stage.uuid();
    bob.join(&alice, group);
    alice.meet(&bob, Offer::PQXDH);
    let circular = Circular {
        group,
        certificate: &Authority::beside(&alice, "authority").certify(&alice),
        plaintext: b"for both",
        group_id: None,
    };
    alice
        .sealed_group_encrypt(&circular, &[&bob.address, &fiona.address])
        .expect_err("alice has no session with fiona")
        .assert_code("no_session");
    alice.meet(&fiona, Offer::PQXDH);
    let sent = alice
        .sealed_group_encrypt(&circular, &[&bob.address, &fiona.address])
        .unwrap();
    assert_eq!(relay::split(&sent).len(), 2);
}

fn registration_id_too_large(stage: &mut Stage) {
    let alice = stage.home("alice");
    let group = stage.uuid();
    let _ = alice.skdm_create(group);
    let bob = stage.persona("bob");
    let bob = stage.away_as(Persona {
        registration_id: 0x4000,
        ..bob
    });
    alice.meet(&bob, Offer::PQXDH);
    let circular = Circular {
        group,
        certificate: &Authority::beside(&alice, "authority").certify(&alice),
        plaintext: b"for bob",
        group_id: None,
    };
    alice
        .sealed_group_encrypt(&circular, &[&bob.address])
        .expect_err("the form has 14 bits for it");
}

fn hears(reader: &Party, received: &[u8], sender: &Party, circular: &Circular<'_>) {
    let content = reader
        .sealed_open(received)
        .unwrap_or_else(|refusal| panic!("{reader} cannot open {sender}: {refusal}"));
    let expected = Content {
        kind: SENDER_KEY,
        contents: content.contents.clone(),
        sender: sender.address.clone(),
        group_id: circular.group_id.map(<[u8]>::to_vec),
    };
    assert_eq!(content, expected, "{reader} opening {sender}");
    reader.hear(sender, &content.contents, circular.plaintext);
}
