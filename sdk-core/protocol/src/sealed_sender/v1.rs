//! Sealed sender version 1: one recipient, two layers, each AES-256-CTR with a truncated HMAC.
//!
//! The first layer, keyed by an ephemeral agreement, hides the sender's identity key; the second,
//! keyed by the agreement of both identities, hides the content and proves the sender.

use aes::Aes256;
use aes::cipher::{KeyIvInit, StreamCipher};
use ctr::Ctr128BE;
use rand_core::TryCryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::content::UnidentifiedSenderMessageContent;
use crate::curve::{KeyPair, PUBLIC_KEY_LEN, PublicKey};
use crate::error::{Error, KeyRole, Result};
use crate::hkdf;
use crate::identity::IdentityKeyPair;
use crate::mac;
use crate::proto;
use crate::secret::Secret;

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
    chain: Secret<32>,
    layer: Layer,
}

impl OuterKeys {
    fn derive(ephemeral: &PublicKey, recipient: &PublicKey, shared: &[u8; 32]) -> Self {
        let salt = [SALT_PREFIX, &recipient.to_bytes(), &ephemeral.to_bytes()].concat();
        let okm = hkdf::derive::<96>(&salt, shared, &[]);
        let (chain, keys) = okm.split_at(32);
        Self {
            chain: Secret::part_of(chain, 0),
            layer: Layer::new(keys),
        }
    }
}

fn inner_layer(chain: &[u8; 32], encrypted_static: &[u8], shared: &[u8; 32]) -> Layer {
    let salt = Zeroizing::new([chain.as_slice(), encrypted_static].concat());
    let okm = hkdf::derive::<96>(&salt, shared, &[]);
    // The first 32 bytes are derived and not used.
    let (_, keys) = okm.split_at(32);
    Layer::new(keys)
}

/// Keys of one layer: encrypt, then MAC.
struct Layer {
    cipher: Secret<32>,
    mac: Secret<32>,
}

impl Layer {
    /// `keys`: 32 bytes of cipher key, 32 of MAC key.
    fn new(keys: &[u8]) -> Self {
        Self {
            cipher: Secret::part_of(keys, 0),
            mac: Secret::part_of(keys, 32),
        }
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
        mac::tag(&self.mac, &[ciphertext])
    }
}

#[cfg(test)]
mod tests {
    use aes::cipher::{BlockCipherEncrypt, KeyInit};

    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        hex::decode(hex).unwrap()
    }

    #[test]
    fn the_counter_mode_vector_of_sp_800_38a_f_5_5_comes_out() {
        let key = bytes("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
        let counter = bytes("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
        let mut text = bytes(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        );
        let expected = bytes(
            "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5\
             2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6",
        );
        let key: [u8; 32] = key.try_into().unwrap();
        let counter: [u8; 16] = counter.try_into().unwrap();
        Ctr128BE::<Aes256>::new(&key.into(), &counter.into()).apply_keystream(&mut text);
        assert_eq!(text, expected);
    }

    #[test]
    fn a_layer_counts_from_zero_in_big_endian_blocks() {
        let keys: Vec<u8> = (0..64).collect();
        // Beyond 256 blocks, so that a carry is among them.
        let mut stream = vec![0; 16 * 300];
        Layer::new(&keys).apply_keystream(&mut stream);
        let key: [u8; 32] = keys[..32].try_into().unwrap();
        let cipher = Aes256::new(&key.into());
        for (counter, block) in (0u128..).zip(stream.chunks_exact(16)) {
            let mut expected = counter.to_be_bytes().into();
            cipher.encrypt_block(&mut expected);
            assert_eq!(block, expected.as_slice(), "block {counter}");
        }
    }

    #[test]
    fn a_layer_opens_what_it_sealed_and_nothing_else() {
        let keys: Vec<u8> = (0..64).collect();
        let layer = Layer::new(&keys);
        let sealed = layer.seal(b"content");
        assert_eq!(sealed.len(), 7 + MAC_LEN);
        assert_eq!(layer.open(&sealed).unwrap().as_slice(), b"content");
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(layer.open(&changed), Err(Error::InvalidMessage));
        }
        for length in 0..sealed.len() {
            assert_eq!(layer.open(&sealed[..length]), Err(Error::InvalidMessage));
        }
    }
}
