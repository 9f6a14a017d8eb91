//! Two relays for trying the client SDK.
//!
//! - [`EvilRelay`] stands between clients and a real relay and lies: it drops, holds, repeats, reorders,
//!   rewrites, injects, rolls back and cuts, as a test's rules say.
//! - [`SimRelay`] is a small relay in memory, honest unless its [`FaultPlan`] says otherwise, for simulations
//!   that come out the same for the same seed.
//!
//! Must never: link the relay or the SDK. What is tried with these sees frames and nothing else. Nor sleep on
//! a real clock: who waits, waits for an event, with [`PATIENCE`] as the limit past which a hang is a
//! failure with a reason.
//!
//! A row of the attack list is about ten lines. "The relay drops one message of three without a word":
//!
//! ```no_run
//! use hushpost_evil_relay::{EvilRelay, Verdict};
//! # async fn example(relay: std::net::SocketAddr, bob: hushpost_wire::AccountId)
//! # -> Result<(), hushpost_evil_relay::EvilError> {
//! let evil = EvilRelay::renumbering(relay).await?;
//! let mut count = 0;
//! evil.on_delivery(move |_, to| {
//!     count += u32::from(to.is(bob));
//!     if to.is(bob) && count == 2 { Verdict::Drop } else { Verdict::Pass }
//! });
//! // Alice and Bob connect to evil.address(); Alice sends three messages.
//! evil.until("all three passed here", |seen| seen.deliveries_to(bob).count() == 3).await?;
//! // Bob's SDK must show a gap.
//! # Ok(())
//! # }
//! ```
//!
//! "The relay serves an old device list": `evil.serve_device_list(alice, old)`. "It delivers an old message
//! once more": `evil.deliver(bob, &evil.recorded_deliveries()[0].1)`. "It is a day ahead":
//! `evil.on_welcome(|welcome| welcome.time_ms += 86_400_000)`.

mod error;
pub mod evil;
pub mod sim;
mod websocket;

use std::time::Duration;

pub use error::EvilError;
pub use evil::{
    Event, EvilRelay, Fate, Frame, Held, HeldFrame, Record, RuleId, Rules, Target, Verdict, What,
    Who,
};
pub use sim::{FaultPlan, OneIn, SimOptions, SimRelay};

/// Longest wait for anything that should happen at once. Far above what anything takes on a loaded machine:
/// past it, somebody hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);
