//! Curve25519 keys: agreement (X25519) and signatures (XEdDSA) with one key pair.
//!
//! Every public key in the Signal Protocol has the same 33-byte form: the type byte `0x05`, then the
//! Montgomery u-coordinate, little-endian. [`PublicKey`] exists only for canonical coordinates
//! outside the small subgroup, so no later code has to ask again; an agreement still checks that its
//! result depends on the peer (RFC 7748 §6.1).
//!
//! ```
//! use getrandom::SysRng;
//! use hushpost_protocol::{Error, KeyPair, PublicKey, SigningKeyPair};
//!
//! # fn main() -> hushpost_protocol::Result<()> {
//! let (ours, theirs) = (KeyPair::generate(&mut SysRng)?, KeyPair::generate(&mut SysRng)?);
//! let shared = ours.private_key().agree(theirs.public_key())?;
//! assert_eq!(*shared, *theirs.private_key().agree(ours.public_key())?);
//!
//! let signer = SigningKeyPair::generate(&mut SysRng)?;
//! let signature = signer.sign(&[b"two ", b"parts"], &mut SysRng)?;
//! signer.public_key().verify(&[b"two parts"], &signature)?;
//!
//! // A point of small order is no key: an agreement with it would be all zeros.
//! let mut zero = [0; 33];
//! zero[0] = 5;
//! assert!(matches!(PublicKey::from_bytes(&zero), Err(Error::InvalidKey(_))));
//! # Ok(())
//! # }
//! ```

pub(crate) mod x25519;
pub(crate) mod xeddsa;

use core::fmt;

use curve25519_dalek::montgomery::MontgomeryPoint;
use rand_core::TryCryptoRng;
use zeroize::{Zeroize, Zeroizing};

use crate::error::{Error, KeyRole, Result};
use crate::random;
use crate::secret::Secret;

pub use xeddsa::{SIGNATURE_LEN, SigningKeyPair};

/// Length of a private key: a clamped X25519 scalar, no prefix.
pub const PRIVATE_KEY_LEN: usize = 32;
/// Length of a serialized public key: type byte and u-coordinate.
pub const PUBLIC_KEY_LEN: usize = 33;
/// Length of an agreement's result.
pub const SHARED_SECRET_LEN: usize = 32;

/// The byte that marks a Curve25519 public key.
const KEY_TYPE: u8 = 0x05;

/// The u-coordinates of the points whose order divides 8, on the curve and on its twist, in
/// canonical form (RFC 7748 §6.1 and §7: an agreement with one of them is always zero).
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    [
        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0,
    ],
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x7f,
    ],
];

/// A Curve25519 public key: canonical and not of small order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Parses the 33-byte form.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] for another length or type byte, a coordinate with its high bit set or
    /// not below 2²⁵⁵ − 19, and the points of small order.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        match bytes.split_first() {
            Some((&KEY_TYPE, u)) => {
                let u = u.try_into().map_err(|_| INVALID)?;
                Self::from_montgomery(u)
            }
            _ => Err(INVALID),
        }
    }

    /// Takes a bare u-coordinate, as sealed sender v2 carries it.
    ///
    /// # Errors
    /// As [`PublicKey::from_bytes`].
    pub fn from_montgomery(u: [u8; 32]) -> Result<Self> {
        if is_canonical(&u) && !SMALL_ORDER.contains(&u) {
            Ok(Self(u))
        } else {
            Err(INVALID)
        }
    }

    /// The 33-byte form: `0x05`, then the u-coordinate.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; PUBLIC_KEY_LEN] {
        let mut bytes = [KEY_TYPE; PUBLIC_KEY_LEN];
        if let Some(u) = bytes.last_chunk_mut::<32>() {
            *u = self.0;
        }
        bytes
    }

    /// The bare u-coordinate, little-endian.
    #[must_use]
    pub const fn as_montgomery(&self) -> &[u8; 32] {
        &self.0
    }

    /// Verifies an XEdDSA signature over the concatenation of `message`'s parts.
    ///
    /// Takes both forms: the published one, whose Edwards sign bit is always 0, and the deployed one,
    /// which carries the sign in the signature's top bit.
    ///
    /// # Errors
    /// [`Error::InvalidSignature`] if the length is not 64, the scalar is not reduced, the key is
    /// not on the curve, or the equation does not hold. Nothing is said of which.
    pub fn verify(&self, message: &[&[u8]], signature: &[u8]) -> Result<()> {
        xeddsa::VerifyingPoint::new(self)
            .is_some_and(|point| point.verify(message, signature))
            .then_some(())
            .ok_or(Error::InvalidSignature(KeyRole::Unspecified))
    }

    /// Whether the point lies on the curve (not its twist) and in the prime-order subgroup.
    ///
    /// Costs a scalar multiplication. Asked of base keys, the one kind of key that nothing
    /// authenticates: adding a point of small order to one would leave every secret as it is and
    /// yet make a different key of it, which would slip past the replay guard.
    pub(crate) fn is_torsion_free(&self) -> bool {
        MontgomeryPoint(self.0)
            .to_edwards(0)
            .is_some_and(|point| point.is_torsion_free())
    }
}

