//! The root key: turned by each DH agreement, never used for a message.

use super::ChainKey;
use crate::hkdf;
use crate::secret::Secret;

const LABEL: &[u8] = b"WhisperRatchet";

/// 32 bytes, wiped on drop.
pub(crate) struct RootKey(Secret<32>);

impl RootKey {
    pub(crate) const fn new(key: Secret<32>) -> Self {
        Self(key)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// `KDF_RK` (Double Ratchet §3.1): mixes an agreement in, giving the next root key and a new
    /// chain.
    pub(crate) fn turn(&self, shared: &[u8; 32]) -> (Self, ChainKey) {
        let okm = hkdf::derive_short::<64>(Some(&self.0), shared, LABEL);
        let root = Secret::part_of(okm.as_slice(), 0);
        let chain = Secret::part_of(okm.as_slice(), 32);
        (Self(root), ChainKey::new(chain, 0))
    }
}
