//! What an attacker, or a peer who does not follow the rules, builds for itself: protobuf fields and
//! whole version 3 sessions, written from the wire format alone and independent of the crate's code.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    missing_debug_implementations,
    missing_docs
)]

use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use hushpost_protocol::{KeyPair, PreKeyBundle, PublicKey};
use rand_chacha::ChaCha20Rng;
use sha2::Sha256;

/// A protobuf field's value, of the two kinds that messages have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Number(u64),
    Bytes(Vec<u8>),
}

pub type Fields = Vec<(u64, Value)>;

/// Reads fields in the order they stand.
pub fn parse(mut bytes: &[u8]) -> Fields {
    let mut fields = Fields::new();
    while !bytes.is_empty() {
        let tag = take_varint(&mut bytes);
        let value = match tag & 7 {
            0 => Value::Number(take_varint(&mut bytes)),
            2 => {
                let length = usize::try_from(take_varint(&mut bytes)).unwrap();
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                Value::Bytes(value.to_vec())
            }
            other => panic!("wire type {other}"),
        };
        fields.push((tag >> 3, value));
    }
    fields
}

pub fn build(fields: &[(u64, Value)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, value) in fields {
        match value {
            Value::Number(value) => {
                put_varint(&mut bytes, number << 3);
                put_varint(&mut bytes, *value);
            }
            Value::Bytes(value) => {
                put_varint(&mut bytes, (number << 3) | 2);
                put_varint(&mut bytes, value.len() as u64);
                bytes.extend(value);
            }
        }
    }
    bytes
}

pub fn number(value: u32) -> Value {
    Value::Number(value.into())
}

pub fn bytes(value: impl AsRef<[u8]>) -> Value {
    Value::Bytes(value.as_ref().to_vec())
}

/// A message with its fields changed; the version byte and `tail` bytes of MAC or signature stay.
pub fn edit(message: &[u8], tail: usize, change: impl FnOnce(&mut Fields)) -> Vec<u8> {
    let (content, tail) = message.split_at(message.len() - tail);
    let mut fields = parse(&content[1..]);
    change(&mut fields);
    [&content[..1], &build(&fields), tail].concat()
}

/// Puts `value` in place of field `number`.
pub fn set(fields: &mut Fields, number: u64, value: Value) {
    let field = fields.iter_mut().find(|(it, _)| *it == number);
    field.expect("the field is there").1 = value;
}

pub fn get(fields: &Fields, number: u64) -> &[u8] {
    match fields.iter().find(|(it, _)| *it == number) {
        Some((_, Value::Bytes(value))) => value,
        other => panic!("no bytes in field {number}: {other:?}"),
    }
}

fn take_varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

pub fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// A version 3 session by its sending side: enough to say anything with a valid MAC.
pub struct Forger {
    sender: PublicKey,
    receiver: PublicKey,
    signed_pre_key_id: u32,
    one_time_pre_key_id: Option<u32>,
    base: KeyPair,
    ratchet: KeyPair,
    chain_key: [u8; 32],
}

impl Forger {
    /// X3DH towards `bundle` in the name of `sender`. `identity_secret` is the agreement of the
    /// sender's identity with the signed pre-key: whoever can compute it, from either side, is
    /// believed.
    pub fn start(
        sender: PublicKey,
        identity_secret: &[u8; 32],
        bundle: &PreKeyBundle,
        rng: &mut ChaCha20Rng,
    ) -> Self {
        let base = KeyPair::generate(rng).unwrap();
        let ratchet = KeyPair::generate(rng).unwrap();
        let agree = |pair: &KeyPair, key| *pair.private_key().agree(key).unwrap();
        let signed = &bundle.signed_pre_key.key;
        let mut secrets = vec![
            [0xff; 32],
            *identity_secret,
            agree(&base, &bundle.identity_key),
            agree(&base, signed),
        ];
        if let Some(one_time) = &bundle.one_time_pre_key {
            secrets.push(agree(&base, &one_time.key));
        }
        let root: [u8; 64] = hkdf(&[0; 32], &secrets.concat(), b"WhisperText");
        let turned: [u8; 64] = hkdf(&root[..32], &agree(&ratchet, signed), b"WhisperRatchet");
        Self {
            sender,
            receiver: bundle.identity_key,
            signed_pre_key_id: bundle.signed_pre_key.id.0,
            one_time_pre_key_id: bundle.one_time_pre_key.map(|key| key.id.0),
            base,
            ratchet,
            chain_key: turned[32..].try_into().unwrap(),
        }
    }

