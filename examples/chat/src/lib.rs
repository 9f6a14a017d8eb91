//! A chat in the terminal over the [`hushpost`] crate: to use every day, and to copy from.
//!
//! ```text
//!   terminal ── keys ──▶ state ── effects ──▶ app (tasks) ──▶ hushpost::Client
//!      ▲                 │   ▲                                       │
//!      └──── view ◀──────┘   └────────── updates ◀───────────────────┘
//! ```
//!
//! The state decides, and touches nothing; the tasks do, away from the screen, which never waits for a disk or a
//! relay; the view draws what the state holds. [`Chat`] is all of it without a terminal, so that a test can
//! press keys and read the screen.
//!
//! To add a kind of content: a line in `model/body.rs` (what of it is shown) and in `layout/body.rs` (how). A command:
//! a line in a table under `command/`, what it does in `state/commands.rs` or beside it; what the SDK is asked for in
//! `effect.rs` and under `app/tasks/`.

mod app;
mod command;
mod effect;
mod input;
mod layout;
mod model;
mod options;
mod qr;
#[cfg(test)]
mod sample;
mod state;
pub mod terminal;
mod text;
mod update;
mod view;
mod when;

pub use app::{Chat, ChatError};
pub use options::Options;
