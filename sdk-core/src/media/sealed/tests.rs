#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation
)]

use proptest::prelude::*;

use super::key::{Cipher, FILE_KEY_LEN};
use super::*;

fn key(byte: u8) -> FileKey {
    FileKey::from_slice(&[byte; FILE_KEY_LEN]).unwrap()
}

/// Bytes that differ from place to place, so that a swap shows.
fn file(len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8)
        .collect()
}

fn sealed(key: &FileKey, file: &[u8]) -> (Layout, Vec<u8>, [u8; 32]) {
    let layout = Layout::of_file(file.len() as u64).unwrap();
    let mut blob = Digested::new(Vec::new());
    seal(key, &layout, &mut &*file, &mut blob).unwrap();
    let (blob, digest) = blob.finish().unwrap();
    (layout, blob, digest)
}

fn opened(key: &FileKey, len: u64, blob: &[u8]) -> Result<Vec<u8>, SealedError> {
    let mut file = Vec::new();
    open(key, &Layout::of_file(len)?, &mut &*blob, &mut file)?;
    Ok(file)
}

fn hash(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes)
        .as_ref()
        .to_vec()
}

const CHUNK: usize = PIECE_LEN + TAG_LEN;

/// Lengths around every edge there is.
fn edges() -> Vec<usize> {
    let mut edges = vec![0, 1, 503, 504, 505, 4088, 4089, 100_000];
    for pieces in 1..=3 {
        let whole = pieces * PIECE_LEN - LENGTH_LEN;
        edges.extend([whole - 1, whole, whole + 1]);
    }
    edges
}

#[test]
fn what_was_sealed_opens_at_every_edge() {
    for len in edges() {
        let file = file(len);
        let (layout, blob, digest) = sealed(&key(1), &file);
        assert_eq!(blob.len() as u64, layout.blob_len(), "{len}");
        assert_eq!(hash(&blob), digest);
        assert_eq!(opened(&key(1), len as u64, &blob).unwrap(), file, "{len}");
    }
}

#[test]
fn the_size_of_a_blob_tells_its_class_alone() {
    let blob_len = |len: u64| Layout::of_file(len).unwrap().blob_len();
    assert_eq!(blob_len(0), blob_len(504));
    assert_ne!(blob_len(504), blob_len(505));
    assert_eq!(blob_len(1_000_000), blob_len(1_010_000));
    let classes: std::collections::BTreeSet<_> =
        (0..1_000_000).step_by(100).map(blob_len).collect();
    // Of ten thousand lengths.
    assert_eq!(classes.len(), 194);
    // No more than an eighth is wasted on what is not small.
    for len in [10_000, 1_000_000, 100_000_000, MAX_FILE_LEN] {
        assert!(blob_len(len) < len + len / 8, "{len}");
    }
}

/// Blobs that another implementation of the page above (Python) made.
#[test]
fn the_format_does_not_change() {
    let (_, blob, digest) = sealed(&key(7), &file(300_000));
    assert_eq!(hex(&digest), FROZEN_DIGEST);
    assert_eq!(hex(&blob[..48]), FROZEN_START);
    let (_, small, _) = sealed(&key(8), b"hello");
    assert_eq!(small.len(), HEADER_LEN + 512 + TAG_LEN);
    assert_eq!(hex(&hash(&small)), FROZEN_SMALL);
}

const FROZEN_DIGEST: &str = "58414fb45fed484017d8b4c7929726bbad63854cc1b989e1c9055ba1ef51b031";
const FROZEN_START: &str = "01e600902e5f2e82f6455825b46eb9cc6f10ff16000f8de54cb83169dbb1c74c37582f56a2cd5fe6b5c114de3590bfb1";
const FROZEN_SMALL: &str = "ea6cecf85685cca12cee39ad4fed8f112f6b0a9e30609bbb236d0c95c3c71db5";

