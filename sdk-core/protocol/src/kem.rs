//! Post-quantum key encapsulation for the handshake: Kyber-1024 and ML-KEM-1024.
//!
//! Two schemes of the same sizes, told apart by the type byte in front of every key and ciphertext:
//! Kyber-1024 as of NIST's round 3, which the official library speaks, and ML-KEM-1024 (FIPS 203),
//! which our own clients use among themselves. Their handshakes also derive under different labels,
//! so neither can be passed off as the other.

use core::fmt;
use core::ops::IndexMut;

use libcrux_ml_kem::{kyber1024, mlkem1024};
use mlkem1024::{MlKem1024Ciphertext, MlKem1024PrivateKey, MlKem1024PublicKey};
use rand_core::TryCryptoRng;
use zeroize::{Zeroize, Zeroizing};

use crate::error::{Error, KeyRole, Result};
use crate::random;

/// Length of a serialized public key: type byte and 1568 bytes.
pub const KEM_PUBLIC_KEY_LEN: usize = 1569;
/// Length of a serialized secret key: type byte and 3168 bytes.
pub const KEM_SECRET_KEY_LEN: usize = 3169;
/// Length of a serialized ciphertext: type byte and 1568 bytes.
pub const KEM_CIPHERTEXT_LEN: usize = 1569;

const RAW_SECRET_LEN: usize = KEM_SECRET_KEY_LEN - 1;

const INVALID_KEY: Error = Error::InvalidKey(KeyRole::KemPreKey);
const INVALID_CIPHERTEXT: Error = Error::InvalidKey(KeyRole::KemCiphertext);

/// Which KEM a key or ciphertext belongs to; the value is the type byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum KemKind {
    /// CRYSTALS-Kyber-1024 as of round 3, not FIPS 203: for compatibility.
    Kyber1024 = 0x08,
    /// ML-KEM-1024 (FIPS 203): between our own clients.
    MlKem1024 = 0x0a,
}

impl KemKind {
    fn split(bytes: &[u8]) -> Option<(Self, &[u8])> {
        match bytes.split_first()? {
            (0x08, raw) => Some((Self::Kyber1024, raw)),
            (0x0a, raw) => Some((Self::MlKem1024, raw)),
            _ => None,
        }
    }
}

/// A KEM public key whose coefficients are in range (FIPS 203 §7.2, modulus check).
#[derive(Clone)]
pub struct KemPublicKey {
    kind: KemKind,
    raw: Box<MlKem1024PublicKey>,
}

impl KemPublicKey {
    /// Parses the typed form, [`KEM_PUBLIC_KEY_LEN`] bytes.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] for another length or type byte, or a coefficient not below q.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (kind, raw) = KemKind::split(bytes).ok_or(INVALID_KEY)?;
        let raw = Box::new(MlKem1024PublicKey::try_from(raw).map_err(|_| INVALID_KEY)?);
        // The encoding and its range are the same in both schemes.
        if !mlkem1024::validate_public_key(&raw) {
            return Err(INVALID_KEY);
        }
        Ok(Self { kind, raw })
    }

    /// The typed form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        typed(self.kind, self.raw.as_slice())
    }

    /// Which KEM the key is for.
    #[must_use]
    pub const fn kind(&self) -> KemKind {
        self.kind
    }

    /// Makes a shared secret and the ciphertext that carries it.
    pub(crate) fn encapsulate(
        &self,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<(KemCiphertext, Zeroizing<[u8; 32]>)> {
        let seed = *random::draw::<32>(rng)?;
        let (raw, secret) = match self.kind {
            KemKind::Kyber1024 => kyber1024::encapsulate(&self.raw, seed),
            KemKind::MlKem1024 => mlkem1024::encapsulate(&self.raw, seed),
        };
        let ciphertext = KemCiphertext {
            kind: self.kind,
            raw: Box::new(raw),
        };
        Ok((ciphertext, Zeroizing::new(secret)))
    }
}

impl PartialEq for KemPublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.raw.as_slice() == other.raw.as_slice()
    }
}

impl Eq for KemPublicKey {}

