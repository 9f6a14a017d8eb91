//! HKDF-SHA-256 (RFC 5869), in the three shapes the protocol uses.
//!
//! Every label lives beside the derivation that uses it, never here, so that one look at a module
//! tells its domain separation.

use sha2::Sha256;
use zeroize::Zeroizing;

use crate::hmac_block::{HmacKey, MAX_INPUT_LEN, Tag};

/// The salt that means "no salt".
pub(crate) const ZERO_SALT: [u8; 32] = [0; 32];

/// The general form: any input, any label, `N` bytes of output.
pub(crate) fn derive<const N: usize>(
    salt: &[u8],
    input: &[u8],
    info: &[&[u8]],
) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 255 * 32, "the longest output of HKDF-SHA-256") };
    let mut output = Zeroizing::new([0; N]);
    let refused = hkdf::Hkdf::<Sha256>::new(Some(salt), input)
        .expand_multi_info(info, output.as_mut_slice())
        .is_err();
    debug_assert!(!refused, "the length was checked at compile time");
    output
}

/// The hot form: a 32-byte input under a 32-byte salt and a label of at most 22 bytes, so that every
/// HMAC in it is one block.
pub(crate) fn derive_short<const N: usize>(
    salt: &HmacKey,
    input: &[u8; 32],
    info: &[u8],
) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 255 * 32, "the longest output of HKDF-SHA-256") };
    debug_assert!(32 + info.len() < MAX_INPUT_LEN);
    let key = HmacKey::new(&salt.tag(&[input]));
    let mut output = Zeroizing::new([0; N]);
    let mut previous: Option<Tag> = None;
    for (counter, chunk) in (1u8..).zip(output.chunks_mut(32)) {
        let fed = previous.as_ref().map_or(&[][..], |tag| tag.as_slice());
        let tag = key.tag(&[fed, info, &[counter]]);
        if let Some(bytes) = tag.get(..chunk.len()) {
            chunk.copy_from_slice(bytes);
        }
        previous = Some(tag);
    }
    output
}

/// Splits an output into two keys.
pub(crate) fn halves(okm: &[u8; 64]) -> (&[u8; 32], &[u8; 32]) {
    const EMPTY: &[u8; 32] = &[0; 32];
    // Both halves exist by the type; the fallback only spares a panic path.
    let first = okm.first_chunk().unwrap_or(EMPTY);
    let second = okm.last_chunk().unwrap_or(EMPTY);
    (first, second)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_short_form_is_the_general_form(
            salt: [u8; 32],
            input: [u8; 32],
            info in proptest::collection::vec(any::<u8>(), 0..=22),
        ) {
            let short = derive_short::<80>(&HmacKey::new(&salt), &input, &info);
            prop_assert_eq!(*short, *derive::<80>(&salt, &input, &[&info]));
        }
    }
}
