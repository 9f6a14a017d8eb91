//! What a Hushpost client and relay say to each other, and nothing else: frames, ids, limits, error
//! codes, and the few checks that need no secret of a message.
//!
//! Pure: no I/O, no clock, no randomness. Both sides link it, so it must never hold anything that could
//! decrypt. Every byte it is given may come from an attacker: it is bounded before it is allocated, and
//! answered with a typed error.
//!
//! - [`frame`]: one WebSocket message is one [`ClientFrame`] or [`ServerFrame`]
//! - [`address`]: account ids (made from the account key), device numbers, message ids
//! - [`device_list`]: the signed, versioned list of an account's devices
//! - [`challenge`]: how a device proves itself to a relay
//! - [`topic`]: presence topics, whose publisher shows a key that followers do not have
//! - [`sent_message`]: splitting a sealed envelope for its recipients
//! - [`error_code`]: which errors may be retried
//! - [`limits`]: sizes and counts, with their reasons
//!
//! ```
//! use hushpost_wire::{ClientFrame, Ping, client_frame::Request, frame};
//!
//! let bytes = frame::encode(&ClientFrame { id: 1, request: Some(Request::Ping(Ping {})) });
//! let back: ClientFrame = frame::decode(bytes)?;
//! assert!(matches!(back.request, Some(Request::Ping(_))));
//! # Ok::<(), hushpost_wire::MalformedFrame>(())
//! ```
//!
#![doc = include_str!("frames.md")]

pub mod address;
pub mod challenge;
pub mod device_list;
pub mod error_code;
pub mod frame;
pub mod limits;
pub mod sent_message;
pub mod topic;

mod generated {
    #![allow(
        clippy::all,
        clippy::pedantic,
        missing_debug_implementations,
        unused_qualifications
    )]
    include!(concat!(env!("OUT_DIR"), "/hushpost.v1.rs"));
}

pub use address::{AccountId, DeviceAddress, DeviceId, InvalidAddress, MessageId};
pub use device_list::{AccountDevice, DeviceListError, VerifiedDeviceList};
pub use frame::MalformedFrame;
pub use generated::*;

/// The protocol version that this crate describes; see [`Welcome`].
pub const PROTOCOL_VERSION: u32 = 1;

/// WebSocket subprotocol of the frames, offered by the client and confirmed by the relay.
pub const SUBPROTOCOL: &str = "hushpost.v1";
