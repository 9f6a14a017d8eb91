//! One side insists on the post-quantum ratchet and the other has none: there is no session, whoever
//! starts, and nothing is used up.

use hushpost_interop::pairing::Stage;
use hushpost_interop::party::Party;
use hushpost_interop::sessions::Offer;
use hushpost_interop::side::Spqr;
use serde_json::Value;

use super::Subject;

pub const SCENARIOS: Subject = &[
    ("a_weaker_bundle_is_refused", a_weaker_bundle_is_refused),
    (
        "a_weaker_first_message_is_refused",
        a_weaker_first_message_is_refused,
    ),
    (
        "a_stronger_first_message_is_not_understood",
        a_stronger_first_message,
    ),
];

fn a_weaker_bundle_is_refused(stage: &mut Stage) {
    let (strict, lax) = sides(stage);
    for offer in [Offer::X3DH, Offer::X3DH_DEPLETED] {
        strict
            .process_bundle(&lax.address, &lax.bundle(offer))
            .expect_err("a bundle for version 3")
            .assert_code("legacy_version");
    }
    assert_eq!(strict.session_info(&lax.address), Value::Null);
    strict
        .encrypt(&lax.address, b"hello")
        .expect_err("there is no session")
        .assert_code("no_session");
}

fn a_weaker_first_message_is_refused(stage: &mut Stage) {
    let (strict, lax) = sides(stage);
    for offer in [
        Offer::X3DH,
        Offer::X3DH_DEPLETED,
        Offer::PQXDH,
        Offer::PQXDH_DEPLETED,
    ] {
        lax.meet(&strict, offer);
        let message = lax.write(&strict, "hello");
        assert_eq!(message.pq_part(), None);
        // Not the second time either: its one-time key is still there, and so is the reason.
        for _ in 0..2 {
            strict
                .decrypt(&lax.address, &message)
                .expect_err("a session without the ratchet")
                .assert_code("legacy_version");
        }
        // An empty part says the same.
        strict
            .decrypt(&lax.address, &message.with_pq_part(Some(&[])))
            .expect_err("a session without the ratchet");
        assert_eq!(strict.session_info(&lax.address), Value::Null);
    }
}

fn a_stronger_first_message(stage: &mut Stage) {
    let (strict, lax) = sides(stage);
    // A bundle does not tell what its owner's sessions have.
    strict.meet(&lax, Offer::PQXDH);
    let message = strict.write(&lax, "hello");
    assert!(message.pq_part().is_some());
    lax.decrypt(&strict.address, &message)
        .expect_err("its keys are the ratchet's, too");
    lax.decrypt(&strict.address, &message.with_pq_part(None))
        .expect_err("all of it is authenticated");
    assert_eq!(lax.session_info(&strict.address), Value::Null);
}

/// The side that insists, and the other.
fn sides(stage: &mut Stage) -> (Party, Party) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    if alice.spqr() == Spqr::Required {
        (alice, bob)
    } else {
        (bob, alice)
    }
}
