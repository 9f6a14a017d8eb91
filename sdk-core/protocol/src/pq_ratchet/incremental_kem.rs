//! ML-KEM-768 in two halves: the first ciphertext part needs only the key's header, so both sides can
//! send at once.
//!
//! Key pairs and encapsulations are kept as the seeds they grow from, and grown again for the one
//! step that needs them: 32 or 64 bytes in the stored state instead of two thousand, and no layout of
//! the library's in it.

use libcrux_ml_kem::mlkem768::incremental::{
    Ciphertext1, Ciphertext2, KeyPairCompressedBytes, decapsulate_compressed_key, encaps_state_len,
    encapsulate1, encapsulate2, validate_pk_bytes,
};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::secret::Secret;

pub(super) const HEADER_LEN: usize = 64;
pub(super) const VECTOR_LEN: usize = 1152;
pub(super) const CIPHERTEXT1_LEN: usize = 960;
pub(super) const CIPHERTEXT2_LEN: usize = 128;

pub(super) type Header = [u8; HEADER_LEN];

/// A key pair, as the seed it grows from (FIPS 203 §7.1: d and z).
pub(super) struct KeySeed(pub(super) Secret<64>);

impl KeySeed {
    /// The header (rho and hash of the key) and the vector of the public key.
    pub(super) fn public_parts(&self) -> (Header, Vec<u8>) {
        let keys = self.grow();
        (*keys.pk1(), keys.pk2().to_vec())
    }

    /// Opens a ciphertext; a forged one gives an unpredictable secret (implicit rejection).
    pub(super) fn decapsulate(&self, ct1: &[u8], ct2: &[u8]) -> Result<Secret<32>> {
        let ct1 = Ciphertext1 {
            value: ct1.try_into().map_err(|_| Error::InvalidState)?,
        };
        let ct2 = Ciphertext2 {
            value: ct2.try_into().map_err(|_| Error::InvalidState)?,
        };
        let keys = Zeroizing::new(self.grow().to_bytes());
        Ok(Secret::new(decapsulate_compressed_key(&keys, &ct1, &ct2)))
    }

    fn grow(&self) -> KeyPairCompressedBytes {
        KeyPairCompressedBytes::from_seed(*self.0)
    }

    pub(super) const fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }
}

/// An encapsulation under way, as the header it is for and the randomness it grows from.
pub(super) struct Encapsulation {
    pub(super) header: Header,
    pub(super) seed: Secret<32>,
}

impl Encapsulation {
    /// The first ciphertext part and the shared secret.
    pub(super) fn first_part(&self) -> Result<(Vec<u8>, Secret<32>)> {
        let (ct1, secret, _) = self.grow()?;
        Ok((ct1.value.to_vec(), secret))
    }

    /// The second ciphertext part, once the whole key is there.
    ///
    /// # Errors
    /// [`Error::InvalidMessage`] if `vector` is not the one the header promised.
    pub(super) fn second_part(&self, vector: &[u8]) -> Result<Vec<u8>> {
        let vector = vector.try_into().map_err(|_| Error::InvalidMessage)?;
        let (_, _, state) = self.grow()?;
        Ok(encapsulate2(&state, vector).value.to_vec())
    }

    /// Holds the vector against the header's hash and its range (FIPS 203 §7.2).
    pub(super) fn check_vector(&self, vector: &[u8]) -> Result<()> {
        validate_pk_bytes(&self.header, vector).map_err(|_| Error::InvalidMessage)
    }

    fn grow(&self) -> Result<(Ciphertext1, Secret<32>, Zeroizing<[u8; encaps_state_len()]>)> {
        let mut state = Zeroizing::new([0; encaps_state_len()]);
        let mut secret = Secret::zeroed();
        let seed = *self.seed;
        let ct1 = encapsulate1(
            &self.header,
            seed,
            state.as_mut_slice(),
            secret.as_mut_slice(),
        )
        .map_err(|_| Error::InvalidState)?;
        Ok((ct1, secret, state))
    }

    pub(super) const fn duplicate(&self) -> Self {
        Self {
            header: self.header,
            seed: self.seed.duplicate(),
        }
    }
}
