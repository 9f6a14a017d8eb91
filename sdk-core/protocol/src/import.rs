//! Import of records stored by the official library, for users who migrate with their sessions.
//!
//! Reads session, pre-key, identity and sender-key records as that library serializes them. A record
//! is taken whole or refused; nothing of it is guessed. A session whose post-quantum ratchet is
//! switched on is refused, because without that ratchet's state its messages cannot be read.
//!
//! ```
//! use hushpost_protocol::{Error, Result, import};
//!
//! /// Moves one stored session over.
//! fn migrate(official_record: &[u8]) -> Result<Vec<u8>> {
//!     Ok(import::session(official_record)?.encode().to_vec())
//! }
//!
//! assert_eq!(migrate(b"not a record"), Err(Error::InvalidState));
//! ```

mod records;
mod sender_key;
mod session;

pub use sender_key::{inbound_sender_key, outbound_sender_key};
pub use session::session;

use crate::address::{KemPreKeyId, OneTimePreKeyId, SignedPreKeyId, Timestamp};
use crate::curve::{KeyPair, PrivateKey, PublicKey};
use crate::error::{Error, Result};
use crate::identity::IdentityKeyPair;
use crate::kem::{KemKeyPair, KemPublicKey, KemSecretKey};
use crate::pre_key::{KemPreKey, OneTimePreKey, SignedPreKey};
use crate::secret::Secret;

/// Imports an identity key pair record.
///
/// # Errors
/// [`Error::InvalidState`] if it is malformed or its halves do not belong together.
pub fn identity_key_pair(record: &[u8]) -> Result<IdentityKeyPair> {
    let record: records::KeyPair = decode(record)?;
    let identity = IdentityKeyPair::from_private(private_key(record.private.as_deref())?);
    if *identity.public_key() != public_key(record.public.as_deref())? {
        return Err(Error::InvalidState);
    }
    Ok(identity)
}

/// Imports a one-time pre-key record.
///
/// # Errors
/// [`Error::InvalidState`] if it is malformed or its halves do not belong together.
pub fn one_time_pre_key(record: &[u8]) -> Result<OneTimePreKey> {
    let record: records::PreKey = decode(record)?;
    Ok(OneTimePreKey {
        id: OneTimePreKeyId(record.id.ok_or(Error::InvalidState)?),
        keys: key_pair(record.public.as_deref(), record.private.as_deref())?,
    })
}

/// Imports a signed pre-key record.
///
/// # Errors
/// [`Error::InvalidState`] if it is malformed or its halves do not belong together.
pub fn signed_pre_key(record: &[u8]) -> Result<SignedPreKey> {
    let record: records::SignedPreKey = decode(record)?;
    Ok(SignedPreKey {
        id: SignedPreKeyId(record.id.ok_or(Error::InvalidState)?),
        keys: key_pair(record.public.as_deref(), record.private.as_deref())?,
        signature: array(record.signature.as_deref())?,
        created: Timestamp(record.created_ms.unwrap_or(0)),
    })
}

/// Imports a KEM pre-key record. The record does not say whether it is the last resort; the caller
/// knows.
///
/// # Errors
/// [`Error::InvalidState`] if it is malformed.
pub fn kem_pre_key(record: &[u8], last_resort: bool) -> Result<KemPreKey> {
    let record: records::SignedPreKey = decode(record)?;
    let invalid = Error::InvalidState;
    let public = KemPublicKey::from_bytes(record.public.as_deref().ok_or(invalid)?);
    let secret = KemSecretKey::from_bytes(record.private.as_deref().ok_or(invalid)?);
    Ok(KemPreKey {
        id: KemPreKeyId(record.id.ok_or(invalid)?),
        keys: KemKeyPair {
            public: public.map_err(|_| invalid)?,
            secret: secret.map_err(|_| invalid)?,
        },
        signature: array(record.signature.as_deref())?,
        created: Timestamp(record.created_ms.unwrap_or(0)),
        last_resort,
    })
}

fn decode<M: prost::Message + Default>(bytes: &[u8]) -> Result<M> {
    M::decode(bytes).map_err(|_| Error::InvalidState)
}

fn array<const N: usize>(bytes: Option<&[u8]>) -> Result<[u8; N]> {
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(Error::InvalidState)
}

fn secret<const N: usize>(bytes: Option<&[u8]>) -> Result<Secret<N>> {
    array(bytes).map(Secret::new)
}

fn public_key(bytes: Option<&[u8]>) -> Result<PublicKey> {
    PublicKey::from_bytes(bytes.ok_or(Error::InvalidState)?).map_err(|_| Error::InvalidState)
}

fn private_key(bytes: Option<&[u8]>) -> Result<PrivateKey> {
    array(bytes).map(PrivateKey::from_bytes)
}

fn key_pair(public: Option<&[u8]>, private: Option<&[u8]>) -> Result<KeyPair> {
    let keys = KeyPair::from_private(private_key(private)?);
    if *keys.public_key() != public_key(public)? {
        return Err(Error::InvalidState);
    }
    Ok(keys)
}

#[cfg(test)]
mod tests;
