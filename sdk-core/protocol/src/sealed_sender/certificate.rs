//! Certificates: the trust root vouches for a server key, the server key for a sender's identity.
//!
//! A certificate is its signed bytes; they are kept as they came, and the signature is checked over
//! them.

use core::fmt;

use rand_core::TryCryptoRng;

use crate::address::{DeviceId, ProtocolAddress, ServiceId, Timestamp};
use crate::curve::{PublicKey, SigningKeyPair};
use crate::error::{Error, Result};
use crate::proto;

/// Server certificates that are refused whatever signs them.
const REVOKED_SERVER_IDS: [u32; 1] = [0xDEAD_C357];

/// Vouches for the key that signs sender certificates.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerCertificate {
    id: u32,
    key: PublicKey,
    body: Vec<u8>,
    signature: Vec<u8>,
    serialized: Vec<u8>,
}

impl ServerCertificate {
    /// Issues one: the trust root's job.
    ///
    /// # Errors
    /// [`Error::Randomness`] if `rng` fails.
    pub fn issue(
        id: u32,
        key: &PublicKey,
        trust_root: &SigningKeyPair,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Self> {
        let mut body = Vec::new();
        proto::append(
            &mut body,
            &proto::ServerCertificateBody {
                id: Some(id),
                key: Some(key.to_bytes().to_vec()),
            },
        );
        let signature = trust_root.sign(&[&body], rng)?.to_vec();
        let serialized = serialize(&body, &signature);
        Ok(Self {
            id,
            key: *key,
            body,
            signature,
            serialized,
        })
    }

    /// Parses the wire form; verifies nothing.
    ///
    /// # Errors
    /// [`Error::CertificateInvalid`] if it is malformed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (body, signature) = deserialize(bytes)?;
        let fields: proto::ServerCertificateBody = decode(&body)?;
        let key = fields.key.ok_or(Error::CertificateInvalid)?;
        Ok(Self {
            id: fields.id.ok_or(Error::CertificateInvalid)?,
            key: PublicKey::from_bytes(&key).map_err(|_| Error::CertificateInvalid)?,
            body,
            signature,
            serialized: bytes.to_vec(),
        })
    }

    /// The number it goes by.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// The wire form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.serialized
    }

    fn verify(&self, trust_root: &PublicKey) -> Result<()> {
        if REVOKED_SERVER_IDS.contains(&self.id) {
            return Err(Error::CertificateInvalid);
        }
        trust_root
            .verify(&[&self.body], &self.signature)
            .map_err(|_| Error::CertificateInvalid)
    }
}

impl fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerCertificate")
            .field("id", &self.id)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// What a sender certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderCertificateFields {
    /// The sender's account and device.
    pub sender: ProtocolAddress,
    /// Its phone number, where the operator puts one in.
    pub phone_number: Option<String>,
    /// The device's identity key.
    pub identity_key: PublicKey,
    /// The last moment of validity.
    pub expires: Timestamp,
}

/// Who signed a sender certificate.
#[derive(Clone, PartialEq, Eq)]
enum Signer {
    Embedded(ServerCertificate),
    /// Named by id, for verifiers that know the certificate already.
    Known(u32),
}

/// Ties an identity key to an account and a device until a date.
#[derive(Clone, PartialEq, Eq)]
pub struct SenderCertificate {
    fields: SenderCertificateFields,
    signer: Signer,
    body: Vec<u8>,
    signature: Vec<u8>,
    serialized: Vec<u8>,
}

