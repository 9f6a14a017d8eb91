//! X3DH and PQXDH: how two parties who were never online together get their first root key
//! (Signal, "The X3DH Key Agreement Protocol" §3; "The PQXDH Key Agreement Protocol" §3).
//!
//! ```text
//!   initiator                      responder
//!   IK  identity  ──────┐  ┌────── IK  identity
//!   EK  base key  ────┐ │  │ ┌──── SPK signed pre-key
//!                     │ │  │ │ ┌── OPK one-time pre-key, while there are any
//!                     ▼ ▼  ▼ ▼ ▼
//!   DH(IK,SPK) ‖ DH(EK,IK) ‖ DH(EK,SPK) ‖ [DH(EK,OPK)] ‖ [KEM secret]
//!                          │
//!                          ▼  HKDF, one label a variant
//!                 root key, first chain key
//! ```
//!
//! Nothing in this room touches stored state; what it returns becomes a session only once the caller
//! has what it needs. Identities do not enter the key derivation in the variants that have to be
//! compatible; they are under the MAC of every message instead. The variant of our own
//! ([`KemKind::MlKem1024`]) binds every public value of the handshake into its label.

use rand_core::TryCryptoRng;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::curve::x25519::Peer;
use crate::curve::{PrivateKey, PublicKey};
use crate::error::{Error, KeyRole, Result};
use crate::hkdf::{self, ZERO_SALT};
use crate::identity::IdentityKeyPair;
use crate::kem::{KemCiphertext, KemKind, KemPublicKey};
use crate::message::{KemPart, PreKeySignalMessage, ProtocolVersion};
use crate::pre_key::{KemPreKey, OneTimePreKey, PreKeyBundle, SignedPreKey};
use crate::ratchet::{ChainKey, DoubleRatchet, RootKey};
use crate::secret::Secret;

const LABEL_X3DH: &[u8] = b"WhisperText";
const LABEL_KYBER: &[u8] = b"WhisperText_X25519_SHA-256_CRYSTALS-KYBER-1024";
const LABEL_ML_KEM: &[u8] = b"Hushpost_X25519_SHA-256_ML-KEM-1024";

/// 32 bytes before the agreements, so that no input of this KDF is one of a signature (X3DH §2.2).
const PREFIX: [u8; 32] = [0xff; 32];

/// What the initiator has after the handshake.
pub(crate) struct Initiated {
    pub(crate) base_key: PublicKey,
    pub(crate) kem: Option<KemPart>,
    /// What the post-quantum ratchet starts from; worth something in version 4 only.
    pub(crate) pq_secret: Secret<32>,
    pub(crate) ratchet: DoubleRatchet,
}

/// Checks the bundle and runs the initiator's side.
pub(crate) fn initiate(
    identity: &IdentityKeyPair,
    bundle: &PreKeyBundle,
    rng: &mut (impl TryCryptoRng + ?Sized),
) -> Result<Initiated> {
    bundle.verify()?;
    let signed = &bundle.signed_pre_key.key;
    let their_signed = Peer::new(signed);
    let their_identity = Peer::new(&bundle.identity_key);

    let private = PrivateKey::generate(rng)?;
    let (base, base_signed) = their_signed
        .agree_with_new(private)
        .map_err(|error| error.about(KeyRole::SignedPreKey))?;

    let mut secrets = Secrets::new();
    secrets.add(
        their_signed.agree(identity.private_key()),
        KeyRole::SignedPreKey,
    )?;
    secrets.add(their_identity.agree(&base.private), KeyRole::Identity)?;
    secrets.add(Ok(base_signed), KeyRole::SignedPreKey)?;
    if let Some(one_time) = &bundle.one_time_pre_key {
        secrets.add(
            Peer::new(&one_time.key).agree(&base.private),
            KeyRole::OneTimePreKey,
        )?;
    }
    let mut kem = None;
    let mut variant = Variant::X3dh;
    if let Some(theirs) = &bundle.kem_pre_key {
        let (ciphertext, secret) = theirs.key.encapsulate(rng)?;
        secrets.add(Ok(secret), KeyRole::KemPreKey)?;
        variant = Variant::pqxdh(
            &Transcript {
                initiator: identity.public_key(),
                responder: &bundle.identity_key,
                base: &base.public,
                signed,
                one_time: bundle.one_time_pre_key.as_ref().map(|key| &key.key),
            },
            &theirs.key,
            &ciphertext,
        );
        kem = Some(KemPart {
            id: theirs.id,
            ciphertext,
        });
    }
    let (root, chain, pq_secret) = secrets.derive(&variant);

    let (ratchet, shared) = their_signed
        .agree_with_new(PrivateKey::generate(rng)?)
        .map_err(|error| error.about(KeyRole::SignedPreKey))?;
    if ratchet.public == base.public {
        // A generator that repeats itself has made two keys that must be independent one.
        return Err(Error::Randomness);
    }
    Ok(Initiated {
        base_key: base.public,
        kem,
        pq_secret,
        ratchet: DoubleRatchet::initiator(&root, chain, signed, ratchet, &shared),
    })
}

/// The responder's secrets for one first message, already looked up and matched to its ids.
pub(crate) struct ResponderKeys<'a> {
    pub(crate) signed: &'a SignedPreKey,
    pub(crate) one_time: Option<&'a OneTimePreKey>,
    pub(crate) kem: Option<&'a KemPreKey>,
}

