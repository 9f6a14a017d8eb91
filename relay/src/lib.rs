//! The relay.
#![allow(dead_code)]
pub mod accounts;
pub mod keys;
pub mod mailbox;
pub mod refusal;
pub mod store;