const INVALID: Error = Error::InvalidKey(KeyRole::Unspecified);

/// Whether `u` is below p = 2²⁵⁵ − 19, high bit included.
fn is_canonical(u: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = u;
    *high < 0x7f || (*high == 0x7f && (*low < 0xed || middle.iter().any(|&byte| byte != 0xff)))
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(")?;
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}

/// A Curve25519 private key: a clamped scalar, wiped on drop.
pub struct PrivateKey(Secret<32>);

impl PrivateKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`Error::Randomness`] if `rng` fails.
    pub fn generate(rng: &mut (impl TryCryptoRng + ?Sized)) -> Result<Self> {
        random::draw::<32>(rng).map(|bytes| Self::from_bytes(*bytes))
    }

    /// Loads a key; it is clamped (RFC 7748 §5), so any 32 bytes are one.
    #[must_use]
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        let key = Self(Secret::new(curve25519_dalek::scalar::clamp_integer(bytes)));
        bytes.zeroize();
        key
    }

    /// The 32 clamped bytes. They are the secret itself: keep them in a wiping buffer.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The matching public key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey(x25519::public_key(&self.0))
    }

    /// X25519 with `peer`'s key (RFC 7748 §6.1): 32 bytes, wiped on drop.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] if the result is all zero: the peer contributed nothing.
    pub fn agree(&self, peer: &PublicKey) -> Result<Zeroizing<[u8; SHARED_SECRET_LEN]>> {
        x25519::Peer::new(peer).agree(self)
    }

    /// A copy for a second owner; explicit, so that no secret is copied by accident.
    pub(crate) fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

/// A private key and its public key, kept together because deriving one from the other costs as
/// much as an encryption.
#[derive(Debug)]
pub struct KeyPair {
    pub(crate) private: PrivateKey,
    pub(crate) public: PublicKey,
}

impl KeyPair {
    /// Makes a new pair.
    ///
    /// # Errors
    /// [`Error::Randomness`] if `rng` fails.
    pub fn generate(rng: &mut (impl TryCryptoRng + ?Sized)) -> Result<Self> {
        PrivateKey::generate(rng).map(Self::from_private)
    }

    /// Computes the public key of `private`.
    #[must_use]
    pub fn from_private(private: PrivateKey) -> Self {
        let public = private.public_key();
        Self { private, public }
    }

    /// The public key.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The private key.
    #[must_use]
    pub const fn private_key(&self) -> &PrivateKey {
        &self.private
    }

    pub(crate) fn duplicate(&self) -> Self {
        Self {
            private: self.private.duplicate(),
            public: self.public,
        }
    }
}
