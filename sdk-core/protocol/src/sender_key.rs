//! Sender keys: one encryption for a whole group.
//!
//! Each member has a chain of its own, made of a chain key and a signing key, and gives the other
//! members its current point in a distribution message over their 1:1 sessions. A message is then
//! encrypted once; who holds the distribution message can read from there on, and the signature
//! tells which member wrote it. A chain only runs forward, so old messages stay closed to newcomers
//! and thieves; it does not heal, so it is replaced when anyone leaves and from time to time (the
//! sender decides when: see [`OutboundSenderKey::rotate`]).
//!
//! There is no public specification; the bytes are on the crate's wire-format page.

mod distribution_message;
mod inbound;
mod message;
mod outbound;

pub use distribution_message::SenderKeyDistributionMessage;
pub use inbound::{InboundSenderKey, MAX_SENDER_KEY_STATES};
pub use message::SenderKeyMessage;
pub use outbound::OutboundSenderKey;

pub(crate) use inbound::SenderKeyState;

use core::fmt;

use uuid::Uuid;

use crate::error::{Error, Result};
use crate::hkdf;
use crate::ratchet::MessageSeed;
use crate::secret::Secret;

const LABEL: &[u8] = b"WhisperGroup";

/// The version byte: 3 above, 3 below.
const VERSION_BYTE: u8 = 0x33;
const VERSION: u8 = VERSION_BYTE >> 4;

/// Names a sender-key distribution: usually one a group, chosen at random by its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DistributionId(pub Uuid);

impl DistributionId {
    fn from_wire(bytes: Option<&[u8]>) -> Result<Self> {
        bytes
            .and_then(|bytes| Uuid::from_slice(bytes).ok())
            .map(Self)
            .ok_or(Error::InvalidMessage)
    }

    fn to_wire(self) -> Vec<u8> {
        self.0.as_bytes().to_vec()
    }
}

impl fmt::Display for DistributionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one chain of a sender within a distribution: 31 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChainId(pub u32);

/// The keys of one group message. Wiped on drop.
struct GroupMessageKeys {
    iv: Secret<16>,
    cipher: Secret<32>,
}

impl GroupMessageKeys {
    fn expand(seed: &MessageSeed) -> Self {
        let okm = hkdf::derive_short::<48>(None, seed.as_bytes(), LABEL);
        Self {
            iv: Secret::part_of(okm.as_slice(), 0),
            cipher: Secret::part_of(okm.as_slice(), 16),
        }
    }
}

/// Checks a version byte; the low nibble says nothing.
fn check_version(byte: u8) -> Result<()> {
    match byte >> 4 {
        VERSION => Ok(()),
        older if older < VERSION => Err(Error::LegacyVersion(older)),
        newer => Err(Error::UnrecognizedVersion(newer)),
    }
}
