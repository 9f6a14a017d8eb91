//! Hides how long a plaintext is: it is filled up, before encryption, to one of a few sizes.
//!
//! After the plaintext stands 0x80, then zeros (ISO/IEC 7816-4). The size is chosen so that the *encrypted*
//! message, with all that encryption adds, just fits a [size class](size_class): 512, 1024, 2048 or 4096 bytes,
//! then the classes of Padmé, which grow by at most 12 % and let through about as much as a float's exponent and a few
//! digits (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs").
//!
//! There is one right padding for a plaintext and every other is refused: no hidden channel, and no two
//! ciphertext sizes for one message.

use thiserror::Error;

/// What a message of an established session and its [envelope](crate::envelope) may add to the plaintext.
///
/// | bytes at most | what |
/// | --- | --- |
/// | 5 | the envelope's header |
/// | 1 + 8 | version, MAC |
/// | 35 | ratchet key |
/// | 2 × 6 | counters |
/// | 4 | tag and length of the ciphertext |
/// | 1 | the cipher's own padding |
/// | 2 + 52 | a piece of the post-quantum ratchet's exchange |
///
/// 120 together. A long conversation shows 96, for counters stay small; a test measures it. Rounded up to one more
/// than a multiple of 16, because all classes are such multiples: what is encrypted is then one byte short of whole
/// blocks, and the cipher's padding takes that one byte and not up to 16.
pub(crate) const RESERVE: usize = 129;

/// The fixed classes; Padmé from there on.
const CLASSES: [usize; 4] = [512, 1024, 2048, 4096];

/// Stands after the plaintext.
const MARK: u8 = 0x80;

/// The padding is not what [`pad`] makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the padding is not valid")]
pub(crate) struct PaddingError;

/// The smallest size class that holds `len` bytes.
pub(crate) fn size_class(len: usize) -> usize {
    CLASSES
        .into_iter()
        .find(|class| len <= *class)
        .unwrap_or_else(|| padme(len))
}

/// Rounds up to a number whose binary digits, behind the first few, are zeros: as many digits stay as the
/// exponent itself has.
fn padme(len: usize) -> usize {
    let Some(exponent) = len.checked_ilog2() else {
        return len;
    };
    let kept = exponent.checked_ilog2().unwrap_or(0).saturating_add(1);
    let step = 1_usize << exponent.saturating_sub(kept);
    // Nothing in memory is so long that there is no multiple above it.
    len.checked_next_multiple_of(step).unwrap_or(len)
}

fn padded_len(len: usize) -> usize {
    size_class(len.saturating_add(1).saturating_add(RESERVE)).saturating_sub(RESERVE)
}

/// Fills up a plaintext, to be encrypted.
pub(crate) fn pad(mut plaintext: Vec<u8>) -> Vec<u8> {
    let padded = padded_len(plaintext.len());
    plaintext.push(MARK);
    plaintext.resize(padded, 0);
    plaintext
}

/// The plaintext of what was decrypted.
pub(crate) fn unpad(padded: &[u8]) -> Result<&[u8], PaddingError> {
    let mark = padded.iter().rposition(|byte| *byte != 0);
    let (plaintext, rest) = mark
        .and_then(|mark| padded.split_at_checked(mark))
        .ok_or(PaddingError)?;
    if rest.first() == Some(&MARK) && padded_len(plaintext.len()) == padded.len() {
        Ok(plaintext)
    } else {
        Err(PaddingError)
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )]
    use proptest::prelude::*;

    use super::*;
    use crate::content::MAX_PLAINTEXT_LEN;

    #[test]
    fn the_classes_are_as_published() {
        for (len, class) in [
            (0, 512),
            (512, 512),
            (513, 1024),
            (2049, 4096),
            (4096, 4096),
            (4097, 4352),
            (8192, 8192),
            (8193, 8704),
            (60_000, 61_440),
            (65_000, 65_536),
            (1_000_000, 1_015_808),
        ] {
            assert_eq!(size_class(len), class, "{len}");
        }
    }

    #[test]
    fn padding_comes_off_at_every_length() {
        let mut sizes = std::collections::BTreeSet::new();
        for len in 0..=MAX_PLAINTEXT_LEN {
            // Ends in what padding is made of, so that it has to be told from it.
            let mut plaintext = vec![0; len];
            if let Some(last) = plaintext.last_mut() {
                *last = MARK;
            }
            let padded = pad(plaintext.clone());
            sizes.insert(padded.len());
            assert_eq!(unpad(&padded), Ok(&plaintext[..]));
        }
        // What is left to see of 61,441 lengths.
        assert_eq!(sizes.len(), 67);
        for size in sizes {
            assert_eq!(size_class(size + RESERVE), size + RESERVE);
            assert_eq!(size % 16, 15);
        }
    }

    #[test]
    fn anything_but_the_one_right_padding_is_refused() {
        let padded = pad(b"hello".to_vec());
        assert_eq!(unpad(&padded), Ok(&b"hello"[..]));
        let mut other_class = padded.clone();
        other_class.resize(1024 - RESERVE, 0);
        let mut other_mark = padded.clone();
        other_mark[5] = 0x40;
        let mut other_fill = padded.clone();
        other_fill[100] = 1;
        for bad in [
            &[][..],
            &[0; 512 - RESERVE],
            &[MARK],
            &b"hello"[..],
            &padded[..padded.len() - 1],
            &[&padded[..], &[0]].concat(),
            &other_class,
            &other_mark,
            &other_fill,
        ] {
            assert_eq!(unpad(bad), Err(PaddingError));
        }
    }

    proptest! {
        #[test]
        fn what_comes_off_goes_on_again_just_so(
            bytes in prop::collection::vec(prop_oneof![Just(0), Just(MARK), any::<u8>()], 0..1024),
        ) {
            let mut bytes = bytes;
            bytes.resize(bytes.len().next_multiple_of(512) - RESERVE.min(bytes.len()), 0);
            if let Ok(plaintext) = unpad(&bytes) {
                prop_assert_eq!(pad(plaintext.to_vec()), bytes);
            }
        }

        #[test]
        fn a_class_holds_its_length_and_wastes_an_eighth_at_most(len in 4097..usize::MAX) {
            let class = size_class(len);
            prop_assert!(class >= len);
            prop_assert!(class - len <= len / 8);
        }
    }
}
