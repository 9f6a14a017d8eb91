//! Bundles that are not what they should be, and keys that are not whose they should be.

use hushpost_interop::conversation::round_trips;
use hushpost_interop::json;
use hushpost_interop::pairing::Stage;
use hushpost_interop::party::Persona;
use hushpost_interop::sessions::Offer;
use hushpost_interop::tamper;
use rand::RngExt as _;
use serde_json::Value;

use super::Subject;

pub const SCENARIOS: Subject = &[
    (
        "damaged_signed_keys_are_refused",
        damaged_signed_keys_are_refused,
    ),
    (
        "damaged_identity_leads_nowhere",
        damaged_identity_leads_nowhere,
    ),
    ("one_time_key_works_once", one_time_key_works_once),
    ("changed_identity_is_refused", changed_identity_is_refused),
    ("nothing_without_a_session", nothing_without_a_session),
];

/// The places of a public key after its type byte.
const INSIDE: usize = 1;

fn damaged_signed_keys_are_refused(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    let honest = bob.bundle(Offer::PQXDH);
    for field in [
        "signed_pre_key",
        "signed_pre_key_signature",
        "kyber_pre_key",
        "kyber_pre_key_signature",
    ] {
        for _ in 0..15 {
            let key = json::bytes(&honest, field);
            let place = stage.rng.random_range(INSIDE..key.len());
            let mutant = tamper::flip_at(&key, place, &mut stage.rng);
            let refusal = alice
                .process_bundle(&bob.address, &with(&honest, field, &mutant.bytes))
                .expect_err("its signature does not hold");
            // A damaged key may not even be a key any more.
            if field.ends_with("_signature") {
                refusal.assert_code("invalid_signature");
            }
        }
        let cut = tamper::cut(&json::bytes(&honest, field), &mut stage.rng);
        alice
            .process_bundle(&bob.address, &with(&honest, field, &cut.bytes))
            .expect_err("half a key is none");
    }
    assert_eq!(alice.session_info(&bob.address), Value::Null);
    alice
        .process_bundle(&bob.address, &honest)
        .expect("the honest bundle is as good as ever");
    round_trips(&alice, &bob, 2);
}

fn damaged_identity_leads_nowhere(stage: &mut Stage) {
    let bob = stage.away("bob");
    let mut damaged: Vec<Vec<u8>> = (0..bob.identity.len())
        .map(|place| tamper::flip_at(&bob.identity, place, &mut stage.rng).bytes)
        .collect();
    // The curve does not see the topmost bit of a key, so such a bundle may pass; its messages must not.
    let mut same_point = bob.identity.clone();
    same_point[32] ^= 0x80;
    damaged.push(same_point);
    for (round, identity) in damaged.iter().enumerate() {
        let alice = stage.home(&format!("alice {round}"));
        let bundle = with(&bob.bundle(Offer::X3DH), "identity", identity);
        if alice.process_bundle(&bob.address, &bundle).is_ok() {
            let message = alice.write(&bob, "hello?");
            bob.decrypt(&alice.address, &message)
                .expect_err("it was written to somebody else");
        }
    }
}

fn one_time_key_works_once(stage: &mut Stage) {
    for (round, offer) in [Offer::X3DH, Offer::PQXDH].into_iter().enumerate() {
        let bob = stage.away(&format!("bob {round}"));
        let alice = stage.home(&format!("alice {round}"));
        let fiona = stage.home(&format!("fiona {round}"));
        let bundle = bob.bundle(offer);
        for party in [&alice, &fiona] {
            party.process_bundle(&bob.address, &bundle).unwrap();
        }
        bob.read(&alice, &alice.write(&bob, "first"), "first");
        bob.decrypt(&fiona.address, &fiona.write(&bob, "second"))
            .expect_err("alice took that key")
            .assert_code("no_such_pre_key");
        round_trips(&alice, &bob, 2);

        // A depleted bundle serves any number.
        let bundle = bob.bundle(Offer {
            one_time: false,
            ..offer
        });
        for party in [&alice, &fiona] {
            party.process_bundle(&bob.address, &bundle).unwrap();
            round_trips(party, &bob, 2);
        }
    }
}

fn changed_identity_is_refused(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    alice.meet(&bob, Offer::PQXDH);
    round_trips(&alice, &bob, 2);

    let again = |label: &str, stage: &mut Stage, address| Persona {
        address,
        ..stage.persona(label)
    };
    let impostor = again("not alice", stage, alice.address.clone());
    let impostor = stage.home_as(impostor);
    impostor.meet(&bob, Offer::PQXDH);
    bob.decrypt(&alice.address, &impostor.write(&bob, "it is me"))
        .expect_err("alice has another identity")
        .assert_code("untrusted_identity");

    let impostor = again("not bob", stage, bob.address.clone());
    let impostor = stage.away_as(impostor);
    alice
        .process_bundle(&bob.address, &impostor.bundle(Offer::PQXDH))
        .expect_err("bob has another identity")
        .assert_code("untrusted_identity");
    round_trips(&alice, &bob, 3);
}

fn nothing_without_a_session(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    let fiona = stage.away("fiona");
    alice.meet(&bob, Offer::PQXDH);
    round_trips(&alice, &bob, 1);
    let message = alice.write(&bob, "for bob");
    fiona
        .decrypt(&alice.address, &message)
        .expect_err("fiona has no session")
        .assert_code("no_session");
    fiona
        .encrypt(&alice.address, b"hello")
        .expect_err("fiona has no session")
        .assert_code("no_session");
    assert_eq!(fiona.session_info(&alice.address), Value::Null);
    let group = stage.uuid();
    fiona
        .group_encrypt(group, b"hello, all")
        .expect_err("fiona has made no sender key")
        .assert_code("no_sender_key");
    bob.read(&alice, &message, "for bob");
}

fn with(bundle: &Value, field: &str, bytes: &[u8]) -> Value {
    let mut bundle = bundle.clone();
    bundle[field] = json::text(bytes).into();
    bundle
}
