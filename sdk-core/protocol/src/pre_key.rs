//! Pre-keys: what a device publishes so that others can start a session while it is offline
//! (X3DH §3.2, PQXDH §3.2).
//!
//! - a **one-time** pre-key serves one first message and is then deleted;
//! - a **signed** pre-key is rotated weekly and serves many;
//! - a **KEM** pre-key is either one-time or the rotated **last resort**.
//!
//! Records here are secret and the caller's to store. Their ids never come back: an id that was used
//! once names that key for ever.

mod bundle;
mod replay_guard;

pub use bundle::{KemPreKeyBundle, OneTimePreKeyBundle, PreKeyBundle, SignedPreKeyBundle};
pub use replay_guard::{REPLAY_GUARD_CAPACITY, ReplayGuard};

use rand_core::TryCryptoRng;
use zeroize::Zeroizing;

use crate::address::{KemPreKeyId, OneTimePreKeyId, SignedPreKeyId, Timestamp};
use crate::curve::{KeyPair, PrivateKey, SIGNATURE_LEN};
use crate::encoding::{Kind, Reader, Writer};
use crate::error::{Error, Result};
use crate::identity::IdentityKeyPair;
use crate::kem::{
    KEM_PUBLIC_KEY_LEN, KEM_SECRET_KEY_LEN, KemKeyPair, KemKind, KemPublicKey, KemSecretKey,
};

const ENCODING_VERSION: u8 = 1;
/// Kind, version, two varints and a timestamp at their longest.
const ENCODED_OVERHEAD: usize = 2 + 5 + 10 + 1;

/// A one-time pre-key: delete it in the transaction that stores the session it served.
#[derive(Debug)]
pub struct OneTimePreKey {
    /// Its number.
    pub id: OneTimePreKeyId,
    /// The pair.
    pub keys: KeyPair,
}

/// A signed pre-key: rotate weekly, keep the private half for 30 days after that.
#[derive(Debug)]
pub struct SignedPreKey {
    /// Its number.
    pub id: SignedPreKeyId,
    /// The pair.
    pub keys: KeyPair,
    /// The identity's signature over the 33-byte public key.
    pub signature: [u8; SIGNATURE_LEN],
    /// When it was made, for rotation.
    pub created: Timestamp,
}

/// A KEM pre-key, one-time or last-resort.
#[derive(Debug)]
pub struct KemPreKey {
    /// Its number.
    pub id: KemPreKeyId,
    /// The pair.
    pub keys: KemKeyPair,
    /// The identity's signature over the typed public key.
    pub signature: [u8; SIGNATURE_LEN],
    /// When it was made, for rotation.
    pub created: Timestamp,
    /// Whether it may serve several first messages; those are checked against the replay guard.
    pub last_resort: bool,
}

impl OneTimePreKey {
    /// Makes a new pre-key.
    ///
    /// # Errors
    /// [`Error::Randomness`] if `rng` fails.
    pub fn generate(id: OneTimePreKeyId, rng: &mut (impl TryCryptoRng + ?Sized)) -> Result<Self> {
        let keys = KeyPair::generate(rng)?;
        Ok(Self { id, keys })
    }

    /// The stored form, in a buffer that is wiped on drop.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut writer = Writer::new(Kind::OneTimePreKey, ENCODING_VERSION, ENCODED_OVERHEAD + 64);
        writer.varint(self.id.0.into());
        write_pair(&mut writer, &self.keys);
        writer.finish()
    }

    /// Reads [`OneTimePreKey::encode`]'s form.
    ///
    /// # Errors
    /// [`Error::InvalidState`] if it is not that.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::of_version(Kind::OneTimePreKey, ENCODING_VERSION, bytes)?;
        let id = OneTimePreKeyId(reader.u32()?);
        let keys = read_pair(&mut reader)?;
        reader.finish()?;
        Ok(Self { id, keys })
    }
}

