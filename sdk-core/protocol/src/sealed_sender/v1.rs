//! Sealed sender version 1: one recipient, two layers, each AES-256-CTR with a truncated HMAC.
//!
//! The first layer, keyed by an ephemeral agreement, hides the sender's identity key; the second,
//! keyed by the agreement of both identities, hides the content and proves the sender.

use aes::Aes256;
use aes::cipher::{KeyIvInit, StreamCipher};
use ctr::Ctr128BE;
use hmac::{Hmac, KeyInit, Mac};
use rand_core::TryCryptoRng;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::content::UnidentifiedSenderMessageContent;
use crate::curve::{KeyPair, PUBLIC_KEY_LEN, PublicKey};
use crate::error::{Error, KeyRole, Result};
use crate::hkdf;
use crate::identity::IdentityKeyPair;
use crate::proto;

pub(super) const VERSION: u8 = 1;
const VERSION_BYTE: u8 = 0x11;

const SALT_PREFIX: &[u8] = b"UnidentifiedDelivery";
const MAC_LEN: usize = 10;
const STATIC_LEN: usize = PUBLIC_KEY_LEN + MAC_LEN;

pub(super) fn seal(
    content: &[u8],
    sender: &IdentityKeyPair,
    recipient: &PublicKey,
    rng: &mut (impl TryCryptoRng + ?Sized),
) -> Result<Vec<u8>> {
    let ephemeral = KeyPair::generate(rng)?;
    let shared = ephemeral.private.agree(recipient)?;
    let outer = OuterKeys::derive(&ephemeral.public, recipient, &shared);
    let encrypted_static = outer.layer.seal(&sender.public_key().to_bytes());
    let shared = sender.private_key().agree(recipient)?;
    let inner = inner_layer(&outer.chain, &encrypted_static, &shared);
    let message = proto::SealedMessageV1 {
        ephemeral_key: Some(ephemeral.public.to_bytes().to_vec()),
        encrypted_static: Some(encrypted_static),
        encrypted_message: Some(inner.seal(content)),
    };
    let mut bytes = vec![VERSION_BYTE];
    proto::append(&mut bytes, &message);
    Ok(bytes)
}

/// `bytes` without the version byte.
pub(super) fn open(
    bytes: &[u8],
    recipient: &IdentityKeyPair,
) -> Result<UnidentifiedSenderMessageContent> {
    let message: proto::SealedMessageV1 = proto::decode(bytes)?;
    let (Some(ephemeral), Some(encrypted_static), Some(encrypted_message)) = (
        message.ephemeral_key,
        message.encrypted_static,
        message.encrypted_message,
    ) else {
        return Err(Error::InvalidMessage);
    };
    if encrypted_static.len() != STATIC_LEN {
        return Err(Error::InvalidMessage);
    }
    let blame = |error: Error| error.about(KeyRole::Ephemeral);
    let ephemeral = PublicKey::from_bytes(&ephemeral).map_err(blame)?;
    let shared = recipient.private_key().agree(&ephemeral).map_err(blame)?;
    let outer = OuterKeys::derive(&ephemeral, recipient.public_key(), &shared);
    let sender = outer.layer.open(&encrypted_static)?;
    let sender = PublicKey::from_bytes(&sender).map_err(|error| error.about(KeyRole::Identity))?;

    let shared = recipient.private_key().agree(&sender)?;
    let inner = inner_layer(&outer.chain, &encrypted_static, &shared);
    let content = UnidentifiedSenderMessageContent::from_bytes(&inner.open(&encrypted_message)?)?;
    if *content.sender_certificate().identity_key() != sender {
        return Err(Error::InvalidMessage);
    }
    Ok(content)
}

struct OuterKeys {
    chain: Zeroizing<[u8; 32]>,
    layer: Layer,
}

impl OuterKeys {
    fn derive(ephemeral: &PublicKey, recipient: &PublicKey, shared: &[u8; 32]) -> Self {
        let salt = [SALT_PREFIX, &recipient.to_bytes(), &ephemeral.to_bytes()].concat();
        let okm = hkdf::derive::<96>(&salt, shared, &[]);
        let mut chain = Zeroizing::new([0; 32]);
        let (first, rest) = okm.split_at(32);
        chain.copy_from_slice(first);
        Self {
            chain,
            layer: Layer::new(rest),
        }
    }
}

fn inner_layer(chain: &[u8; 32], encrypted_static: &[u8], shared: &[u8; 32]) -> Layer {
    let salt = Zeroizing::new([chain.as_slice(), encrypted_static].concat());
    let okm = hkdf::derive::<96>(&salt, shared, &[]);
    // The first 32 bytes are derived and not used.
    let (_, rest) = okm.split_at(32);
    Layer::new(rest)
}

/// Keys of one layer: encrypt, then MAC.
struct Layer {
    cipher: Zeroizing<[u8; 32]>,
    mac: Zeroizing<[u8; 64]>,
}

impl Layer {
    /// `keys`: 32 bytes of cipher key, 32 of MAC key, which HMAC pads to a block with zeros.
    fn new(keys: &[u8]) -> Self {
        let (cipher, mac) = keys.split_at(32);
        let mut layer = Self {
            cipher: Zeroizing::new([0; 32]),
            mac: Zeroizing::new([0; 64]),
        };
        layer.cipher.copy_from_slice(cipher);
        for (slot, byte) in layer.mac.iter_mut().zip(mac) {
            *slot = *byte;
        }
        layer
    }

    fn seal(&self, plaintext: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(plaintext.len().saturating_add(MAC_LEN));
        bytes.extend_from_slice(plaintext);
        self.apply_keystream(&mut bytes);
        let tag = self.tag(&bytes);
        bytes.extend_from_slice(&tag);
        bytes
    }

    fn open(&self, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let (ciphertext, received) = bytes
            .split_last_chunk::<MAC_LEN>()
            .ok_or(Error::InvalidMessage)?;
        if !bool::from(self.tag(ciphertext).ct_eq(received)) {
            return Err(Error::InvalidMessage);
        }
        let mut plaintext = Zeroizing::new(ciphertext.to_vec());
        self.apply_keystream(&mut plaintext);
        Ok(plaintext)
    }

    fn apply_keystream(&self, bytes: &mut [u8]) {
        // The key is used once, so the counter may start at zero.
        Ctr128BE::<Aes256>::new((&*self.cipher).into(), &[0; 16].into()).apply_keystream(bytes);
    }

    fn tag(&self, ciphertext: &[u8]) -> [u8; MAC_LEN] {
        let mut full = Hmac::<Sha256>::new((&*self.mac).into())
            .chain_update(ciphertext)
            .finalize()
            .into_bytes();
        let mut tag = [0; MAC_LEN];
        for (byte, full) in tag.iter_mut().zip(&full) {
            *byte = *full;
        }
        full.zeroize();
        tag
    }
}
