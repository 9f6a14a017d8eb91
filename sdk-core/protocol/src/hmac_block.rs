//! HMAC-SHA-256 (RFC 2104) with 32-byte keys over inputs that fit one hash block.
//!
//! The ratchets do nothing else: a chain step is two such HMACs under one key, the message keys are an
//! HKDF of such HMACs. Keyed by midstates on the bare compression function, the two halves of a chain
//! step run side by side in the processor and no buffer is managed, which makes skipping thousands of
//! messages twice as fast as through a general HMAC. The tests hold every line against one.

use sha2::block_api::compress256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A SHA-256 digest or HMAC value, wiped on drop.
pub(crate) type Tag = Zeroizing<[u8; 32]>;

/// The longest input: one block less the padding byte and the 8-byte length.
pub(crate) const MAX_INPUT_LEN: usize = BLOCK_LEN - 9;

const BLOCK_LEN: usize = 64;
const IPAD: u8 = 0x36;
const OPAD: u8 = 0x5c;

/// FIPS 180-4 §5.3.3.
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// An HMAC key, absorbed: the hash states after the inner and the outer key block.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct HmacKey {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl HmacKey {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let mut states = Self {
            inner: INITIAL,
            outer: INITIAL,
        };
        let mut blocks = [[IPAD; BLOCK_LEN], [OPAD; BLOCK_LEN]];
        for block in &mut blocks {
            for (byte, key) in block.iter_mut().zip(key) {
                *byte ^= key;
            }
        }
        let [inner, outer] = &blocks;
        compress256(&mut states.inner, core::slice::from_ref(inner));
        compress256(&mut states.outer, core::slice::from_ref(outer));
        blocks.zeroize();
        states
    }

    /// HMAC of the concatenated `parts`, at most [`MAX_INPUT_LEN`] bytes: each caller passes a
    /// layout that is fixed when it is written.
    pub(crate) fn tag(&self, parts: &[&[u8]]) -> Tag {
        let mut block = last_block(parts);
        let mut state = self.inner;
        compress256(&mut state, core::slice::from_ref(&block));
        block.zeroize();
        self.finish(state)
    }

    /// HMACs of two one-byte inputs, computed side by side.
    pub(crate) fn tag_pair(&self, first: u8, second: u8) -> (Tag, Tag) {
        let (mut a, mut b) = (self.inner, self.inner);
        let (block_a, block_b) = (last_block(&[&[first]]), last_block(&[&[second]]));
        compress256(&mut a, core::slice::from_ref(&block_a));
        compress256(&mut b, core::slice::from_ref(&block_b));
        let (block_a, block_b) = (digest_block(&a), digest_block(&b));
        (a, b) = (self.outer, self.outer);
        compress256(&mut a, core::slice::from_ref(&block_a));
        compress256(&mut b, core::slice::from_ref(&block_b));
        let tags = (bytes_of(&a), bytes_of(&b));
        a.zeroize();
        b.zeroize();
        tags
    }

    fn finish(&self, mut inner: [u32; 8]) -> Tag {
        let block = digest_block(&inner);
        inner.zeroize();
        let mut state = self.outer;
        compress256(&mut state, core::slice::from_ref(&block));
        let tag = bytes_of(&state);
        state.zeroize();
        tag
    }
}

/// The block that ends a hash whose first block was the key: input, `0x80`, zeros, bit length.
fn last_block(parts: &[&[u8]]) -> [u8; BLOCK_LEN] {
    let mut block = [0; BLOCK_LEN];
    let mut free = block.iter_mut();
    let mut length = 0usize;
    for part in parts {
        debug_assert!(length.saturating_add(part.len()) <= MAX_INPUT_LEN);
        // The part leads the zip: asked second, a slot is never taken and then left unused.
        for (byte, slot) in part.iter().zip(free.by_ref()) {
            *slot = *byte;
        }
        length = length.saturating_add(part.len());
    }
    if let Some(slot) = block.get_mut(length) {
        *slot = 0x80;
    }
    let bits = (BLOCK_LEN as u64)
        .saturating_add(length as u64)
        .saturating_mul(8);
    if let Some(tail) = block.last_chunk_mut::<8>() {
        *tail = bits.to_be_bytes();
    }
    block
}

/// The outer hash's only data block: a 32-byte digest.
fn digest_block(state: &[u32; 8]) -> [u8; BLOCK_LEN] {
    last_block(&[bytes_of(state).as_slice()])
}

fn bytes_of(state: &[u32; 8]) -> Tag {
    let mut bytes = Zeroizing::new([0; 32]);
    for (chunk, word) in bytes.chunks_exact_mut(4).zip(state) {
        chunk.copy_from_slice(&word.to_be_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac};
    use proptest::prelude::*;
    use sha2::Sha256;

    use super::*;

    fn reference(key: &[u8; 32], input: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(input);
        mac.finalize().into_bytes().into()
    }

    proptest! {
        #[test]
        fn agrees_with_a_general_hmac(
            key: [u8; 32],
            input in proptest::collection::vec(any::<u8>(), 0..=MAX_INPUT_LEN),
            split in 0..=MAX_INPUT_LEN,
        ) {
            let (a, b) = input.split_at(split.min(input.len()));
            let tag = HmacKey::new(&key).tag(&[a, b]);
            prop_assert_eq!(*tag, reference(&key, &input));
        }

        #[test]
        fn a_pair_is_two_tags(key: [u8; 32], first: u8, second: u8) {
            let (a, b) = HmacKey::new(&key).tag_pair(first, second);
            prop_assert_eq!(*a, reference(&key, &[first]));
            prop_assert_eq!(*b, reference(&key, &[second]));
        }
    }
}