impl fmt::Debug for KemPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KemPublicKey")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// A KEM secret key, wiped on drop.
pub struct KemSecretKey {
    kind: KemKind,
    raw: Box<MlKem1024PrivateKey>,
}

impl KemSecretKey {
    /// Parses the typed form, [`KEM_SECRET_KEY_LEN`] bytes.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] for another length or type byte, or if the public key's hash inside is
    /// not that of the public key inside.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (kind, raw) = KemKind::split(bytes).ok_or(INVALID_KEY)?;
        let key = Self {
            kind,
            raw: Box::new(MlKem1024PrivateKey::try_from(raw).map_err(|_| INVALID_KEY)?),
        };
        // FIPS 203 §7.3, hash check; the layout is the same in both schemes.
        if !mlkem1024::portable::validate_private_key_only(&key.raw) {
            return Err(INVALID_KEY);
        }
        Ok(key)
    }

    /// The typed form, in a buffer that is wiped on drop.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(typed(self.kind, self.raw.as_slice()))
    }

    /// Opens a ciphertext. A forged one yields an unpredictable secret rather than an error
    /// (implicit rejection): the message's MAC then fails.
    pub(crate) fn decapsulate(&self, ciphertext: &KemCiphertext) -> Result<Zeroizing<[u8; 32]>> {
        if ciphertext.kind != self.kind {
            return Err(INVALID_CIPHERTEXT);
        }
        let secret = match self.kind {
            KemKind::Kyber1024 => kyber1024::decapsulate(&self.raw, &ciphertext.raw),
            KemKind::MlKem1024 => mlkem1024::decapsulate(&self.raw, &ciphertext.raw),
        };
        Ok(Zeroizing::new(secret))
    }
}

impl Drop for KemSecretKey {
    fn drop(&mut self) {
        self.raw.index_mut(0..RAW_SECRET_LEN).zeroize();
    }
}

impl fmt::Debug for KemSecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KemSecretKey")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// A KEM key pair.
#[derive(Debug)]
pub struct KemKeyPair {
    /// The key to publish.
    pub public: KemPublicKey,
    /// The key to keep.
    pub secret: KemSecretKey,
}

impl KemKeyPair {
    /// Makes a new pair.
    ///
    /// # Errors
    /// [`Error::Randomness`] if `rng` fails.
    pub fn generate(kind: KemKind, rng: &mut (impl TryCryptoRng + ?Sized)) -> Result<Self> {
        let seed = *random::draw::<64>(rng)?;
        let (secret, public) = match kind {
            KemKind::Kyber1024 => kyber1024::generate_key_pair(seed),
            KemKind::MlKem1024 => mlkem1024::generate_key_pair(seed),
        }
        .into_parts();
        Ok(Self {
            public: KemPublicKey {
                kind,
                raw: Box::new(public),
            },
            secret: KemSecretKey {
                kind,
                raw: Box::new(secret),
            },
        })
    }
}

/// What the initiator sends so that the responder gets the same secret.
#[derive(Clone)]
pub struct KemCiphertext {
    kind: KemKind,
    raw: Box<MlKem1024Ciphertext>,
}

impl KemCiphertext {
    /// Parses the typed form, [`KEM_CIPHERTEXT_LEN`] bytes.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] for another length or type byte.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (kind, raw) = KemKind::split(bytes).ok_or(INVALID_CIPHERTEXT)?;
        let raw = Box::new(MlKem1024Ciphertext::try_from(raw).map_err(|_| INVALID_CIPHERTEXT)?);
        Ok(Self { kind, raw })
    }

    /// The typed form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        typed(self.kind, self.raw.as_slice())
    }

    /// Which KEM made it.
    #[must_use]
    pub const fn kind(&self) -> KemKind {
        self.kind
    }
}

impl fmt::Debug for KemCiphertext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KemCiphertext")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

fn typed(kind: KemKind, raw: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(raw.len().saturating_add(1));
    bytes.push(kind as u8);
    bytes.extend_from_slice(raw);
    bytes
}

#[cfg(test)]
mod known_answers;
