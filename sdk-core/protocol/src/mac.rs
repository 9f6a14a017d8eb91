//! HMAC-SHA-256 (RFC 2104) with a 32-byte key over input of any length: what authenticates messages.
//! The ratchets' short inputs have a faster room of their own, `hmac_block`.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroize;

use crate::secret::Secret;

/// The first `N` bytes of the MAC over the concatenated `parts`.
pub(crate) fn tag<const N: usize>(key: &[u8; 32], parts: &[&[u8]]) -> [u8; N] {
    const { assert!(N <= 32, "HMAC-SHA-256 has 32 bytes") };
    // HMAC pads a short key with zeros to one hash block (RFC 2104 §2); doing so here makes the
    // construction infallible.
    let mut block = Secret::<64>::zeroed();
    if let Some(start) = block.first_chunk_mut::<32>() {
        *start = *key;
    }
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    for part in parts {
        mac.update(part);
    }
    let mut full = mac.finalize().into_bytes();
    let mut tag = [0; N];
    for (byte, full) in tag.iter_mut().zip(&full) {
        *byte = *full;
    }
    full.as_mut_slice().zeroize();
    tag
}
