//! Wire encodings of 1:1 messages: parsed once, kept as the bytes that arrived.
//!
//! A MAC or a signature is always computed over those bytes, never over a re-encoding, so fields this
//! version does not know are covered too. Parsing checks form only; nothing in a parsed message is
//! true until a session has opened it.

mod pre_key_signal_message;
mod signal_message;

pub use pre_key_signal_message::PreKeySignalMessage;
pub use signal_message::SignalMessage;

pub(crate) use pre_key_signal_message::{KemPart, PreKeyParts};
pub(crate) use signal_message::{Direction, SignalMessageParts};

use crate::error::{Error, Result};

/// The newest session version this crate speaks; sent in the low nibble of the version byte.
const NEWEST_VERSION: u8 = ProtocolVersion::V4 as u8;

/// How a session was set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ProtocolVersion {
    /// X3DH: classical only.
    V3 = 3,
    /// PQXDH: X3DH and a KEM.
    V4 = 4,
}

impl ProtocolVersion {
    /// The number, for stored state.
    pub(crate) const fn from_number(number: u8) -> Option<Self> {
        match number {
            3 => Some(Self::V3),
            4 => Some(Self::V4),
            _ => None,
        }
    }

    /// The version byte: session version above, newest known version below.
    const fn to_byte(self) -> u8 {
        ((self as u8) << 4) | NEWEST_VERSION
    }

    /// Reads a version byte; the low nibble says nothing about the message.
    fn from_byte(byte: u8) -> Result<Self> {
        let number = byte >> 4;
        match Self::from_number(number) {
            Some(version) => Ok(version),
            None if number < Self::V3 as u8 => Err(Error::LegacyVersion(number)),
            None => Err(Error::UnrecognizedVersion(number)),
        }
    }
}

/// The type number that travels beside a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MessageType {
    /// A [`SignalMessage`] in an established session.
    Signal = 2,
    /// A [`PreKeySignalMessage`]: starts a session.
    PreKey = 3,
    /// A [`SenderKeyMessage`](crate::SenderKeyMessage) to a group.
    SenderKey = 7,
    /// A [`PlaintextContent`](crate::PlaintextContent): a decryption error.
    Plaintext = 8,
}

impl MessageType {
    /// Reads the number that came beside a message.
    ///
    /// # Errors
    /// [`Error::InvalidMessage`] if it is none of the four.
    pub const fn from_number(number: u8) -> Result<Self> {
        match number {
            2 => Ok(Self::Signal),
            3 => Ok(Self::PreKey),
            7 => Ok(Self::SenderKey),
            8 => Ok(Self::Plaintext),
            _ => Err(Error::InvalidMessage),
        }
    }
}

/// What [`Session::encrypt`](crate::Session::encrypt) makes.
#[derive(Debug, Clone)]
pub enum CiphertextMessage {
    /// The session is established.
    Signal(SignalMessage),
    /// The peer has not answered yet, so every message carries what it needs to start the session.
    PreKey(PreKeySignalMessage),
}

impl CiphertextMessage {
    /// The type number to send beside the bytes.
    #[must_use]
    pub const fn message_type(&self) -> MessageType {
        match self {
            Self::Signal(_) => MessageType::Signal,
            Self::PreKey(_) => MessageType::PreKey,
        }
    }

    /// The bytes to send.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Signal(message) => message.as_bytes(),
            Self::PreKey(message) => message.as_bytes(),
        }
    }

    /// The bytes to send.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Signal(message) => message.into_bytes(),
            Self::PreKey(message) => message.into_bytes(),
        }
    }
}
