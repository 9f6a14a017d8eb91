//! `PreKeySignalMessage`: a first message and what its receiver needs to open it.
//!
//! It has no MAC of its own. What is wrong in it makes the inner message fail, except the base key's
//! form and the identity, which the session checks by itself.

use super::{ProtocolVersion, SignalMessage};
use crate::address::{KemPreKeyId, OneTimePreKeyId, RegistrationId, SignedPreKeyId};
use crate::curve::PublicKey;
use crate::error::{Error, KeyRole, Result};
use crate::kem::KemCiphertext;
use crate::proto;

/// Starts a session: sent until the peer's first answer arrives.
#[derive(Debug, Clone)]
pub struct PreKeySignalMessage {
    version: ProtocolVersion,
    registration_id: RegistrationId,
    one_time_pre_key_id: Option<OneTimePreKeyId>,
    signed_pre_key_id: SignedPreKeyId,
    kem: Option<KemPart>,
    base_key: PublicKey,
    identity_key: PublicKey,
    message: SignalMessage,
    serialized: Vec<u8>,
}

/// The post-quantum part of a first message: id and ciphertext go together.
#[derive(Debug, Clone)]
pub(crate) struct KemPart {
    pub(crate) id: KemPreKeyId,
    pub(crate) ciphertext: KemCiphertext,
}

/// What goes into a new message beside the inner one.
pub(crate) struct PreKeyParts<'a> {
    pub(crate) version: ProtocolVersion,
    pub(crate) registration_id: RegistrationId,
    pub(crate) one_time_pre_key_id: Option<OneTimePreKeyId>,
    pub(crate) signed_pre_key_id: SignedPreKeyId,
    pub(crate) kem: Option<&'a KemPart>,
    pub(crate) base_key: &'a PublicKey,
    pub(crate) identity_key: &'a PublicKey,
}

impl PreKeySignalMessage {
    /// Parses the wire form; any length.
    ///
    /// # Errors
    /// [`Error::LegacyVersion`], [`Error::UnrecognizedVersion`], [`Error::InvalidKey`] naming the key,
    /// otherwise [`Error::InvalidMessage`]: a field missing (in version 4 also the KEM fields), or an
    /// inner message of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (&version, body) = bytes.split_first().ok_or(Error::InvalidMessage)?;
        let version = ProtocolVersion::from_byte(version)?;
        let body: proto::PreKeySignalMessage = proto::decode(body)?;

        let message = SignalMessage::from_bytes(&body.message.ok_or(Error::InvalidMessage)?)?;
        if message.version() != version {
            return Err(Error::InvalidMessage);
        }
        let kem = match (version, body.kem_pre_key_id, body.kem_ciphertext) {
            (ProtocolVersion::V3, None, None) => None,
            (ProtocolVersion::V4, Some(id), Some(ciphertext)) => Some(KemPart {
                id: KemPreKeyId(id),
                ciphertext: KemCiphertext::from_bytes(&ciphertext)?,
            }),
            _ => return Err(Error::InvalidMessage),
        };
        Ok(Self {
            version,
            registration_id: RegistrationId(body.registration_id.unwrap_or(0)),
            one_time_pre_key_id: body.pre_key_id.map(OneTimePreKeyId),
            signed_pre_key_id: SignedPreKeyId(body.signed_pre_key_id.ok_or(Error::InvalidMessage)?),
            kem,
            base_key: public_key(body.base_key, KeyRole::Base)?,
            identity_key: public_key(body.identity_key, KeyRole::Identity)?,
            message,
            serialized: bytes.to_vec(),
        })
    }

    /// Wraps the first message of a session.
    pub(crate) fn wrap(parts: &PreKeyParts<'_>, message: SignalMessage) -> Self {
        let body = proto::PreKeySignalMessage {
            pre_key_id: parts.one_time_pre_key_id.map(|id| id.0),
            base_key: Some(parts.base_key.to_bytes().to_vec()),
            identity_key: Some(parts.identity_key.to_bytes().to_vec()),
            message: Some(message.as_bytes().to_vec()),
            registration_id: Some(parts.registration_id.0),
            signed_pre_key_id: Some(parts.signed_pre_key_id.0),
            kem_pre_key_id: parts.kem.map(|kem| kem.id.0),
            kem_ciphertext: parts.kem.map(|kem| kem.ciphertext.to_bytes()),
        };
        let mut serialized = vec![parts.version.to_byte()];
        proto::append(&mut serialized, &body);
        Self {
            version: parts.version,
            registration_id: parts.registration_id,
            one_time_pre_key_id: parts.one_time_pre_key_id,
            signed_pre_key_id: parts.signed_pre_key_id,
            kem: parts.kem.cloned(),
            base_key: *parts.base_key,
            identity_key: *parts.identity_key,
            message,
            serialized,
        }
    }

    /// The version of the session it starts.
    #[must_use]
    pub const fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// The sender's registration id.
    #[must_use]
    pub const fn registration_id(&self) -> RegistrationId {
        self.registration_id
    }

    /// The one-time pre-key it uses up, if the sender got one.
    #[must_use]
    pub const fn one_time_pre_key_id(&self) -> Option<OneTimePreKeyId> {
        self.one_time_pre_key_id
    }

    /// The signed pre-key it was made for.
    #[must_use]
    pub const fn signed_pre_key_id(&self) -> SignedPreKeyId {
        self.signed_pre_key_id
    }

    /// The KEM pre-key it was made for, in version 4.
    #[must_use]
    pub fn kem_pre_key_id(&self) -> Option<KemPreKeyId> {
        self.kem.as_ref().map(|kem| kem.id)
    }

    /// The identity key the sender claims. Ask the user, or the pinned value, before decrypting.
    #[must_use]
    pub const fn identity_key(&self) -> &PublicKey {
        &self.identity_key
    }

    /// The initiator's ephemeral key, which names the session.
    #[must_use]
    pub const fn base_key(&self) -> &PublicKey {
        &self.base_key
    }

    /// The inner message.
    #[must_use]
    pub const fn message(&self) -> &SignalMessage {
        &self.message
    }

    pub(crate) const fn kem(&self) -> Option<&KemPart> {
        self.kem.as_ref()
    }

    /// The wire form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.serialized
    }

    /// The wire form.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.serialized
    }
}

fn public_key(bytes: Option<Vec<u8>>, role: KeyRole) -> Result<PublicKey> {
    PublicKey::from_bytes(&bytes.ok_or(Error::InvalidMessage)?).map_err(|error| error.about(role))
}
