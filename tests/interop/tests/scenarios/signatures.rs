//! Signatures and key agreement, side against side.

use hushpost_interop::pairing::Stage;
use hushpost_interop::party::{Party, Persona};
use hushpost_interop::tamper;
use rand::RngExt as _;

use super::Subject;

pub const SCENARIOS: Subject = &[
    ("signed_here_verified_there", signed_here_verified_there),
    ("damage_shows", damage_shows),
    ("verdicts_on_nonsense_agree", verdicts_on_nonsense_agree),
    ("agreement", agreement),
    ("one_key_on_both_sides", one_key_on_both_sides),
];

fn signed_here_verified_there(stage: &mut Stage) {
    // Enough keys for both signs of the Edwards point to come up many times on both sides.
    for round in 0..25 {
        let alice = stage.home(&format!("alice {round}"));
        let bob = stage.away(&format!("bob {round}"));
        for (signer, verifier) in [(&alice, &bob), (&bob, &alice)] {
            for length in [0, 1, 33, 1_000] {
                let message = stage.bytes(length);
                let signature = signer.sign(&message);
                assert_eq!(signature.len(), 64);
                assert!(valid(verifier, &signer.identity, &message, &signature));
                assert!(
                    !valid(verifier, &verifier.identity, &message, &signature),
                    "of another key"
                );
            }
        }
    }
}

fn damage_shows(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    for (signer, verifier) in [(&alice, &bob), (&bob, &alice)] {
        let message = stage.bytes(40);
        let signature = signer.sign(&message);
        let key = &signer.identity;
        for mutant in tamper::thoroughly(&signature, &mut stage.rng) {
            assert!(
                !valid(verifier, key, &message, &mutant.bytes),
                "signature with {}",
                mutant.damage
            );
        }
        for mutant in tamper::thoroughly(&message, &mut stage.rng) {
            assert!(
                !valid(verifier, key, &mutant.bytes, &signature),
                "message with {}",
                mutant.damage
            );
        }
        for mutant in tamper::thoroughly(key, &mut stage.rng) {
            // The topmost bit of a key means nothing to the curve, and what follows it to the parser.
            let same_key = mutant.bytes.len() >= key.len()
                && mutant.bytes[..32] == key[..32]
                && mutant.bytes[32] & 0x7f == key[32] & 0x7f;
            assert!(
                same_key || !valid(verifier, &mutant.bytes, &message, &signature),
                "key with {}",
                mutant.damage
            );
        }
        assert!(valid(verifier, key, &message, &signature));
    }
}

fn verdicts_on_nonsense_agree(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    let message = stage.bytes(20);
    let honest = alice.sign(&message);
    for _ in 0..100 {
        let mut key = stage.bytes(33);
        key[0] = 5;
        let mut signature = stage.bytes(64);
        // The three topmost bits but the sign are clear in an honest one.
        if stage.rng.random() {
            signature[63] &= 0x9f;
        }
        // A zero point or scalar is where verifiers are known to disagree.
        match stage.rng.random_range(0..4) {
            0 => key[1..].fill(0),
            1 => signature[..32].fill(0),
            2 => signature[32..].fill(0),
            _ => signature[..32].copy_from_slice(&honest[..32]),
        }
        for key in [&key, &alice.identity] {
            let verdicts = [&alice, &bob].map(|party| valid(party, key, &message, &signature));
            assert_eq!(
                verdicts[0], verdicts[1],
                "key {key:?}, signature {signature:?}"
            );
        }
    }
}

fn agreement(stage: &mut Stage) {
    for round in 0..25 {
        let alice = stage.home(&format!("alice {round}"));
        let bob = stage.away(&format!("bob {round}"));
        let shared = alice.agree(&bob.identity).unwrap();
        assert_eq!(shared.len(), 32);
        assert_eq!(shared, bob.agree(&alice.identity).unwrap());
    }
}

fn one_key_on_both_sides(stage: &mut Stage) {
    let extremes = [[0xff; 32], [0; 32], [1; 32]];
    let random: [[u8; 32]; 20] = stage.rng.random();
    for (round, private) in extremes.into_iter().chain(random).enumerate() {
        let persona = Persona {
            identity_private: Some(private),
            ..stage.persona(&format!("alice {round}"))
        };
        let (here, there) = (stage.home_as(persona.clone()), stage.away_as(persona));
        assert_eq!(here.identity, there.identity, "{private:?}");
        let other = stage.away(&format!("bob {round}"));
        assert_eq!(
            here.agree(&other.identity).unwrap(),
            there.agree(&other.identity).unwrap()
        );
        // A side may refuse a key that is no canonical number. If both take it, they read it alike.
        let mut odd = stage.bytes(33);
        odd[0] = 5;
        odd[32] |= 0x80;
        if let (Ok(ones), Ok(others)) = (here.agree(&odd), there.agree(&odd)) {
            assert_eq!(ones, others, "{odd:?}");
        }
        let message = stage.bytes(10);
        for (signer, verifier) in [(&here, &there), (&there, &here)] {
            assert!(valid(
                verifier,
                &here.identity,
                &message,
                &signer.sign(&message)
            ));
        }
    }
}

/// Whether a signature is taken for good. Refusing to look at it counts as no.
fn valid(verifier: &Party, public: &[u8], message: &[u8], signature: &[u8]) -> bool {
    verifier.verify(public, message, signature).unwrap_or(false)
}
