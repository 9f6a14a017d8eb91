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
mod rollback;
mod safety_numbers;
mod sealed_groups;
mod sealed_sender;
mod sender_keys;
mod sessions;
mod signatures;

use hushpost_interop::pairing::Stage;

/// Something to play on a stage.
pub struct Scenario {
    pub name: String,
    pub play: Play,
}

type Play = fn(&mut Stage);

/// A subject's scenarios, by name.
type Subject = &'static [(&'static str, Play)];

/// Every scenario, its subject in front of its name.
pub fn all() -> impl Iterator<Item = Scenario> {
    [
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
    ]
    .into_iter()
    .flat_map(|(subject, scenarios)| {
        scenarios.iter().map(move |&(name, play)| Scenario {
            name: format!("{subject}::{name}"),
            play,
        })
    })
}
