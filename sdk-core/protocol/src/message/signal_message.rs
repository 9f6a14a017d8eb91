//! `SignalMessage`: version byte, protobuf, 8-byte MAC.

use subtle::ConstantTimeEq;

use super::ProtocolVersion;
use crate::curve::PublicKey;
use crate::error::{Error, KeyRole, Result};
use crate::mac;
use crate::proto;

/// Length of the truncated MAC. 8 bytes is what the deployed protocol has; an online attacker gets
/// one guess a message, and each wrong one is reported.
const MAC_LEN: usize = 8;

/// Who sends to whom: both identities are under the MAC.
#[derive(Clone, Copy)]
pub(crate) struct Direction<'a> {
    pub(crate) sender: &'a PublicKey,
    pub(crate) receiver: &'a PublicKey,
}

/// A message of an established session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalMessage {
    version: ProtocolVersion,
    ratchet_key: PublicKey,
    counter: u32,
    ciphertext: Vec<u8>,
    pq_ratchet: Option<Vec<u8>>,
    addresses: Option<Vec<u8>>,
    serialized: Vec<u8>,
}

/// What goes into a new message, in wire order.
pub(crate) struct SignalMessageParts<'a> {
    pub(crate) version: ProtocolVersion,
    pub(crate) ratchet_key: &'a PublicKey,
    pub(crate) counter: u32,
    pub(crate) previous_counter: u32,
    pub(crate) ciphertext: Vec<u8>,
    /// The post-quantum ratchet's part, where the session has that ratchet.
    pub(crate) pq_ratchet: Option<Vec<u8>>,
    /// Who sends to whom, in a session's first messages.
    pub(crate) addresses: Option<Vec<u8>>,
}

impl SignalMessage {
    /// Parses the wire form; any length.
    ///
    /// # Errors
    /// [`Error::LegacyVersion`], [`Error::UnrecognizedVersion`], [`Error::InvalidKey`] for the ratchet
    /// key, otherwise [`Error::InvalidMessage`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (&version, rest) = bytes.split_first().ok_or(Error::InvalidMessage)?;
        let version = ProtocolVersion::from_byte(version)?;
        let (body, _mac) = rest
            .split_last_chunk::<MAC_LEN>()
            .ok_or(Error::InvalidMessage)?;
        let body: proto::SignalMessage = proto::decode(body)?;
        let ratchet_key = body.ratchet_key.ok_or(Error::InvalidMessage)?;
        Ok(Self {
            version,
            ratchet_key: PublicKey::from_bytes(&ratchet_key)
                .map_err(|error| error.about(KeyRole::Ratchet))?,
            counter: body.counter.ok_or(Error::InvalidMessage)?,
            ciphertext: body.ciphertext.ok_or(Error::InvalidMessage)?,
            // An empty field says the same as none.
            pq_ratchet: body.pq_ratchet.filter(|field| !field.is_empty()),
            addresses: body.addresses,
            serialized: bytes.to_vec(),
        })
    }

    /// Encodes and authenticates a new message.
    pub(crate) fn seal(
        parts: SignalMessageParts<'_>,
        mac_key: &[u8; 32],
        direction: Direction<'_>,
    ) -> Self {
        let SignalMessageParts {
            version,
            ratchet_key,
            counter,
            previous_counter,
            ciphertext,
            pq_ratchet,
            addresses,
        } = parts;
        let mut body = proto::SignalMessage {
            ratchet_key: Some(ratchet_key.to_bytes().to_vec()),
            counter: Some(counter),
            previous_counter: Some(previous_counter),
            ciphertext: Some(ciphertext),
            pq_ratchet,
            addresses,
        };
        // Version byte, short fields, length prefixes, and what a second ratchet and the addresses take.
        let capacity = body
            .ciphertext
            .as_ref()
            .map_or(0, Vec::len)
            .saturating_add(160 + MAC_LEN);
        let mut serialized = Vec::with_capacity(capacity);
        serialized.push(version.to_byte());
        proto::append(&mut serialized, &body);
        let mac = message_mac(mac_key, direction, &serialized);
        serialized.extend_from_slice(&mac);
        Self {
            version,
            ratchet_key: *ratchet_key,
            counter,
            ciphertext: body.ciphertext.take().unwrap_or_default(),
            pq_ratchet: body.pq_ratchet.take(),
            addresses: body.addresses.take(),
            serialized,
        }
    }

    /// Checks the MAC over the bytes as received, in constant time.
    pub(crate) fn verify_mac(&self, mac_key: &[u8; 32], direction: Direction<'_>) -> Result<()> {
        let (content, received) = self
            .serialized
            .split_last_chunk::<MAC_LEN>()
            .ok_or(Error::InvalidMessage)?;
        let expected = message_mac(mac_key, direction, content);
        if bool::from(expected.ct_eq(received)) {
            Ok(())
        } else {
            Err(Error::InvalidMessage)
        }
    }

    /// The version of the session it belongs to.
    #[must_use]
    pub const fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// The sender's ratchet key.
    #[must_use]
    pub const fn ratchet_key(&self) -> &PublicKey {
        &self.ratchet_key
    }

    /// The number of the message in its chain, from 0.
    #[must_use]
    pub const fn counter(&self) -> u32 {
        self.counter
    }

    pub(crate) fn pq_ratchet(&self) -> Option<&[u8]> {
        self.pq_ratchet.as_deref()
    }

    pub(crate) fn addresses(&self) -> Option<&[u8]> {
        self.addresses.as_deref()
    }

    pub(crate) fn ciphertext(&self) -> &[u8] {
        &self.ciphertext
    }

    /// The wire form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.serialized
    }

    /// The wire form.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.serialized
    }
}

fn message_mac(key: &[u8; 32], direction: Direction<'_>, content: &[u8]) -> [u8; MAC_LEN] {
    let sender = direction.sender.to_bytes();
    let receiver = direction.receiver.to_bytes();
    mac::tag(key, &[&sender, &receiver, content])
}
