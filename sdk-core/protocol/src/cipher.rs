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
    let padding = BLOCK_LEN - plaintext.len() % BLOCK_LEN;
    let mut ciphertext = vec![0; plaintext.len().saturating_add(padding)];
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
    match length {
        Ok(length) => {
            plaintext.truncate(length);
            Ok(plaintext)
        }
        Err(_) => {
            plaintext.zeroize();
            Err(Error::InvalidMessage)
        }
    }
}