impl SignedPreKey {
    /// Makes a new pre-key and signs it.
    ///
    /// # Errors
    /// [`Error::Randomness`] if `rng` fails.
    pub fn generate(
        id: SignedPreKeyId,
        identity: &IdentityKeyPair,
        created: Timestamp,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Self> {
        let keys = KeyPair::generate(rng)?;
        if keys.public_key() == identity.public_key() {
            // A generator that repeats itself: two keys that must be independent are one.
            return Err(Error::Randomness);
        }
        let signature = identity.sign(&[&keys.public_key().to_bytes()], rng)?;
        Ok(Self {
            id,
            keys,
            signature,
            created,
        })
    }

    /// The stored form, in a buffer that is wiped on drop.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let capacity = ENCODED_OVERHEAD + 64 + SIGNATURE_LEN;
        let mut writer = Writer::new(Kind::SignedPreKey, ENCODING_VERSION, capacity);
        writer.varint(self.id.0.into());
        write_pair(&mut writer, &self.keys);
        writer.bytes(&self.signature);
        writer.varint(self.created.0);
        writer.finish()
    }

    /// Reads [`SignedPreKey::encode`]'s form.
    ///
    /// # Errors
    /// [`Error::InvalidState`] if it is not that.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::of_version(Kind::SignedPreKey, ENCODING_VERSION, bytes)?;
        let key = Self {
            id: SignedPreKeyId(reader.u32()?),
            keys: read_pair(&mut reader)?,
            signature: reader.array()?,
            created: Timestamp(reader.varint()?),
        };
        reader.finish()?;
        Ok(key)
    }
}

impl KemPreKey {
    /// Makes a new pre-key and signs it.
    ///
    /// # Errors
    /// [`Error::Randomness`] if `rng` fails.
    pub fn generate(
        id: KemPreKeyId,
        kind: KemKind,
        last_resort: bool,
        identity: &IdentityKeyPair,
        created: Timestamp,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Self> {
        let keys = KemKeyPair::generate(kind, rng)?;
        let signature = identity.sign(&[&keys.public.to_bytes()], rng)?;
        Ok(Self {
            id,
            keys,
            signature,
            created,
            last_resort,
        })
    }

    /// The stored form, about 4.8 KB, in a buffer that is wiped on drop.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let capacity = ENCODED_OVERHEAD + KEM_PUBLIC_KEY_LEN + KEM_SECRET_KEY_LEN + SIGNATURE_LEN;
        let mut writer = Writer::new(Kind::KemPreKey, ENCODING_VERSION, capacity);
        writer.varint(self.id.0.into());
        writer.bytes(&self.keys.public.to_bytes());
        writer.bytes(&self.keys.secret.to_bytes());
        writer.bytes(&self.signature);
        writer.varint(self.created.0);
        writer.byte(self.last_resort.into());
        writer.finish()
    }

    /// Reads [`KemPreKey::encode`]'s form.
    ///
    /// # Errors
    /// [`Error::InvalidState`] if it is not that.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::of_version(Kind::KemPreKey, ENCODING_VERSION, bytes)?;
        let id = KemPreKeyId(reader.u32()?);
        let public = KemPublicKey::from_bytes(reader.bytes(KEM_PUBLIC_KEY_LEN)?);
        let secret = KemSecretKey::from_bytes(reader.bytes(KEM_SECRET_KEY_LEN)?);
        let key = Self {
            id,
            keys: KemKeyPair {
                public: public.map_err(|_| Error::InvalidState)?,
                secret: secret.map_err(|_| Error::InvalidState)?,
            },
            signature: reader.array()?,
            created: Timestamp(reader.varint()?),
            last_resort: reader.flag()?,
        };
        reader.finish()?;
        Ok(key)
    }
}

fn write_pair(writer: &mut Writer, keys: &KeyPair) {
    writer.bytes(keys.private_key().as_bytes());
    writer.public_key(keys.public_key());
}

fn read_pair(reader: &mut Reader<'_>) -> Result<KeyPair> {
    Ok(KeyPair {
        private: PrivateKey::from_bytes(reader.array()?),
        public: reader.public_key()?,
    })
}
