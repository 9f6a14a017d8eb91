//! Two parties, a network that does everything a network or a relay can do, and what must hold anyway.
//!
//! A run is a list of [`Event`]s, decoded from any bytes, so that proptest (`tests/chaos_model.rs`)
//! and libFuzzer (`fuzz/fuzz_targets/conversation.rs`) drive the very same model. After every event
//! the [`World`] checks its invariants; at the end both parties must find back to one session.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    missing_debug_implementations
)]

use hushpost_protocol::PqPolicy;

mod event;
mod party;
mod settle;
mod world;

pub use event::{Corruption, Event, KemKey, OneTime, Style, Who, decode};
pub use world::World;

/// Longest run, so that one input cannot take for ever.
pub const MAX_EVENTS: usize = 200;

/// What each party's application asks for: every pair of policies that can talk to each other.
pub const POLICIES: [[PqPolicy; 2]; 5] = [
    [PqPolicy::Off, PqPolicy::Off],
    [PqPolicy::Required, PqPolicy::Required],
    [PqPolicy::Allowed, PqPolicy::Allowed],
    [PqPolicy::Off, PqPolicy::Allowed],
    [PqPolicy::Allowed, PqPolicy::Required],
];

/// Plays the events that `bytes` stand for, and answers how many round trips both sides then needed.
pub fn run(bytes: &[u8]) -> usize {
    let (first, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let policies = POLICIES[usize::from(*first) % POLICIES.len()];
    play(policies, &decode(rest, MAX_EVENTS))
}

/// Plays a list of events: how a past failure is kept in code.
pub fn play(policies: [PqPolicy; 2], events: &[Event]) -> usize {
    let mut world = World::new(policies);
    for event in events {
        world.apply(event);
    }
    settle::settle(&mut world)
}
