//! Sealed sender for one recipient (version 1): the relay does not learn who wrote.

use hushpost_interop::conversation::round_trips;
use hushpost_interop::pairing::Stage;
use hushpost_interop::party::Party;
use hushpost_interop::sealed::{Authority, Circular, Claim, EXPIRY, Unsealed};
use hushpost_interop::sessions::{Ciphertext, Form, Offer};

use super::Subject;

pub const SCENARIOS: Subject = &[
    ("conversation_over_x3dh", |stage| {
        conversation(stage, Offer::X3DH);
    }),
    ("conversation_over_pqxdh", |stage| {
        conversation(stage, Offer::PQXDH);
    }),
    ("expired_certificate", expired_certificate),
    ("wrong_trust_root", wrong_trust_root),
    ("certificate_of_another_key", certificate_of_another_key),
    ("self_send", self_send),
    ("between_own_devices", between_own_devices),
    ("repeats", repeats),
    ("only_for_its_recipient", only_for_its_recipient),
    ("no_group_message_inside", no_group_message_inside),
];

fn conversation(stage: &mut Stage, offer: Offer) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    alice.meet(&bob, offer);
    // The authority of each side certifies for the other's ears.
    for founder in [&alice, &bob] {
        let authority = Authority::beside(founder, "authority");
        for turn in 0..5 {
            for (writer, reader) in [(&alice, &bob), (&bob, &alice)] {
                let line = format!("sealed line {turn}");
                let certificate = authority.certify(writer);
                let sealed = writer
                    .sealed_encrypt(&reader.address, &certificate, line.as_bytes())
                    .unwrap();
                opens(reader, &sealed, &authority, writer, &line);
            }
        }
    }
    round_trips(&alice, &bob, 2);
}

fn expired_certificate(stage: &mut Stage) {
    let (alice, bob, authority) = acquainted(stage);
    let certificate = authority.certify(&alice);
    let sealed = alice
        .sealed_encrypt(&bob.address, &certificate, b"in time")
        .unwrap();
    for now in [EXPIRY + 1, EXPIRY + 1_000_000_000] {
        bob.sealed_decrypt(&sealed, &authority.trust_root, now)
            .expect_err("it has expired")
            .assert_code("certificate_invalid");
    }
    // In the very last millisecond, and nothing was lost by trying before.
    opens(&bob, &sealed, &authority, &alice, "in time");
}

fn wrong_trust_root(stage: &mut Stage) {
    let (alice, bob, authority) = acquainted(stage);
    let other = Authority::beside(&bob, "another authority");
    let sealed = alice
        .sealed_encrypt(&bob.address, &other.certify(&alice), b"trust me")
        .unwrap();
    bob.sealed_decrypt(&sealed, &authority.trust_root, EXPIRY)
        .expect_err("certified by somebody else")
        .assert_code("certificate_invalid");
    opens(&bob, &sealed, &other, &alice, "trust me");
}

fn certificate_of_another_key(stage: &mut Stage) {
    let (alice, bob, authority) = acquainted(stage);
    let fiona = stage.home("fiona");
    let stolen = authority.certify(&fiona);
    // A sender may refuse to make such a message at all. If it does make it, nobody may read it.
    if let Ok(sealed) = alice.sealed_encrypt(&bob.address, &stolen, b"fiona here") {
        bob.sealed_decrypt(&sealed, &authority.trust_root, EXPIRY)
            .expect_err("it is fiona's certificate but not her key");
    }
    round_trips(&alice, &bob, 2);
}

fn self_send(stage: &mut Stage) {
    let (alice, bob, authority) = acquainted(stage);
    let as_bob = authority.certify_claim(&Claim {
        address: &bob.address,
        identity: &alice.identity,
        expires: EXPIRY,
    });
    let sealed = alice
        .sealed_encrypt(&bob.address, &as_bob, b"note to self")
        .unwrap();
    bob.sealed_decrypt(&sealed, &authority.trust_root, EXPIRY)
        .expect_err("it says that bob himself sent it")
        .assert_code("self_send");
    round_trips(&alice, &bob, 2);
}

