//! Links against a relay that says what the test tells it to, over memory and on paused time.

#![allow(clippy::unwrap_used, clippy::panic)]

mod closing;
mod handshake;
mod hostile;
mod requests;
mod scripted_relay;
