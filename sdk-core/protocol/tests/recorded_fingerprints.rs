//! Safety numbers, signatures and agreements recorded from the official library.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

mod support;

use hushpost_protocol::{
    Error, IdentityKeyPair, KeyRole, SafetyNumber, SafetyNumberParty, SigningKeyPair,
};
use serde_json::Value;
use support::{bytes, fixture, list, number, private_key, public_key, seeded, text};

fn recorded(list_name: &str, length: usize) -> Vec<Value> {
    let recorded = fixture("fingerprint-xeddsa.json");
    let cases = list(&recorded, list_name).to_vec();
    assert_eq!(cases.len(), length);
    cases
}

/// The case's safety number as its local side sees it, and as its remote side does.
fn both_views(case: &Value) -> [SafetyNumber; 2] {
    let keys = [
        public_key(case, "local_key"),
        public_key(case, "remote_key"),
    ];
    let [local, remote] =
        [("local_id", &keys[0]), ("remote_id", &keys[1])].map(|(id, key)| SafetyNumberParty {
            id: text(case, id).as_bytes(),
            identity_key: key,
        });
    let (version, iterations) = (number(case, "version"), number(case, "iterations"));
    [(local, remote), (remote, local)]
        .map(|(us, them)| SafetyNumber::new(version, iterations, us, them).unwrap())
}

#[test]
fn safety_numbers_come_out_as_recorded_from_both_ends() {
    for case in recorded("cases", 5) {
        let [local, remote] = both_views(&case);
        assert_eq!(local.display(), text(&case, "display"));
        assert_eq!(remote.display(), text(&case, "display"));
        assert_eq!(hex::encode(local.scannable()), text(&case, "scannable"));
    }
}

#[test]
fn a_scanned_code_matches_from_the_other_end_only() {
    let cases = recorded("cases", 5);
    for (index, case) in cases.iter().enumerate() {
        let [local, remote] = both_views(case);
        let code = bytes(case, "scannable");
        assert_eq!(remote.matches_scanned(&code), Ok(true));
        assert_eq!(local.matches_scanned(&remote.scannable()), Ok(true));
        // One's own code is not the other's.
        assert_eq!(local.matches_scanned(&code), Ok(false));
        for (other_index, other) in cases.iter().enumerate() {
            if other_index == index {
                continue;
            }
            let expected = if number(other, "version") == number(case, "version") {
                Ok(false)
            } else {
                Err(Error::FingerprintVersionMismatch)
            };
            assert_eq!(remote.matches_scanned(&bytes(other, "scannable")), expected);
        }
        for bit in 0..code.len() * 8 {
            let mut changed = code.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(remote.matches_scanned(&changed), Ok(true), "bit {bit}");
        }
    }
}

#[test]
fn recorded_signatures_verify_and_changed_ones_do_not() {
    let refused = Err(Error::InvalidSignature(KeyRole::Unspecified));
    let cases = recorded("xeddsa", 12);
    let mut signs = [0; 2];
    for (index, case) in cases.iter().enumerate() {
        let public = public_key(case, "public");
        let message = bytes(case, "message");
        let signature = bytes(case, "signature");
        assert_eq!(
            public.verify(&[&message], &signature),
            Ok(()),
            "case {index}"
        );
        signs[usize::from(signature[63] >> 7)] += 1;
        // In parts, it is the same message.
        let (start, end) = message.split_at(message.len() / 2);
        assert_eq!(public.verify(&[start, end], &signature), Ok(()));

        for bit in (0..512).step_by(7).chain([511]) {
            let mut changed = signature.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(public.verify(&[&message], &changed), refused, "bit {bit}");
        }
        assert_eq!(public.verify(&[&message, &[0]], &signature), refused);
        let stranger = public_key(&cases[(index + 1) % cases.len()], "public");
        assert_eq!(stranger.verify(&[&message], &signature), refused);
    }
    assert!(signs[0] > 0 && signs[1] > 0, "both signs occur: {signs:?}");
}

#[test]
fn recorded_private_keys_have_the_recorded_public_keys_and_sign() {
    let mut rng = seeded(1);
    for case in recorded("xeddsa", 12) {
        let public = public_key(&case, "public");
        assert_eq!(private_key(&case, "private").public_key(), public);
        let keys = SigningKeyPair::from_private(private_key(&case, "private"));
        assert_eq!(*keys.public_key(), public);
        let message = bytes(&case, "message");
        let signature = keys.sign(&[&message], &mut rng).unwrap();
        assert_eq!(public.verify(&[&message], &signature), Ok(()));
        // The sign is the key's, so it is the recorded signature's too.
        assert_eq!(signature[63] >> 7, bytes(&case, "signature")[63] >> 7);

        let identity = IdentityKeyPair::from_private(private_key(&case, "private"));
        assert_eq!(*identity.public_key(), public);
    }
}

#[test]
fn agreements_come_out_as_recorded() {
    for case in recorded("agreement", 12) {
        let shared = private_key(&case, "private").agree(&public_key(&case, "public"));
        assert_eq!(hex::encode(shared.unwrap()), text(&case, "shared"));
    }
}
