//! The replay guard: remembers which first messages were accepted without a one-time pre-key.
//!
//! A one-time pre-key is deleted when it is used, so a first message that is replayed finds nothing
//! to answer it. Signed and last-resort keys stay, and a replay would open a second session with the
//! same keys and show the message again (X3DH §4.2, PQXDH §4.2). The guard holds
//! (signed pre-key, KEM pre-key, base key) of each accepted one for as long as the signed pre-key
//! lives.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use crate::address::{KemPreKeyId, SignedPreKeyId};
use crate::curve::PublicKey;
use crate::encoding::{Kind, Reader, Writer};
use crate::error::{Error, Result};

/// How many first messages are remembered: 10,000 strangers between two rotations, 0.5 MB. Beyond
/// that, new ones are refused rather than old ones forgotten.
pub const REPLAY_GUARD_CAPACITY: usize = 10_000;

const ENCODING_VERSION: u8 = 1;
const ENTRY_LEN: usize = 4 + 5 + 32;

type Entry = (SignedPreKeyId, Option<KemPreKeyId>, PublicKey);

/// One device's memory of first messages; store it in the transaction that stores the session.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ReplayGuard(BTreeSet<Entry>);

impl ReplayGuard {
    /// An empty guard, for a device that has just been set up.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeSet::new())
    }

    /// Drops what was remembered for a signed pre-key whose private half has been deleted.
    pub fn forget(&mut self, retired: SignedPreKeyId) {
        self.0.retain(|&(signed, _, _)| signed != retired);
    }

    /// How many first messages are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a first message may be accepted.
    pub(crate) fn check(
        &self,
        signed: SignedPreKeyId,
        kem: Option<KemPreKeyId>,
        base_key: &PublicKey,
    ) -> Result<()> {
        if self.0.contains(&(signed, kem, *base_key)) {
            return Err(Error::ReplayedBaseKey);
        }
        if self.0.len() >= REPLAY_GUARD_CAPACITY {
            return Err(Error::ReplayGuardFull);
        }
        Ok(())
    }

    /// Remembers an accepted one.
    pub(crate) fn record(
        &mut self,
        signed: SignedPreKeyId,
        kem: Option<KemPreKeyId>,
        base_key: &PublicKey,
    ) {
        self.0.insert((signed, kem, *base_key));
    }

    /// The stored form: at most 42 bytes an entry. Public keys only, but it tells who wrote when.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let capacity = 12usize.saturating_add(self.0.len().saturating_mul(ENTRY_LEN));
        let mut writer = Writer::new(Kind::ReplayGuard, ENCODING_VERSION, capacity);
        writer.count(self.0.len());
        for (signed, kem, base_key) in &self.0 {
            writer.varint(signed.0.into());
            writer.option(*kem, |writer, kem| writer.varint(kem.0.into()));
            writer.public_key(base_key);
        }
        writer.finish()
    }

    /// Reads [`ReplayGuard::encode`]'s form.
    ///
    /// # Errors
    /// [`Error::InvalidState`] if it is not that.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::of_version(Kind::ReplayGuard, ENCODING_VERSION, bytes)?;
        let mut entries = BTreeSet::new();
        for _ in 0..reader.count(REPLAY_GUARD_CAPACITY)? {
            let signed = SignedPreKeyId(reader.u32()?);
            let kem = reader.option(|reader| reader.u32().map(KemPreKeyId))?;
            entries.insert((signed, kem, reader.public_key()?));
        }
        reader.finish()?;
        Ok(Self(entries))
    }
}
