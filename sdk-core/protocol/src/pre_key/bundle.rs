//! The pre-key bundle: the public side of one device's pre-keys, as a relay hands it out.

use super::{KemPreKey, OneTimePreKey, SignedPreKey};
use crate::address::{DeviceId, KemPreKeyId, OneTimePreKeyId, RegistrationId, SignedPreKeyId};
use crate::curve::PublicKey;
use crate::curve::xeddsa::VerifyingPoint;
use crate::error::{Error, KeyRole, Result};
use crate::identity::LocalParty;
use crate::kem::KemPublicKey;

/// Everything needed to start a session with one device. Nothing in it is trusted until
/// [`Session::initiate`](crate::Session::initiate) has checked the signatures.
#[derive(Debug, Clone)]
pub struct PreKeyBundle {
    /// The device's registration id.
    pub registration_id: RegistrationId,
    /// The device.
    pub device_id: DeviceId,
    /// Its identity key.
    pub identity_key: PublicKey,
    /// Its signed pre-key.
    pub signed_pre_key: SignedPreKeyBundle,
    /// A one-time pre-key, while the relay has one.
    pub one_time_pre_key: Option<OneTimePreKeyBundle>,
    /// A KEM pre-key. Without one the session is version 3 (X3DH), with one version 4 (PQXDH).
    pub kem_pre_key: Option<KemPreKeyBundle>,
}

/// The public side of a signed pre-key.
#[derive(Debug, Clone)]
pub struct SignedPreKeyBundle {
    /// Its number.
    pub id: SignedPreKeyId,
    /// The key.
    pub key: PublicKey,
    /// The identity's signature over the 33-byte key. Bytes, because it comes from outside.
    pub signature: Vec<u8>,
}

/// The public side of a one-time pre-key.
#[derive(Debug, Clone, Copy)]
pub struct OneTimePreKeyBundle {
    /// Its number.
    pub id: OneTimePreKeyId,
    /// The key.
    pub key: PublicKey,
}

/// The public side of a KEM pre-key.
#[derive(Debug, Clone)]
pub struct KemPreKeyBundle {
    /// Its number.
    pub id: KemPreKeyId,
    /// The key.
    pub key: KemPublicKey,
    /// The identity's signature over the typed key. Bytes, because it comes from outside.
    pub signature: Vec<u8>,
}

impl PreKeyBundle {
    /// Puts together what a device publishes.
    #[must_use]
    pub fn new(
        local: LocalParty<'_>,
        device_id: DeviceId,
        signed_pre_key: &SignedPreKey,
        one_time_pre_key: Option<&OneTimePreKey>,
        kem_pre_key: Option<&KemPreKey>,
    ) -> Self {
        Self {
            registration_id: local.registration_id,
            device_id,
            identity_key: *local.identity.public_key(),
            signed_pre_key: signed_pre_key.into(),
            one_time_pre_key: one_time_pre_key.map(Into::into),
            kem_pre_key: kem_pre_key.map(Into::into),
        }
    }

    /// Checks both signatures (X3DH §3.3, PQXDH §3.3).
    ///
    /// # Errors
    /// [`Error::InvalidSignature`] names the key whose signature does not verify.
    pub fn verify(&self) -> Result<()> {
        let identity =
            VerifyingPoint::new(&self.identity_key).ok_or(Error::InvalidKey(KeyRole::Identity))?;
        let signed = &self.signed_pre_key;
        if !identity.verify(&[&signed.key.to_bytes()], &signed.signature) {
            return Err(Error::InvalidSignature(KeyRole::SignedPreKey));
        }
        if let Some(kem) = &self.kem_pre_key
            && !identity.verify(&[&kem.key.to_bytes()], &kem.signature)
        {
            return Err(Error::InvalidSignature(KeyRole::KemPreKey));
        }
        Ok(())
    }
}

impl From<&SignedPreKey> for SignedPreKeyBundle {
    fn from(key: &SignedPreKey) -> Self {
        Self {
            id: key.id,
            key: *key.keys.public_key(),
            signature: key.signature.to_vec(),
        }
    }
}

impl From<&OneTimePreKey> for OneTimePreKeyBundle {
    fn from(key: &OneTimePreKey) -> Self {
        Self {
            id: key.id,
            key: *key.keys.public_key(),
        }
    }
}

impl From<&KemPreKey> for KemPreKeyBundle {
    fn from(key: &KemPreKey) -> Self {
        Self {
            id: key.id,
            key: key.keys.public.clone(),
            signature: key.signature.to_vec(),
        }
    }
}
