//! A relay in memory for deterministic simulations: a model of what the real one promises, over any byte
//! stream, with no threads, no real clock, no files.
//!
//! Same seed, same program, same paused clock: the same run. Run it on tokio's current-thread runtime with
//! `start_paused`. Everything in the model is ordered; each connection draws its faults from a generator of
//! its own, so that one connection's dice do not depend on another's frames.
//!
//! Not in the model, and answered by `UNSUPPORTED`: presence and blobs. Nor does it limit rates or expire
//! messages.
//!
//! ```
//! use hushpost_evil_relay::{FaultPlan, OneIn, SimOptions, SimRelay};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
//! let relay = SimRelay::new(SimOptions { seed: 7, ..SimOptions::default() });
//! relay.set_faults(FaultPlan { latency_ms: 5..=200, cut: OneIn(50), ..FaultPlan::none() });
//! let stream = relay.connect(); // the client speaks WebSocket over it
//! # drop(stream);
//! // ... clients talk ...
//! relay.wipe(); // another epoch, everything lost
//! relay.set_faults(FaultPlan::none()); // faults stop; now everything must arrive
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```

mod accounts;
mod connection;
mod delivery;
mod faults;
mod mailbox;
mod model;
mod relay;
mod requests;
mod sending;
mod session;
mod stock;
#[cfg(test)]
mod tests;

pub use faults::{FaultPlan, OneIn};
pub use model::SimOptions;
pub use relay::SimRelay;
