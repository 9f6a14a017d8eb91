//! Telling a sender that its message could not be read, in the clear, because there may be no session
//! to tell it over.
//!
//! Who is told so about the state in use starts a new one and sends the message again **at once**:
//! were it only to start, the peer's next message on the old state would make that one current again.
//!
//! ```
//! use hushpost_protocol::*;
//!
//! # fn main() -> Result<()> {
//! // Bob could not read a group message of Alice's device 1, sent under this timestamp.
//! let sent_at = Timestamp(1_764_000_000_000);
//! let unread = b"the bytes that arrived";
//! let device = DeviceId::PRIMARY;
//! let report =
//!     DecryptionErrorMessage::for_original(MessageType::SenderKey, unread, sent_at, device)?;
//! let on_the_wire = PlaintextContent::new(report).to_bytes();
//!
//! // Alice sends it again.
//! let content = PlaintextContent::from_bytes(&on_the_wire)?;
//! assert_eq!(content.decryption_error().timestamp(), sent_at);
//! # Ok(())
//! # }
//! ```

use crate::address::{DeviceId, Timestamp};
use crate::curve::PublicKey;
use crate::error::{Error, KeyRole, Result};
use crate::message::{MessageType, PreKeySignalMessage, SignalMessage};
use crate::proto;

/// First byte of a plaintext content: neither a session version nor a sender key version.
const PLAINTEXT_MARK: u8 = 0xc0;
/// Ends the content and starts its (empty) padding.
const PADDING_MARK: u8 = 0x80;

/// Which message could not be read. Asks its sender to send it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecryptionErrorMessage {
    ratchet_key: Option<PublicKey>,
    timestamp: Timestamp,
    device_id: u32,
}

impl DecryptionErrorMessage {
    /// Describes a message that failed. `timestamp` is the one it was sent under, `sender_device` the
    /// device that sent it.
    ///
    /// # Errors
    /// As the parser of the message's type, because a 1:1 message's ratchet key goes along;
    /// [`Error::InvalidMessage`] for a plaintext content, which needs no decryption.
    pub fn for_original(
        message_type: MessageType,
        message: &[u8],
        timestamp: Timestamp,
        sender_device: DeviceId,
    ) -> Result<Self> {
        let ratchet_key = match message_type {
            MessageType::Signal => Some(*SignalMessage::from_bytes(message)?.ratchet_key()),
            MessageType::PreKey => Some(
                *PreKeySignalMessage::from_bytes(message)?
                    .message()
                    .ratchet_key(),
            ),
            MessageType::SenderKey => None,
            MessageType::Plaintext => return Err(Error::InvalidMessage),
        };
        Ok(Self {
            ratchet_key,
            timestamp,
            device_id: sender_device.get().into(),
        })
    }

    /// Parses the wire form.
    ///
    /// # Errors
    /// [`Error::InvalidMessage`], [`Error::InvalidKey`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_proto(proto::decode(bytes)?)
    }

    /// The wire form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        proto::append(&mut bytes, &self.to_proto());
        bytes
    }

    /// The ratchet key of the failed message, if it was 1:1: if it is our current one
    /// ([`Session::current_ratchet_key_matches`](crate::Session::current_ratchet_key_matches)), the
    /// session itself is broken and needs a new start.
    #[must_use]
    pub const fn ratchet_key(&self) -> Option<&PublicKey> {
        self.ratchet_key.as_ref()
    }

    /// The failed message's timestamp.
    #[must_use]
    pub const fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// The device that sent the failed message, 0 if unknown.
    #[must_use]
    pub const fn device_id(&self) -> u32 {
        self.device_id
    }

    fn from_proto(message: proto::DecryptionErrorMessage) -> Result<Self> {
        let ratchet_key = message
            .ratchet_key
            .map(|key| PublicKey::from_bytes(&key))
            .transpose()
            .map_err(|error| error.about(KeyRole::Ratchet))?;
        Ok(Self {
            ratchet_key,
            timestamp: Timestamp(message.timestamp.ok_or(Error::InvalidMessage)?),
            device_id: message.device_id.unwrap_or(0),
        })
    }

    fn to_proto(&self) -> proto::DecryptionErrorMessage {
        proto::DecryptionErrorMessage {
            ratchet_key: self.ratchet_key.map(|key| key.to_bytes().to_vec()),
            timestamp: Some(self.timestamp.0),
            device_id: Some(self.device_id),
        }
    }
}

/// A message that is not encrypted: it can say that a decryption failed, and nothing else, so that
/// no user content ever travels in the clear by mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaintextContent {
    decryption_error: DecryptionErrorMessage,
}

impl PlaintextContent {
    /// Wraps a decryption error.
    #[must_use]
    pub const fn new(decryption_error: DecryptionErrorMessage) -> Self {
        Self { decryption_error }
    }

    /// Parses the wire form.
    ///
    /// # Errors
    /// [`Error::UnrecognizedVersion`] for another first byte, [`Error::InvalidMessage`] if it holds
    /// no decryption error, [`Error::InvalidKey`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (&mark, rest) = bytes.split_first().ok_or(Error::InvalidMessage)?;
        if mark != PLAINTEXT_MARK {
            return Err(Error::UnrecognizedVersion(mark >> 4));
        }
        // Padding: a mark, then zeros.
        let end = rest.iter().rposition(|&byte| byte != 0);
        let Some((content, [PADDING_MARK, ..])) = end.and_then(|end| rest.split_at_checked(end))
        else {
            return Err(Error::InvalidMessage);
        };
        let content: proto::PlaintextContent = proto::decode(content)?;
        let error = content.decryption_error.ok_or(Error::InvalidMessage)?;
        DecryptionErrorMessage::from_proto(error).map(Self::new)
    }

    /// The wire form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![PLAINTEXT_MARK];
        proto::append(
            &mut bytes,
            &proto::PlaintextContent {
                decryption_error: Some(self.decryption_error.to_proto()),
            },
        );
        bytes.push(PADDING_MARK);
        bytes
    }

    /// What it says.
    #[must_use]
    pub const fn decryption_error(&self) -> &DecryptionErrorMessage {
        &self.decryption_error
    }
}
