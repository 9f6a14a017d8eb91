//! The relay: stores and forwards what it cannot read.
//!
//! ```text
//!   listener ─▶ connection ─▶ accounts · keys · presence · blobs
//!                   │                        │
//!                   └──── mailbox ◀─────── store (one writer)
//! ```
//!
//! It never links the protocol crate or the client SDK: the code that could read a message is not in it.
//! What it knows all the same is written down in `relay/what-the-relay-knows.md`.
//!
//! - [`listener`]: sockets, TLS, how many may connect; [`connection`]: one WebSocket each
//! - [`accounts`], [`keys`], [`mailbox`], [`presence`], [`blobs`]: the rooms that requests are for
//! - [`limits`], [`refusal`]: how much, and how it is refused
//! - [`store`]: SQLite, group commits; [`maintenance`]: what is done every so often
//! - [`config`], [`cli`], [`admin`], [`observe`], [`server`]: the operator's side

// Most types hold keys, tokens or who writes to whom: that they cannot be printed is on purpose.
#![allow(missing_debug_implementations)]

pub mod accounts;
pub mod admin;
pub mod blobs;
pub mod cli;
pub mod config;
pub mod connection;
pub mod keys;
pub mod limits;
pub mod listener;
pub mod mailbox;
pub mod maintenance;
pub mod observe;
pub mod presence;
pub mod refusal;
pub mod relay;
pub mod server;
pub mod store;