fn hex(bytes: &[u8]) -> String {
    use core::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[test]
fn every_cut_and_every_extension_is_refused() {
    let len = 2 * PIECE_LEN + 1000;
    let (layout, blob, _) = sealed(&key(1), &file(len));
    assert_eq!(layout.chunks(), 3);
    let mut cuts = vec![0, 1, HEADER_LEN - 1, HEADER_LEN, HEADER_LEN + 1];
    for chunk in 1..=2 {
        let edge = HEADER_LEN + chunk * CHUNK;
        cuts.extend([edge - TAG_LEN, edge - 1, edge, edge + 1]);
    }
    cuts.push(blob.len() - 1);
    for cut in cuts {
        let error = opened(&key(1), len as u64, &blob[..cut]).unwrap_err();
        assert!(matches!(error, SealedError::Truncated), "{cut}: {error}");
    }
    let longer = [&blob[..], &[0]].concat();
    assert!(matches!(
        opened(&key(1), len as u64, &longer),
        Err(SealedError::Extended)
    ));
    // Cut to what a shorter file's blob would measure: the last flag is not there.
    let shorter = (2 * PIECE_LEN - LENGTH_LEN) as u64;
    let shorter_blob = Layout::of_file(shorter).unwrap().blob_len() as usize;
    assert_eq!(shorter_blob, HEADER_LEN + 2 * CHUNK);
    assert!(matches!(
        opened(&key(1), shorter, &blob[..shorter_blob]),
        Err(SealedError::Length)
    ));
}

#[test]
fn swapped_repeated_and_dropped_chunks_are_refused() {
    let len = 4 * PIECE_LEN - LENGTH_LEN;
    let (layout, blob, _) = sealed(&key(1), &file(len));
    assert_eq!(layout.chunks(), 4);
    let (header, rest) = blob.split_at(HEADER_LEN);
    let chunks: Vec<&[u8]> = rest.chunks(CHUNK).collect();
    for order in [
        vec![1, 0, 2, 3],
        vec![0, 2, 1, 3],
        vec![0, 1, 3, 2],
        vec![0, 0, 2, 3],
        vec![0, 1, 1, 3],
        vec![0, 1, 2, 2],
        vec![3, 1, 2, 3],
    ] {
        let mut mixed = header.to_vec();
        for at in &order {
            mixed.extend_from_slice(chunks[*at]);
        }
        let error = opened(&key(1), len as u64, &mixed).unwrap_err();
        assert!(matches!(error, SealedError::Chunk), "{order:?}: {error}");
    }
    // One dropped: also where the announced length fits what is left.
    let dropped = [header, chunks[0], chunks[1], chunks[3]].concat();
    assert!(opened(&key(1), len as u64, &dropped).is_err());
    assert!(opened(&key(1), (len - PIECE_LEN) as u64, &dropped).is_err());
}

#[test]
fn a_wrong_last_flag_is_refused() {
    let layout = Layout::of_file(PIECE_LEN as u64 * 2 - LENGTH_LEN as u64).unwrap();
    let cipher = Cipher::new(&key(1)).unwrap();
    for flags in [[false, false], [true, true], [true, false], [false, true]] {
        let mut blob = cipher.header().to_vec();
        for (index, last) in flags.into_iter().enumerate() {
            let mut piece = vec![0; PIECE_LEN];
            if index == 0 {
                piece[..LENGTH_LEN].copy_from_slice(&layout.file_len().to_be_bytes());
            }
            let tag = cipher.seal(index as u64, last, &mut piece).unwrap();
            blob.extend_from_slice(&piece);
            blob.extend_from_slice(&tag);
        }
        let result = opened(&key(1), layout.file_len(), &blob);
        assert_eq!(result.is_ok(), flags == [false, true], "{flags:?}");
    }
}

#[test]
fn a_declared_length_that_is_not_the_true_one_is_refused() {
    let len = 5000_u64;
    let (_, blob, _) = sealed(&key(1), &file(5000));
    for declared in [len - 1, len + 1, 0, 1 << 32, (1 << 32) + len, u64::MAX] {
        let error = opened(&key(1), declared, &blob).unwrap_err();
        if declared.abs_diff(len) == 1 {
            // The same size class: the length inside tells.
            assert!(matches!(error, SealedError::Length), "{declared}: {error}");
        }
        if declared > MAX_FILE_LEN {
            assert!(
                matches!(error, SealedError::TooLarge),
                "{declared}: {error}"
            );
        }
    }
}

#[test]
fn padding_that_says_something_is_refused() {
    let cipher = Cipher::new(&key(1)).unwrap();
    let mut piece = vec![0; 512];
    piece[..8].copy_from_slice(&5_u64.to_be_bytes());
    piece[511] = 1;
    let tag = cipher.seal(0, true, &mut piece).unwrap();
    let blob = [&cipher.header()[..], &piece, &tag].concat();
    assert!(matches!(
        opened(&key(1), 5, &blob),
        Err(SealedError::Padding)
    ));
}

#[test]
fn a_source_that_changes_is_told() {
    let layout = Layout::of_file(1000).unwrap();
    for len in [999, 1001, 0] {
        let sealed = seal(&key(1), &layout, &mut &file(len)[..], &mut Vec::new());
        assert!(matches!(sealed, Err(SealedError::SourceChanged)), "{len}");
    }
}

#[test]
fn nothing_unverified_comes_out() {
    let len = 3 * PIECE_LEN;
    let (layout, mut blob, _) = sealed(&key(1), &file(len));
    // The last byte of the second chunk's ciphertext.
    blob[HEADER_LEN + 2 * CHUNK - TAG_LEN - 1] ^= 1;
    let mut out = Vec::new();
    let result = open(&key(1), &layout, &mut &*blob, &mut out);
    assert!(matches!(result, Err(SealedError::Chunk)));
    assert_eq!(out, file(len)[..PIECE_LEN - LENGTH_LEN]);
}

/// The invisible salamander (attack E3): a chunk that opens, and verifies, under two keys. In GCM it takes one block
/// of ciphertext, chosen by solving a linear equation for the tag to be the same under both.
mod salamander {
    use super::*;

    /// GF(2^128) as GCM has it: the first bit is the highest.
    fn multiply(mut left: u128, right: u128) -> u128 {
        let mut product = 0;
        for bit in (0..128).rev() {
            if right >> bit & 1 == 1 {
                product ^= left;
            }
            let carry = left & 1;
            left >>= 1;
            if carry == 1 {
                left ^= 0xe1 << 120;
            }
        }
        product
    }

    fn invert(value: u128) -> u128 {
        // value^(2^128 - 2)
        let (mut result, mut power) = (1 << 127, value);
        for _ in 1..128 {
            power = multiply(power, power);
            result = multiply(result, power);
        }
        result
    }

    fn block(cipher: &Cipher, index: u64, last: bool, len: usize) -> Vec<u8> {
        // The key stream: what zeros are encrypted to.
        let mut zeros = vec![0; len];
        cipher.seal(index, last, &mut zeros).unwrap();
        zeros
    }

    /// The tag of a ciphertext under a cipher, without knowing its key: encrypt what decrypts to it.
    fn tag(cipher: &Cipher, ciphertext: &[u8]) -> u128 {
        let stream = block(cipher, 0, true, ciphertext.len());
        let mut plain: Vec<u8> = ciphertext.iter().zip(stream).map(|(a, b)| a ^ b).collect();
        let tag = cipher.seal(0, true, &mut plain).unwrap();
        assert_eq!(plain, ciphertext);
        u128::from_be_bytes(tag)
    }

    #[test]
    fn one_chunk_under_two_keys_is_possible_and_one_blob_is_not() {
        let keys = [key(1), key(2)];
        let ciphers = keys.each_ref().map(|key| Cipher::new(key).unwrap());
        // Two readings that are valid to the end: 5 bytes of file, zeros for padding. Both cannot be had with free
        // ciphertext, so what is compared here is GCM itself: it accepts one chunk under both keys.
        let mut ciphertext = block(&ciphers[0], 0, true, 512);
        // The tag is linear in each block: T(c) = T(0) + c·H^k. Solve for the second block.
        let at = 16..32;
        ciphertext[at.clone()].fill(0);
        let base = ciphers.each_ref().map(|cipher| tag(cipher, &ciphertext));
        ciphertext[16] = 0x80; // the element 1
        let slope: Vec<u128> = ciphers
            .iter()
            .zip(base)
            .map(|(cipher, base)| tag(cipher, &ciphertext) ^ base)
            .collect();
        let solution = multiply(base[0] ^ base[1], invert(slope[0] ^ slope[1]));
        ciphertext[at].copy_from_slice(&solution.to_be_bytes());
        let tags = ciphers.each_ref().map(|cipher| tag(cipher, &ciphertext));
        assert_eq!(tags[0], tags[1], "the salamander was not made");
        for cipher in &ciphers {
            let mut chunk = [&ciphertext[..], &tags[0].to_be_bytes()].concat();
            assert!(cipher.open(0, true, &mut chunk).is_ok(), "GCM takes it");
        }
        // The header of either: the other key is refused before anything is decrypted.
        for (which, cipher) in ciphers.iter().enumerate() {
            let blob = [&cipher.header()[..], &ciphertext, &tags[0].to_be_bytes()].concat();
            let other = &keys[1 - which];
            let error = opened(other, 5, &blob).unwrap_err();
            assert!(matches!(error, SealedError::Commitment), "{error}");
        }
    }
}

#[test]
fn another_key_another_version_and_another_commitment_are_refused() {
    let (_, blob, _) = sealed(&key(1), b"hello");
    let refused = |blob: &[u8], key: &FileKey| opened(key, 5, blob).unwrap_err();
    assert!(matches!(refused(&blob, &key(2)), SealedError::Commitment));
    for at in 1..HEADER_LEN {
        let mut changed = blob.clone();
        changed[at] ^= 0x10;
        assert!(matches!(
            refused(&changed, &key(1)),
            SealedError::Commitment
        ));
    }
    let mut changed = blob.clone();
    changed[0] = 2;
    assert!(matches!(refused(&changed, &key(1)), SealedError::Version));
}

#[test]
fn keys_are_never_printed() {
    assert_eq!(format!("{:?}", key(0xab)), "FileKey");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_part_opens_by_itself(
        len in 1_usize..3 * PIECE_LEN,
        (a, b) in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        let file = file(len);
        let (layout, blob, _) = sealed(&key(3), &file);
        let (a, b) = (a.index(len), b.index(len));
        let range = a.min(b) as u64..a.max(b) as u64 + 1;
        let (first, last) = layout.chunks_of(&range).unwrap();
        let header = blob.first_chunk().unwrap();
        let opener = Opener::new(&key(3), layout, header).unwrap();
        let mut found = Vec::new();
        for index in first..=last {
            let place = layout.place(index).unwrap();
            let mut chunk = blob[place.blob.start as usize..place.blob.end as usize].to_vec();
            let held = opener.open_chunk(index, &mut chunk).unwrap();
            let from = range.start.saturating_sub(place.file.start) as usize;
            let to = (range.end.min(place.file.end) - place.file.start) as usize;
            found.extend_from_slice(&held[from..to]);
        }
        prop_assert_eq!(&found[..], &file[range.start as usize..range.end as usize]);
    }

    #[test]
    fn one_changed_byte_is_refused(len in 0_usize..2 * PIECE_LEN, at: prop::sample::Index, bit in 0..8_u8) {
        let (_, mut blob, _) = sealed(&key(4), &file(len));
        let at = at.index(blob.len());
        blob[at] ^= 1 << bit;
        prop_assert!(opened(&key(4), len as u64, &blob).is_err());
    }

    #[test]
    fn no_length_makes_the_places_overflow(len: u64, index: u64) {
        if let Ok(layout) = Layout::of_file(len) {
            prop_assert!(layout.blob_len() > len);
            if let Some(place) = layout.place(index) {
                prop_assert!(place.blob.end <= layout.blob_len());
                prop_assert!(place.file.end <= len);
                prop_assert_eq!(place.last, index + 1 == layout.chunks());
            }
        } else {
            prop_assert!(len > MAX_FILE_LEN);
        }
    }

    #[test]
    fn any_bytes_are_refused(blob in prop::collection::vec(any::<u8>(), 0..2000), len in 0_u64..2000) {
        prop_assert!(opened(&key(5), len, &blob).is_err());
    }
}