fn between_own_devices(stage: &mut Stage) {
    let phone = stage.away("bob's phone");
    let mut laptop = stage.persona("bob's laptop");
    laptop.address.name = phone.address.name;
    laptop.address.device = 2;
    let laptop = stage.home_as(laptop);
    laptop.meet(&phone, Offer::PQXDH);
    let authority = Authority::beside(&phone, "authority");
    for (writer, reader) in [(&laptop, &phone), (&phone, &laptop)] {
        let sealed = writer
            .sealed_encrypt(&reader.address, &authority.certify(writer), b"sync")
            .unwrap();
        opens(reader, &sealed, &authority, writer, "sync");
    }
}

fn repeats(stage: &mut Stage) {
    let (alice, bob, authority) = acquainted(stage);
    let certificate = authority.certify(&alice);
    for turn in 0..3 {
        let line = format!("once {turn}");
        let sealed = alice
            .sealed_encrypt(&bob.address, &certificate, line.as_bytes())
            .unwrap();
        opens(&bob, &sealed, &authority, &alice, &line);
        bob.sealed_decrypt(&sealed, &authority.trust_root, EXPIRY)
            .expect_err("a message is read only once")
            .assert_code("duplicate_message");
        round_trips(&bob, &alice, 1);
    }
}

fn only_for_its_recipient(stage: &mut Stage) {
    let (alice, bob, authority) = acquainted(stage);
    let fiona = stage.away("fiona");
    let certificate = authority.certify(&alice);
    alice
        .sealed_encrypt(&fiona.address, &certificate, b"hello")
        .expect_err("alice has no session with fiona")
        .assert_code("no_session");
    let sealed = alice
        .sealed_encrypt(&bob.address, &certificate, b"for bob")
        .unwrap();
    fiona
        .sealed_decrypt(&sealed, &authority.trust_root, EXPIRY)
        .expect_err("it is sealed for bob");
    bob.decrypt(
        &alice.address,
        &Ciphertext {
            form: Form::Whisper,
            bytes: sealed.clone(),
        },
    )
    .expect_err("a sealed message is not a plain one");
    opens(&bob, &sealed, &authority, &alice, "for bob");
}

fn no_group_message_inside(stage: &mut Stage) {
    let (alice, bob, authority) = acquainted(stage);
    let group = stage.uuid();
    bob.join(&alice, group);
    let circular = Circular {
        group,
        certificate: &authority.certify(&alice),
        plaintext: b"for the group",
        group_id: None,
    };
    let sent = alice
        .sealed_group_encrypt(&circular, &[&bob.address])
        .unwrap();
    let received = alice.sealed_split_single(&sent).unwrap();
    bob.sealed_decrypt(&received, &authority.trust_root, EXPIRY)
        .expect_err("a group message is opened, then decrypted with the sender's key");
    let contents = bob.sealed_open(&received).unwrap().contents;
    bob.hear(&alice, &contents, "for the group");
}

/// Alice has a session with bob, and an authority lives beside her.
fn acquainted(stage: &mut Stage) -> (Party, Party, Authority) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    alice.meet(&bob, Offer::PQXDH);
    let authority = Authority::beside(&alice, "authority");
    (alice, bob, authority)
}

#[track_caller]
fn opens(reader: &Party, sealed: &[u8], authority: &Authority, writer: &Party, line: &str) {
    let unsealed = reader
        .sealed_decrypt(sealed, &authority.trust_root, EXPIRY)
        .unwrap_or_else(|refusal| panic!("{reader} cannot open {writer}: {refusal}"));
    let expected = Unsealed {
        plaintext: line.as_bytes().to_vec(),
        sender: writer.address.clone(),
    };
    assert_eq!(unsealed, expected, "{reader} opening {writer}");
}
