//! Plays the Signal Protocol between two implementations, each behind the same JSON-lines protocol in
//! a process of its own: ours (the example `conformance_peer` of `hushpost-protocol`) and the official
//! library (`peer/peer.mjs`).
//!
//! For: proving that ours speaks to the real thing, in both roles, when all goes well and when
//! nothing does. The scenarios themselves are under `tests/scenarios`.
//!
//! Must never: link the official library or anything of it (it is AGPL; it is a child process and
//! nothing else), know how either side works inside, sleep, or judge by the clock.

// A broken assumption ends the scenario that made it: in a test, that is the report.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used
)]

pub mod conversation;
pub mod faults;
pub mod garbage;
pub mod groups;
pub mod implementation;
pub mod install;
pub mod json;
pub mod keys;
pub mod pairing;
pub mod party;
pub mod peer;
pub mod protobuf;
pub mod relay;
pub mod sealed;
pub mod seed;
pub mod sessions;
pub mod side;
pub mod tamper;
