//! What is played. Each module is one subject; each scenario is a name and what happens.
//!
//! A scenario asserts behaviour that both implementations must show. Alice lives in the first, bob in
//! the second; whoever else is needed lives where it is said.

mod archives;
mod bundles;
mod corruption;
mod duplicates;
mod garbage;
mod jumps;
mod policies;
mod pq_part;
mod rollback;
mod safety_numbers;
mod sealed_groups;
mod sealed_sender;
mod sender_keys;
mod sessions;
mod signatures;
mod triple_ratchet;

use hushpost_interop::pairing::{Pairing, Stage};

/// Something to play on a stage.
pub struct Scenario {
    pub name: String,
    pub play: Play,
}

type Play = fn(&mut Stage);

/// A subject's scenarios, by name.
type Subject = &'static [(&'static str, Play)];

/// Subjects by name.
type Subjects = &'static [(&'static str, Subject)];

/// About all there is without the post-quantum ratchet.
const CLASSIC: Subjects = &[
    ("sessions", sessions::SCENARIOS),
    ("archives", archives::SCENARIOS),
    ("bundles", bundles::SCENARIOS),
    ("duplicates", duplicates::SCENARIOS),
    ("jumps", jumps::SCENARIOS),
    ("corruption", corruption::SCENARIOS),
    ("rollback", rollback::SCENARIOS),
    ("sender_keys", sender_keys::SCENARIOS),
    ("sealed_sender", sealed_sender::SCENARIOS),
    ("sealed_groups", sealed_groups::SCENARIOS),
    ("safety_numbers", safety_numbers::SCENARIOS),
    ("signatures", signatures::SCENARIOS),
    ("garbage", garbage::SCENARIOS),
];

/// Whatever comes of two policies.
const NEGOTIATED: Subjects = &[
    ("triple_ratchet", triple_ratchet::SCENARIOS),
    ("pq_part", pq_part::SCENARIOS),
];

/// Where the post-quantum ratchet surely runs.
const RATCHETING: Subjects = &[("rollback", rollback::SCENARIOS)];

/// What the newest official generation has beside sessions, and the edges of its sessions.
const WITH_CURRENT: Subjects = &[
    ("jumps", jumps::SCENARIOS),
    ("sender_keys", sender_keys::SCENARIOS),
    ("sealed_sender", sealed_sender::SCENARIOS),
    ("sealed_groups", sealed_groups::SCENARIOS),
    ("safety_numbers", safety_numbers::SCENARIOS),
    ("signatures", signatures::SCENARIOS),
];

/// Not against the newest generation: it has no version 3, and its sender keys are the same as ever,
/// so the longest of those scenarios are played against one generation only.
const NOT_WITH_CURRENT: [&str; 4] = [
    "sealed_sender::conversation_over_x3dh",
    "sealed_groups::one_recipient_met_over_x3dh",
    "sender_keys::skipped_messages_are_heard",
    "sender_keys::edge_of_a_jump",
];

const IRRECONCILABLE: Subjects = &[("policies", policies::SCENARIOS)];

/// Every scenario in every pairing that it is for.
pub fn programme() -> impl Iterator<Item = (Pairing, Scenario)> {
    let with_current = all(WITH_CURRENT, Pairing::with_current())
        .filter(|(_, scenario)| !NOT_WITH_CURRENT.contains(&scenario.name.as_str()));
    all(CLASSIC, Pairing::classic())
        .chain(all(NEGOTIATED, Pairing::negotiated()))
        .chain(all(RATCHETING, Pairing::ratcheting()))
        .chain(with_current)
        .chain(all(IRRECONCILABLE, Pairing::irreconcilable()))
}

/// Every scenario of some subjects in every one of some pairings, its subject in front of its name.
fn all(subjects: Subjects, pairings: Vec<Pairing>) -> impl Iterator<Item = (Pairing, Scenario)> {
    pairings.into_iter().flat_map(move |pairing| {
        subjects.iter().flat_map(move |&(subject, scenarios)| {
            scenarios.iter().map(move |&(name, play)| {
                let name = format!("{subject}::{name}");
                (pairing, Scenario { name, play })
            })
        })
    })
}
