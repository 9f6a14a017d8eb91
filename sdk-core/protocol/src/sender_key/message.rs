//! The sender key message: version byte, protobuf, 64-byte signature.

use super::{ChainId, DistributionId, VERSION_BYTE, check_version};
use crate::curve::SIGNATURE_LEN;
use crate::error::{Error, Result};
use crate::proto;

/// A message to a group. Parsed, it is still unverified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderKeyMessage {
    distribution_id: DistributionId,
    chain_id: ChainId,
    iteration: u32,
    ciphertext: Vec<u8>,
    serialized: Vec<u8>,
}

impl SenderKeyMessage {
    /// Parses the wire form; any length.
    ///
    /// # Errors
    /// [`Error::LegacyVersion`], [`Error::UnrecognizedVersion`], otherwise
    /// [`Error::InvalidMessage`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (&version, rest) = bytes.split_first().ok_or(Error::InvalidMessage)?;
        check_version(version)?;
        let (body, _signature) = rest
            .split_last_chunk::<SIGNATURE_LEN>()
            .ok_or(Error::InvalidMessage)?;
        let body: proto::SenderKeyMessage = proto::decode(body)?;
        Ok(Self {
            distribution_id: DistributionId::from_wire(body.distribution_id.as_deref())?,
            chain_id: ChainId(body.chain_id.ok_or(Error::InvalidMessage)?),
            iteration: body.iteration.ok_or(Error::InvalidMessage)?,
            ciphertext: body.ciphertext.ok_or(Error::InvalidMessage)?,
            serialized: bytes.to_vec(),
        })
    }

    /// Encodes a new message and has its content signed.
    pub(super) fn seal(
        distribution_id: DistributionId,
        chain_id: ChainId,
        iteration: u32,
        ciphertext: Vec<u8>,
        sign: impl FnOnce(&[u8]) -> Result<[u8; SIGNATURE_LEN]>,
    ) -> Result<Self> {
        let mut body = proto::SenderKeyMessage {
            distribution_id: Some(distribution_id.to_wire()),
            chain_id: Some(chain_id.0),
            iteration: Some(iteration),
            ciphertext: Some(ciphertext),
        };
        let ciphertext_len = body.ciphertext.as_ref().map_or(0, Vec::len);
        let mut serialized = Vec::with_capacity(ciphertext_len.saturating_add(48 + SIGNATURE_LEN));
        serialized.push(VERSION_BYTE);
        proto::append(&mut serialized, &body);
        let signature = sign(&serialized)?;
        serialized.extend_from_slice(&signature);
        Ok(Self {
            distribution_id,
            chain_id,
            iteration,
            ciphertext: body.ciphertext.take().unwrap_or_default(),
            serialized,
        })
    }

    /// What is signed, and the signature.
    pub(super) fn signed_parts(&self) -> Result<(&[u8], &[u8; SIGNATURE_LEN])> {
        self.serialized
            .split_last_chunk()
            .ok_or(Error::InvalidMessage)
    }

    /// The distribution it belongs to.
    #[must_use]
    pub const fn distribution_id(&self) -> DistributionId {
        self.distribution_id
    }

    /// The chain it was encrypted on.
    #[must_use]
    pub const fn chain_id(&self) -> ChainId {
        self.chain_id
    }

    /// Its number in the chain, from 0.
    #[must_use]
    pub const fn iteration(&self) -> u32 {
        self.iteration
    }

    pub(super) fn ciphertext(&self) -> &[u8] {
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
