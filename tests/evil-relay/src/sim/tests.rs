//! The simulated relay, tried by a small client of its frames.
#![allow(clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects)]

mod client;
mod faults;
mod promises;