impl SenderCertificate {
    /// Issues one: the server's job. `server_key` must be the pair that `server` vouches for.
    ///
    /// # Errors
    /// [`Error::CertificateInvalid`] if it is not, [`Error::Randomness`] if `rng` fails.
    pub fn issue(
        fields: SenderCertificateFields,
        server: &ServerCertificate,
        server_key: &SigningKeyPair,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Self> {
        if server.key != *server_key.public_key() {
            return Err(Error::CertificateInvalid);
        }
        let mut body = Vec::new();
        proto::append(
            &mut body,
            &proto::SenderCertificateBody {
                phone_number: fields.phone_number.clone(),
                device_id: Some(fields.sender.device_id.get().into()),
                expires: Some(fields.expires.0),
                identity_key: Some(fields.identity_key.to_bytes().to_vec()),
                server_certificate: Some(server.as_bytes().to_vec()),
                sender_uuid_text: Some(fields.sender.service_id.to_string()),
                sender_uuid: None,
                server_certificate_id: None,
            },
        );
        let signature = server_key.sign(&[&body], rng)?.to_vec();
        let serialized = serialize(&body, &signature);
        Ok(Self {
            fields,
            signer: Signer::Embedded(server.clone()),
            body,
            signature,
            serialized,
        })
    }

    /// Parses the wire form; verifies nothing.
    ///
    /// # Errors
    /// [`Error::CertificateInvalid`] if it is malformed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (body, signature) = deserialize(bytes)?;
        let fields: proto::SenderCertificateBody = decode(&body)?;
        let invalid = Error::CertificateInvalid;
        let service_id = match (fields.sender_uuid_text, fields.sender_uuid) {
            (Some(text), None) => ServiceId::parse(&text).ok(),
            (None, Some(uuid)) => uuid::Uuid::from_slice(&uuid).ok().map(ServiceId::account),
            _ => None,
        }
        .ok_or(invalid)?;
        let signer = match (fields.server_certificate, fields.server_certificate_id) {
            (Some(server), None) => Signer::Embedded(ServerCertificate::from_bytes(&server)?),
            (None, Some(id)) => Signer::Known(id),
            _ => return Err(invalid),
        };
        let device_id = DeviceId::new(fields.device_id.ok_or(invalid)?).map_err(|_| invalid)?;
        let identity_key = fields.identity_key.ok_or(invalid)?;
        Ok(Self {
            fields: SenderCertificateFields {
                sender: ProtocolAddress::new(service_id, device_id),
                phone_number: fields.phone_number,
                identity_key: PublicKey::from_bytes(&identity_key).map_err(|_| invalid)?,
                expires: Timestamp(fields.expires.ok_or(invalid)?),
            },
            signer,
            body,
            signature,
            serialized: bytes.to_vec(),
        })
    }

    /// Checks the chain of signatures up to `trust_root`, and that `now` is not past the expiry.
    /// `known` holds the server certificates that may be named by id instead of embedded.
    ///
    /// # Errors
    /// [`Error::CertificateInvalid`] for any fault.
    pub fn verify(
        &self,
        trust_root: &PublicKey,
        known: &[ServerCertificate],
        now: Timestamp,
    ) -> Result<()> {
        let server = match &self.signer {
            Signer::Embedded(server) => Some(server),
            Signer::Known(id) => known.iter().find(|server| server.id == *id),
        }
        .ok_or(Error::CertificateInvalid)?;
        server.verify(trust_root)?;
        server
            .key
            .verify(&[&self.body], &self.signature)
            .map_err(|_| Error::CertificateInvalid)?;
        if now > self.fields.expires {
            return Err(Error::CertificateInvalid);
        }
        Ok(())
    }

    /// What it says.
    #[must_use]
    pub const fn fields(&self) -> &SenderCertificateFields {
        &self.fields
    }

    /// The identity key it vouches for.
    #[must_use]
    pub const fn identity_key(&self) -> &PublicKey {
        &self.fields.identity_key
    }

    /// The wire form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.serialized
    }
}

impl fmt::Debug for SenderCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SenderCertificate")
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

fn serialize(body: &[u8], signature: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    proto::append(
        &mut bytes,
        &proto::Certificate {
            body: Some(body.to_vec()),
            signature: Some(signature.to_vec()),
        },
    );
    bytes
}

fn deserialize(bytes: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
    let certificate: proto::Certificate = decode(bytes)?;
    match (certificate.body, certificate.signature) {
        (Some(body), Some(signature)) => Ok((body, signature)),
        _ => Err(Error::CertificateInvalid),
    }
}

fn decode<M: prost::Message + Default>(bytes: &[u8]) -> Result<M> {
    proto::decode(bytes).map_err(|_| Error::CertificateInvalid)
}