    /// A message with PKCS#7 padding as it should be.
    pub fn say(&self, counter: u32, text: &[u8]) -> Vec<u8> {
        let padding = 16 - text.len() % 16;
        let padded = [text, &vec![padding as u8; padding]].concat();
        self.signal(counter, 0, |keys| keys.encrypt(&padded))
    }

    /// A message whose body is whatever `body` makes of the right keys, under the right MAC.
    pub fn signal(
        &self,
        counter: u32,
        previous_counter: u32,
        body: impl FnOnce(&Keys) -> Vec<u8>,
    ) -> Vec<u8> {
        let keys = self.keys(counter);
        let fields = [
            (1, bytes(self.ratchet.public_key().to_bytes())),
            (2, number(counter)),
            (3, number(previous_counter)),
            (4, bytes(body(&keys))),
        ];
        self.authenticate(&keys, &fields)
    }

    /// Any fields under the right MAC.
    pub fn authenticate(&self, keys: &Keys, fields: &[(u64, Value)]) -> Vec<u8> {
        let mut message = vec![0x34];
        message.extend(build(fields));
        let mac = hmac(
            &keys.mac,
            &[&self.sender.to_bytes(), &self.receiver.to_bytes(), &message],
        );
        message.extend(&mac[..8]);
        message
    }

    /// Wraps a message as a first message.
    pub fn pre_key(&self, message: Vec<u8>) -> Vec<u8> {
        let mut fields = Fields::new();
        fields.extend(self.one_time_pre_key_id.map(|id| (1, number(id))));
        fields.extend([
            (2, bytes(self.base.public_key().to_bytes())),
            (3, bytes(self.sender.to_bytes())),
            (4, Value::Bytes(message)),
            (5, number(7)),
            (6, number(self.signed_pre_key_id)),
        ]);
        [&[0x34], build(&fields).as_slice()].concat()
    }

    /// The keys of one message.
    pub fn keys(&self, counter: u32) -> Keys {
        let seed = hmac(&walk(self.chain_key, counter), &[&[1]]);
        let okm: [u8; 80] = hkdf(&[0; 32], &seed, b"WhisperMessageKeys");
        Keys {
            cipher: okm[..32].try_into().unwrap(),
            mac: okm[32..64].try_into().unwrap(),
            iv: okm[64..].try_into().unwrap(),
        }
    }
}

/// A chain key some messages later.
pub fn walk(mut chain_key: [u8; 32], steps: u32) -> [u8; 32] {
    for _ in 0..steps {
        chain_key = hmac(&chain_key, &[&[2]]);
    }
    chain_key
}

/// The keys of one message.
pub struct Keys {
    cipher: [u8; 32],
    mac: [u8; 32],
    iv: [u8; 16],
}

impl Keys {
    /// AES-256-CBC over whole blocks, no padding added.
    pub fn encrypt(&self, padded: &[u8]) -> Vec<u8> {
        let mut out = vec![0; padded.len()];
        cbc::Encryptor::<aes::Aes256>::new((&self.cipher).into(), (&self.iv).into())
            .encrypt_padded_b2b::<NoPadding>(padded, &mut out)
            .unwrap();
        out
    }
}

fn hkdf<const N: usize>(salt: &[u8], ikm: &[u8], info: &[u8]) -> [u8; N] {
    let mut okm = [0; N];
    Hkdf::<Sha256>::new(Some(salt), ikm)
        .expand(info, &mut okm)
        .unwrap();
    okm
}

fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}
