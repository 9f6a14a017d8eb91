//! Connections: one WebSocket each, from the welcome to the closing.
//!
//! ```text
//!   upgrade ─▶ task: welcome ─▶ proof of identity ─▶ requests and answers, deliveries, pushes ─▶ closing
//! ```
//!
//! The task of a connection is the only one that touches its socket. Everybody else (the writer, presence,
//! the reaper) talks to its [`Session`], which takes note and wakes the task. An idle connection is what a
//! relay has most of, so what it holds is counted in bytes: no timers, no channel, small buffers.
//!
//! - [`upgrade`]: HTTP to WebSocket
//! - `session`: what others see of a connection
//! - `task`: reading, writing, waiting
//! - `handshake`: who is at the other end
//! - `requests`: which room answers what
//! - `sending`: `Send` and `SendSealed`
//! - `delivery`: from the mailbox to the socket
//! - [`reaper`]: closes who is silent, stuck or unproven

mod delivery;
mod handshake;
pub mod reaper;
mod requests;
mod sending;
mod session;
mod task;
pub mod upgrade;

pub use session::{Registry, Session};
