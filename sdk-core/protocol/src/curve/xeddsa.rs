//! XEdDSA: Ed25519-like signatures by a Curve25519 key (Signal, "The `XEdDSA` and `VXEdDSA` Signature
//! Schemes", §2–§4), in the form that is deployed.
//!
//! The deployed form differs from the published one in a single point: the signer keeps the sign of
//! its Edwards point and puts it into the top bit of the signature, where the published scheme
//! negates the scalar so that the sign is always 0. Signing here is the deployed form; verifying takes
//! both.

// Field and group operations cannot overflow.
#![expect(clippy::arithmetic_side_effects)]

use core::fmt;

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::scalar::Scalar;
use rand_core::TryCryptoRng;
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::{KeyPair, PrivateKey, PublicKey};
use crate::error::Result;
use crate::random;

/// Length of a signature: a point and a scalar, with a sign bit in the last byte.
pub const SIGNATURE_LEN: usize = 64;

/// Domain separator of the nonce hash: `hash_1` of the specification, 2²⁵⁶ − 2 little-endian.
const NONCE_PREFIX: [u8; 32] = {
    let mut prefix = [0xff; 32];
    prefix[0] = 0xfe;
    prefix
};

/// The top bit of a signature's last byte: the sign of the signer's Edwards point.
const SIGN_BIT: u8 = 0x80;

/// A key pair that can sign: keeps its Edwards point, whose computation would double the cost of a
/// signature.
pub struct SigningKeyPair {
    keys: KeyPair,
    edwards: CompressedEdwardsY,
}

impl SigningKeyPair {
    /// Makes a new pair.
    ///
    /// # Errors
    /// [`Error::Randomness`](crate::Error::Randomness) if `rng` fails.
    pub fn generate(rng: &mut (impl TryCryptoRng + ?Sized)) -> Result<Self> {
        PrivateKey::generate(rng).map(Self::from_private)
    }

    /// Computes the public forms of `private`.
    #[must_use]
    pub fn from_private(private: PrivateKey) -> Self {
        let point = EdwardsPoint::mul_base_clamped(*private.as_bytes());
        let public = PublicKey(point.to_montgomery().to_bytes());
        let edwards = point.compress();
        Self {
            keys: KeyPair { private, public },
            edwards,
        }
    }

    /// Restores a pair from parts that this type gave out: trusted, because they come from the
    /// caller's own store, and computing them again would cost more than the signature.
    pub(crate) fn from_stored_parts(
        private: PrivateKey,
        public: PublicKey,
        edwards: [u8; 32],
    ) -> Self {
        Self {
            keys: KeyPair { private, public },
            edwards: CompressedEdwardsY(edwards),
        }
    }

    /// The public key.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.keys.public
    }

    /// The private key.
    #[must_use]
    pub const fn private_key(&self) -> &PrivateKey {
        &self.keys.private
    }

    pub(crate) const fn edwards_bytes(&self) -> &[u8; 32] {
        self.edwards.as_bytes()
    }

    /// Signs the concatenation of `message`'s parts: 64 bytes.
    ///
    /// # Errors
    /// [`Error::Randomness`](crate::Error::Randomness) if `rng` fails.
    pub fn sign(
        &self,
        message: &[&[u8]],
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<[u8; SIGNATURE_LEN]> {
        let random = random::draw::<64>(rng)?;
        let private = self.keys.private.as_bytes();

        let mut hash = Sha512::new()
            .chain_update(NONCE_PREFIX)
            .chain_update(private);
        for part in message {
            hash.update(part);
        }
        hash.update(random.as_slice());
        let nonce = reduce(hash);
        let r = EdwardsPoint::mul_base(&nonce).compress();

        let h = challenge(&r, &self.edwards, message);
        // The scalar is clamped, hence below 2²⁵⁵; reducing it does not change s.
        let scalar = Zeroizing::new(Scalar::from_bytes_mod_order(*private));
        let s = *nonce + h * *scalar;

        let mut signature = [0; SIGNATURE_LEN];
        let (first, second) = signature.split_at_mut(32);
        first.copy_from_slice(r.as_bytes());
        second.copy_from_slice(s.as_bytes());
        if let (Some(last), [.., edwards_last]) = (second.last_mut(), self.edwards.as_bytes()) {
            *last |= edwards_last & SIGN_BIT;
        }
        Ok(signature)
    }
}

impl fmt::Debug for SigningKeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeyPair")
            .field("public", &self.keys.public)
            .finish_non_exhaustive()
    }
}

/// A verifier's view of a public key: its two possible Edwards points, unpacked once.
#[derive(Clone)]
pub(crate) struct VerifyingPoint {
    /// The negated point for sign 0 and its encoding; sign 1 is its mirror image.
    negated: EdwardsPoint,
    encoding: CompressedEdwardsY,
}

impl VerifyingPoint {
    /// `None` if the key is on the twist: such a key can have signed nothing.
    pub(crate) fn new(key: &PublicKey) -> Option<Self> {
        let point = MontgomeryPoint(*key.as_montgomery()).to_edwards(0)?;
        Some(Self {
            negated: -point,
            encoding: point.compress(),
        })
    }

    /// Whether `signature` is this key's over the concatenation of `message`'s parts.
    ///
    /// Refuses a scalar that is not fully reduced: otherwise one signature could be turned into
    /// another that also verifies.
    pub(crate) fn verify(&self, message: &[&[u8]], signature: &[u8]) -> bool {
        let Ok(signature) = <&[u8; SIGNATURE_LEN]>::try_from(signature) else {
            return false;
        };
        let (r, s) = signature.split_at(32);
        let (Ok(r), Ok(mut s)) = (<[u8; 32]>::try_from(r), <[u8; 32]>::try_from(s)) else {
            return false;
        };
        let [.., last] = &mut s;
        let sign = *last & SIGN_BIT;
        *last &= !SIGN_BIT;
        let Some(s) = Option::<Scalar>::from(Scalar::from_canonical_bytes(s)) else {
            return false;
        };

        let mut encoding = self.encoding;
        let [.., last] = &mut encoding.0;
        *last |= sign;
        let negated = if sign == 0 {
            self.negated
        } else {
            -self.negated
        };

        let h = challenge(&CompressedEdwardsY(r), &encoding, message);
        let expected = EdwardsPoint::vartime_double_scalar_mul_basepoint(&h, &negated, &s);
        expected.compress().as_bytes().ct_eq(&r).into()
    }
}

/// `SHA-512(R || A || M) mod q`.
fn challenge(r: &CompressedEdwardsY, a: &CompressedEdwardsY, message: &[&[u8]]) -> Scalar {
    let mut hash = Sha512::new()
        .chain_update(r.as_bytes())
        .chain_update(a.as_bytes());
    for part in message {
        hash.update(part);
    }
    *reduce(hash)
}

fn reduce(hash: Sha512) -> Zeroizing<Scalar> {
    let mut wide: [u8; 64] = hash.finalize().into();
    let scalar = Zeroizing::new(Scalar::from_bytes_mod_order_wide(&wide));
    wide.zeroize();
    scalar
}

#[cfg(test)]
mod known_answers;
