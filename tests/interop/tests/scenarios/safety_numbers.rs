//! Safety numbers: what two people compare to know that nobody is between them.

use hushpost_interop::keys::SafetyNumber;
use hushpost_interop::pairing::Stage;
use hushpost_interop::party::{Party, Persona};
use rand::RngExt as _;

use super::Subject;

pub const SCENARIOS: Subject = &[
    ("both_sides_agree", both_sides_agree),
    ("another_key_shows", another_key_shows),
    (
        "too_few_or_too_many_iterations",
        too_few_or_too_many_iterations,
    ),
];

fn both_sides_agree(stage: &mut Stage) {
    for round in 0..8 {
        let (alice, alices_twin) = twins(stage, &format!("alice {round}"));
        let (bobs_twin, bob) = twins(stage, &format!("bob {round}"));
        let lengths = [stage.rng.random_range(0..40), stage.rng.random_range(0..40)];
        let [alices_id, bobs_id] = lengths.map(|length| stage.bytes(length));
        for version in [1, 2] {
            for iterations in [2, 3, 100, 1_024, 5_200] {
                let of_alice = SafetyNumber {
                    version,
                    iterations,
                    local_id: &alices_id,
                    peer_id: &bobs_id,
                };
                let of_bob = SafetyNumber {
                    local_id: &bobs_id,
                    peer_id: &alices_id,
                    ..of_alice
                };
                let (display, scannable) = agreed(&alice, &alices_twin, of_alice, &bob.identity);
                let (mirrored, mirrored_scannable) =
                    agreed(&bob, &bobs_twin, of_bob, &alice.identity);
                assert_eq!(display, mirrored, "both read out the same digits");
                assert_eq!(display.len(), 60);
                assert!(display.bytes().all(|digit| digit.is_ascii_digit()));
                assert_eq!(swapped(&scannable), mirrored_scannable);
            }
        }
    }
}

fn another_key_shows(stage: &mut Stage) {
    let (alice, bob, fiona) = (stage.home("alice"), stage.away("bob"), stage.away("fiona"));
    let number = SafetyNumber {
        version: 2,
        iterations: 100,
        local_id: b"alice",
        peer_id: b"bob",
    };
    let of_bob = alice.fingerprint(number, &bob.identity).unwrap();
    let of_fiona = alice.fingerprint(number, &fiona.identity).unwrap();
    assert_ne!(of_bob.0, of_fiona.0);
    assert_ne!(of_bob.1, of_fiona.1);
    // The version is in the scannable form only.
    let older = alice
        .fingerprint(
            SafetyNumber {
                version: 1,
                ..number
            },
            &bob.identity,
        )
        .unwrap();
    assert_eq!(of_bob.0, older.0);
    assert_ne!(of_bob.1, older.1);
}

fn too_few_or_too_many_iterations(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    for party in [&alice, &bob] {
        for iterations in [0, 1, 1_000_001, u32::MAX] {
            let number = SafetyNumber {
                version: 2,
                iterations,
                local_id: b"one",
                peer_id: b"other",
            };
            party
                .fingerprint(number, &alice.identity)
                .expect_err("from 2 to a million");
        }
    }
}

/// One identity, living on both sides.
fn twins(stage: &mut Stage, label: &str) -> (Party, Party) {
    let persona = Persona {
        identity_private: Some(stage.rng.random()),
        ..stage.persona(label)
    };
    let twins = (stage.home_as(persona.clone()), stage.away_as(persona));
    assert_eq!(twins.0.identity, twins.1.identity);
    twins
}

fn agreed(
    party: &Party,
    twin: &Party,
    number: SafetyNumber<'_>,
    peer_identity: &[u8],
) -> (String, Vec<u8>) {
    let numbers = party.fingerprint(number, peer_identity).unwrap();
    let of_twin = twin.fingerprint(number, peer_identity).unwrap();
    assert_eq!(numbers, of_twin, "{number:?}");
    numbers
}

/// The scannable form as the other side has it: own and other hash have changed places.
fn swapped(scannable: &[u8]) -> Vec<u8> {
    let (version, halves) = scannable.split_at(2);
    let (own, other) = halves.split_at(halves.len() / 2);
    [version, &own[..4], &other[4..], &other[..4], &own[4..]].concat()
}
