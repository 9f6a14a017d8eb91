//! The sender key distribution message: lets its holder read a chain from one point on.
//!
//! It is a secret and is not signed: it must travel over a 1:1 session, whose identity is the
//! sender's.

use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{ChainId, DistributionId, VERSION_BYTE, check_version};
use crate::curve::PublicKey;
use crate::error::{Error, KeyRole, Result};
use crate::proto;

/// A chain's current point and its signing key: 96 bytes with small numbers. Wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SenderKeyDistributionMessage {
    #[zeroize(skip)]
    pub(super) distribution_id: DistributionId,
    #[zeroize(skip)]
    pub(super) chain_id: ChainId,
    pub(super) iteration: u32,
    pub(super) chain_key: [u8; 32],
    #[zeroize(skip)]
    pub(super) signing_key: PublicKey,
}

impl SenderKeyDistributionMessage {
    /// Parses the wire form.
    ///
    /// # Errors
    /// [`Error::LegacyVersion`], [`Error::UnrecognizedVersion`], [`Error::InvalidKey`] for the
    /// signing key, otherwise [`Error::InvalidMessage`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (&version, body) = bytes.split_first().ok_or(Error::InvalidMessage)?;
        check_version(version)?;
        let body: proto::SenderKeyDistributionMessage = proto::decode(body)?;
        let chain_key = body.chain_key.as_deref().ok_or(Error::InvalidMessage)?;
        let signing_key = body.signing_key.as_deref().ok_or(Error::InvalidMessage)?;
        Ok(Self {
            distribution_id: DistributionId::from_wire(body.distribution_id.as_deref())?,
            chain_id: ChainId(body.chain_id.ok_or(Error::InvalidMessage)?),
            iteration: body.iteration.ok_or(Error::InvalidMessage)?,
            chain_key: chain_key.try_into().map_err(|_| Error::InvalidMessage)?,
            signing_key: PublicKey::from_bytes(signing_key)
                .map_err(|error| error.about(KeyRole::SenderKey))?,
        })
    }

    /// The wire form, in a buffer that is wiped on drop.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let body = proto::SenderKeyDistributionMessage {
            distribution_id: Some(self.distribution_id.to_wire()),
            chain_id: Some(self.chain_id.0),
            iteration: Some(self.iteration),
            chain_key: Some(self.chain_key.to_vec()),
            signing_key: Some(self.signing_key.to_bytes().to_vec()),
        };
        let mut bytes = Zeroizing::new(Vec::with_capacity(128));
        bytes.push(VERSION_BYTE);
        proto::append(&mut bytes, &body);
        bytes
    }

    /// The distribution it belongs to.
    #[must_use]
    pub const fn distribution_id(&self) -> DistributionId {
        self.distribution_id
    }

    /// The chain it opens.
    #[must_use]
    pub const fn chain_id(&self) -> ChainId {
        self.chain_id
    }

    /// The first message it opens.
    #[must_use]
    pub const fn iteration(&self) -> u32 {
        self.iteration
    }
}

impl fmt::Debug for SenderKeyDistributionMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SenderKeyDistributionMessage")
            .field("distribution_id", &self.distribution_id)
            .field("chain_id", &self.chain_id)
            .field("iteration", &self.iteration)
            .finish_non_exhaustive()
    }
}
