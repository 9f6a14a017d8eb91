//! The Signal Protocol and nothing else.
#![forbid(unsafe_code)]

mod address;
mod cipher;
mod curve;
mod decryption_error;
mod encoding;
mod error;
mod handshake;
mod hkdf;
mod hmac_block;
mod identity;
pub mod import;
mod kem;
mod message;
mod pre_key;
mod proto;
mod random;
mod ratchet;
mod safety_number;
pub mod sealed_sender;
mod secret;
mod sender_key;
mod session;

pub use address::*;
pub use curve::*;
pub use decryption_error::*;
pub use error::*;
pub use identity::*;
pub use kem::*;
pub use message::*;
pub use pre_key::*;
pub use ratchet::{MAX_FORWARD_JUMP, MAX_RECEIVING_CHAINS, MAX_SKIPPED_KEYS};
pub use safety_number::*;
pub use sender_key::*;
pub use session::{ConsumedPreKeys, PreKeySecrets, Received, Session};
