//! Identities: a device's long-term key pair, and the party that owns it.

use core::fmt;

use rand_core::TryCryptoRng;
use zeroize::Zeroizing;

use crate::address::RegistrationId;
use crate::curve::{PrivateKey, PublicKey, SIGNATURE_LEN, SigningKeyPair};
use crate::encoding::{Kind, Reader, Writer};
use crate::error::{KeyRole, Result};

/// Domain separator of an alternate identity signature.
const ALTERNATE_IDENTITY_PREFIX: [u8; 32] = [0xff; 32];
const ALTERNATE_IDENTITY_LABEL: &[u8] = b"Signal_PNI_Signature";

const ENCODING_VERSION: u8 = 1;
const ENCODED_LEN: usize = 2 + 3 * 32;

/// A device's long-term identity: agrees, and signs pre-keys.
#[derive(Debug)]
pub struct IdentityKeyPair(SigningKeyPair);

impl IdentityKeyPair {
    /// Makes a new identity.
    ///
    /// # Errors
    /// [`Error::Randomness`](crate::Error::Randomness) if `rng` fails.
    pub fn generate(rng: &mut (impl TryCryptoRng + ?Sized)) -> Result<Self> {
        SigningKeyPair::generate(rng).map(Self)
    }

    /// Takes an existing private key.
    #[must_use]
    pub fn from_private(private: PrivateKey) -> Self {
        Self(SigningKeyPair::from_private(private))
    }

    /// The public identity key.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    /// The private identity key.
    #[must_use]
    pub const fn private_key(&self) -> &PrivateKey {
        self.0.private_key()
    }

    /// Signs the concatenation of `message`'s parts (XEdDSA).
    ///
    /// # Errors
    /// [`Error::Randomness`](crate::Error::Randomness) if `rng` fails.
    pub fn sign(
        &self,
        message: &[&[u8]],
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<[u8; SIGNATURE_LEN]> {
        self.0.sign(message, rng)
    }

    /// Vouches that `other` belongs to the same owner (a phone-number identity, for instance).
    ///
    /// # Errors
    /// [`Error::Randomness`](crate::Error::Randomness) if `rng` fails.
    pub fn sign_alternate_identity(
        &self,
        other: &PublicKey,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<[u8; SIGNATURE_LEN]> {
        self.sign(&alternate_identity(&other.to_bytes()), rng)
    }

    /// The stored form: 98 bytes of secret, in a buffer that is wiped on drop.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut writer = Writer::new(Kind::IdentityKeyPair, ENCODING_VERSION, ENCODED_LEN);
        writer.bytes(self.private_key().as_bytes());
        writer.public_key(self.public_key());
        writer.bytes(self.0.edwards_bytes());
        writer.finish()
    }

    /// Reads [`IdentityKeyPair::encode`]'s form.
    ///
    /// # Errors
    /// [`Error::InvalidState`](crate::Error::InvalidState) if it is not that.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::of_version(Kind::IdentityKeyPair, ENCODING_VERSION, bytes)?;
        let private = PrivateKey::from_bytes(reader.array()?);
        let public = reader.public_key()?;
        let edwards = reader.array()?;
        reader.finish()?;
        Ok(Self(SigningKeyPair::from_stored_parts(
            private, public, edwards,
        )))
    }
}

impl PublicKey {
    /// Checks [`IdentityKeyPair::sign_alternate_identity`]'s signature under this identity.
    ///
    /// # Errors
    /// [`Error::InvalidSignature`](crate::Error::InvalidSignature) if it does not verify.
    pub fn verify_alternate_identity(&self, other: &PublicKey, signature: &[u8]) -> Result<()> {
        self.verify(&alternate_identity(&other.to_bytes()), signature)
            .map_err(|error| error.about(KeyRole::Identity))
    }
}

fn alternate_identity(other: &[u8]) -> [&[u8]; 3] {
    [&ALTERNATE_IDENTITY_PREFIX, ALTERNATE_IDENTITY_LABEL, other]
}

/// This device as a party to sessions: its identity and its registration id.
#[derive(Clone, Copy)]
pub struct LocalParty<'a> {
    /// The device's identity.
    pub identity: &'a IdentityKeyPair,
    /// The number drawn at registration.
    pub registration_id: RegistrationId,
}

impl fmt::Debug for LocalParty<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalParty")
            .field("identity", self.identity.public_key())
            .field("registration_id", &self.registration_id)
            .finish()
    }
}