/// Runs the responder's side. The result is worth nothing until the message inside decrypts with it.
pub(crate) fn respond(
    identity: &IdentityKeyPair,
    message: &PreKeySignalMessage,
    keys: &ResponderKeys<'_>,
) -> Result<(DoubleRatchet, Secret<32>)> {
    let base_key = message.base_key();
    if !base_key.is_torsion_free() {
        return Err(Error::InvalidKey(KeyRole::Base));
    }
    let signed = &keys.signed.keys;
    let their_base = Peer::new(base_key);

    let mut secrets = Secrets::new();
    secrets.add(
        Peer::new(message.identity_key()).agree(&signed.private),
        KeyRole::Identity,
    )?;
    secrets.add(their_base.agree(identity.private_key()), KeyRole::Base)?;
    secrets.add(their_base.agree(&signed.private), KeyRole::Base)?;
    if let Some(one_time) = keys.one_time {
        secrets.add(their_base.agree(&one_time.keys.private), KeyRole::Base)?;
    }
    let mut variant = Variant::X3dh;
    if let (Some(ours), Some(KemPart { ciphertext, .. })) = (keys.kem, message.kem()) {
        secrets.add(
            ours.keys.secret.decapsulate(ciphertext),
            KeyRole::KemCiphertext,
        )?;
        variant = Variant::pqxdh(
            &Transcript {
                initiator: message.identity_key(),
                responder: identity.public_key(),
                base: base_key,
                signed: &signed.public,
                one_time: keys.one_time.map(|key| &key.keys.public),
            },
            &ours.keys.public,
            ciphertext,
        );
    }
    if variant.version() != message.version() {
        return Err(Error::InvalidMessage);
    }
    let (root, chain, pq_secret) = secrets.derive(&variant);
    // The signed pre-key is also the responder's first ratchet key.
    let ratchet = DoubleRatchet::responder(root, chain, signed.duplicate());
    Ok((ratchet, pq_secret))
}

/// The concatenated agreements, wiped on drop.
struct Secrets(Zeroizing<Vec<u8>>);

impl Secrets {
    fn new() -> Self {
        // The prefix, four agreements and a KEM secret: never grows, so never leaves a copy.
        let mut bytes = Zeroizing::new(Vec::with_capacity(6 * 32));
        bytes.extend_from_slice(&PREFIX);
        Self(bytes)
    }

    fn add(&mut self, secret: Result<Zeroizing<[u8; 32]>>, role: KeyRole) -> Result<()> {
        let secret = secret.map_err(|error| error.about(role))?;
        self.0.extend_from_slice(secret.as_slice());
        Ok(())
    }

    /// The first root key, the first chain key, and what the post-quantum ratchet starts from.
    fn derive(&self, variant: &Variant) -> (RootKey, ChainKey, Secret<32>) {
        let okm = match variant {
            Variant::X3dh => hkdf::derive::<96>(&ZERO_SALT, &self.0, &[LABEL_X3DH]),
            Variant::Kyber => hkdf::derive::<96>(&ZERO_SALT, &self.0, &[LABEL_KYBER]),
            Variant::MlKem { transcript } => {
                hkdf::derive::<96>(&ZERO_SALT, &self.0, &[LABEL_ML_KEM, transcript])
            }
        };
        let root = Secret::part_of(okm.as_slice(), 0);
        let chain = Secret::part_of(okm.as_slice(), 32);
        let pq = Secret::part_of(okm.as_slice(), 64);
        (RootKey::new(root), ChainKey::new(chain, 0), pq)
    }
}

/// Which handshake was run; decides the label.
enum Variant {
    X3dh,
    Kyber,
    MlKem { transcript: [u8; 32] },
}

impl Variant {
    fn pqxdh(transcript: &Transcript<'_>, key: &KemPublicKey, ciphertext: &KemCiphertext) -> Self {
        match key.kind() {
            KemKind::Kyber1024 => Self::Kyber,
            KemKind::MlKem1024 => Self::MlKem {
                transcript: transcript.hash(key, ciphertext),
            },
        }
    }

    const fn version(&self) -> ProtocolVersion {
        match self {
            Self::X3dh => ProtocolVersion::V3,
            Self::Kyber | Self::MlKem { .. } => ProtocolVersion::V4,
        }
    }
}

/// Every public value of a handshake but the KEM's.
struct Transcript<'a> {
    initiator: &'a PublicKey,
    responder: &'a PublicKey,
    base: &'a PublicKey,
    signed: &'a PublicKey,
    one_time: Option<&'a PublicKey>,
}

impl Transcript<'_> {
    /// SHA-256 over all values; each has a fixed length, and the optional one comes with a presence
    /// byte, so no two transcripts hash the same input.
    fn hash(&self, key: &KemPublicKey, ciphertext: &KemCiphertext) -> [u8; 32] {
        let mut hash = Sha256::new();
        for value in [self.initiator, self.responder, self.base, self.signed] {
            hash.update(value.to_bytes());
        }
        hash.update([u8::from(self.one_time.is_some())]);
        if let Some(one_time) = self.one_time {
            hash.update(one_time.to_bytes());
        }
        hash.update(key.to_bytes());
        hash.update(ciphertext.to_bytes());
        hash.finalize().into()
    }
}
