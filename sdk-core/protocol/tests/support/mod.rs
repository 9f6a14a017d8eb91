//! What the integration tests share: the recorded vectors, and generators both sound and broken.
#![allow(dead_code, missing_docs, reason = "no test uses all of it")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests may fail loudly"
)]

use core::convert::Infallible;
use std::collections::VecDeque;

use hushpost_protocol::{
    DeviceId, IdentityKeyPair, KemKeyPair, KemKind, KemPreKey, KemPreKeyBundle, KemPreKeyId,
    KemPublicKey, KemSecretKey, KeyPair, LocalParty, OneTimePreKey, OneTimePreKeyBundle,
    OneTimePreKeyId, PreKeyBundle, PreKeySecrets, PrivateKey, PublicKey, RegistrationId,
    ReplayGuard, SignedPreKey, SignedPreKeyBundle, SignedPreKeyId, Timestamp,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{SeedableRng, TryCryptoRng, TryRng};
use serde_json::Value;

/// Reads a file of `tests/fixtures`.
pub fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).expect("fixtures are JSON")
}

pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    let found = value.get(field).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("{field} is missing or not text"))
}

pub fn bytes(value: &Value, field: &str) -> Vec<u8> {
    hex::decode(text(value, field)).unwrap_or_else(|error| panic!("{field}: {error}"))
}

pub fn array<const N: usize>(value: &Value, field: &str) -> [u8; N] {
    bytes(value, field)
        .try_into()
        .expect("the length is the type's")
}

pub fn number(value: &Value, field: &str) -> u32 {
    let found = value.get(field).and_then(Value::as_u64);
    let found = found.unwrap_or_else(|| panic!("{field} is missing or not a number"));
    found.try_into().expect("32 bits")
}

pub fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    let found = value.get(field).and_then(Value::as_array);
    found.unwrap_or_else(|| panic!("{field} is missing or not a list"))
}

pub fn private_key(value: &Value, field: &str) -> PrivateKey {
    PrivateKey::from_bytes(array(value, field))
}

pub fn public_key(value: &Value, field: &str) -> PublicKey {
    PublicKey::from_bytes(&bytes(value, field)).expect("a public key")
}

/// A recorded party's identity.
pub fn identity(party: &Value) -> IdentityKeyPair {
    let identity = IdentityKeyPair::from_private(private_key(party, "identity_private"));
    assert_eq!(*identity.public_key(), public_key(party, "identity_public"));
    identity
}

/// A recorded party's pre-keys.
pub struct PreKeys {
    pub signed: SignedPreKey,
    pub one_time: Option<OneTimePreKey>,
    pub kem: Option<KemPreKey>,
}

impl PreKeys {
    pub fn of(party: &Value) -> Self {
        let pair = |name: &str| {
            let keys = KeyPair::from_private(private_key(party, &format!("{name}_private")));
            assert_eq!(
                *keys.public_key(),
                public_key(party, &format!("{name}_public"))
            );
            keys
        };
        Self {
            signed: SignedPreKey {
                id: SignedPreKeyId(number(party, "signed_pre_key_id")),
                keys: pair("signed_pre_key"),
                signature: array(party, "signed_pre_key_signature"),
                created: Timestamp(0),
            },
            one_time: party.get("pre_key_id").map(|_| OneTimePreKey {
                id: OneTimePreKeyId(number(party, "pre_key_id")),
                keys: pair("pre_key"),
            }),
            kem: party.get("kyber_pre_key_id").map(|_| KemPreKey {
                id: KemPreKeyId(number(party, "kyber_pre_key_id")),
                keys: KemKeyPair {
                    public: KemPublicKey::from_bytes(&bytes(party, "kyber_pre_key_public"))
                        .expect("a Kyber key"),
                    secret: KemSecretKey::from_bytes(&bytes(party, "kyber_pre_key_secret"))
                        .expect("a Kyber key"),
                },
                signature: array(party, "kyber_pre_key_signature"),
                created: Timestamp(0),
                last_resort: true,
            }),
        }
    }
}

/// A sound generator that gives every run of a test the same bytes.
pub fn seeded(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

macro_rules! generator {
    ($name:ty, $error:ty, |$this:ident, $out:ident| $fill:expr) => {
        impl TryRng for $name {
            type Error = $error;
            fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
                rand_core::utils::next_word_via_fill(self)
            }
            fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
                rand_core::utils::next_word_via_fill(self)
            }
            fn try_fill_bytes(&mut self, $out: &mut [u8]) -> Result<(), Self::Error> {
                let $this = self;
                $fill
            }
        }
        impl TryCryptoRng for $name {}
    };
}

/// Hands out draws given beforehand, each asked for with its own length.
pub struct Scripted(pub VecDeque<Vec<u8>>);

generator!(Scripted, Infallible, |this, out| {
    out.copy_from_slice(
        &this
            .0
            .pop_front()
            .expect("no draw more than the script has"),
    );
    Ok(())
});

/// How a generator goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Reports an error.
    Failing,
    /// Returns one byte for ever.
    Constant(u8),
    /// Starts over at every call: no single draw looks wrong.
    Repeating,
}

/// A generator that goes wrong after some sound draws.
pub struct Broken {
    fault: Fault,
    sound_draws: usize,
    source: ChaCha20Rng,
}

impl Broken {
    pub fn new(fault: Fault) -> Self {
        Self::after(0, fault)
    }

    pub fn after(sound_draws: usize, fault: Fault) -> Self {
        let source = seeded(0x0bad);
        Self {
            fault,
            sound_draws,
            source,
        }
    }
}

generator!(Broken, std::io::Error, |this, out| {
    if let Some(left) = this.sound_draws.checked_sub(1) {
        this.sound_draws = left;
        let Ok(()) = this.source.try_fill_bytes(out);
        return Ok(());
    }
    match this.fault {
        Fault::Failing => Err(std::io::Error::other("no entropy")),
        Fault::Constant(byte) => {
            out.fill(byte);
            Ok(())
        }
        Fault::Repeating => {
            let Ok(()) = seeded(7).try_fill_bytes(out);
            Ok(())
        }
    }
});

/// A device of our own making: identity and pre-keys.
pub struct Device {
    pub identity: IdentityKeyPair,
    pub registration_id: RegistrationId,
    pub pre_keys: PreKeys,
}

impl Device {
    pub fn generate(rng: &mut impl TryCryptoRng) -> Self {
        let identity = IdentityKeyPair::generate(rng).expect("a sound generator");
        let now = Timestamp(0);
        let pre_keys = PreKeys {
            signed: SignedPreKey::generate(SignedPreKeyId(1), &identity, now, rng)
                .expect("a sound generator"),
            one_time: Some(
                OneTimePreKey::generate(OneTimePreKeyId(2), rng).expect("a sound generator"),
            ),
            kem: Some(
                KemPreKey::generate(
                    KemPreKeyId(3),
                    KemKind::Kyber1024,
                    true,
                    &identity,
                    now,
                    rng,
                )
                .expect("a sound generator"),
            ),
        };
        Self {
            identity,
            registration_id: RegistrationId(77),
            pre_keys,
        }
    }

    pub fn local(&self) -> LocalParty<'_> {
        LocalParty {
            identity: &self.identity,
            registration_id: self.registration_id,
        }
    }

    pub fn bundle(&self) -> PreKeyBundle {
        PreKeyBundle {
            registration_id: self.registration_id,
            device_id: DeviceId::PRIMARY,
            identity_key: *self.identity.public_key(),
            signed_pre_key: SignedPreKeyBundle::from(&self.pre_keys.signed),
            one_time_pre_key: self
                .pre_keys
                .one_time
                .as_ref()
                .map(OneTimePreKeyBundle::from),
            kem_pre_key: self.pre_keys.kem.as_ref().map(KemPreKeyBundle::from),
        }
    }

    pub fn secrets<'a>(&'a self, replay_guard: &'a mut ReplayGuard) -> PreKeySecrets<'a> {
        PreKeySecrets {
            signed_pre_key: Some(&self.pre_keys.signed),
            one_time_pre_key: self.pre_keys.one_time.as_ref(),
            kem_pre_key: self.pre_keys.kem.as_ref(),
            replay_guard,
        }
    }
}

/// A length-delimited field of a protobuf message, the first of its number.
pub fn field(mut message: &[u8], number: u64) -> Option<&[u8]> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (byte, rest) = bytes.split_first().expect("a whole varint");
            *bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        value
    }
    while !message.is_empty() {
        let tag = varint(&mut message);
        match tag & 7 {
            0 => {
                varint(&mut message);
            }
            2 => {
                let length = usize::try_from(varint(&mut message)).expect("a length");
                let (value, rest) = message.split_at(length);
                message = rest;
                if tag >> 3 == number {
                    return Some(value);
                }
            }
            other => panic!("wire type {other}"),
        }
    }
    None
}

/// `haystack` with every occurrence of `old` replaced by `new`, of the same length; at least one.
pub fn spliced(haystack: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    assert_eq!(old.len(), new.len());
    let mut result = haystack.to_vec();
    let mut found = 0_usize;
    for start in 0..=haystack.len().saturating_sub(old.len()) {
        let Some(window) = result
            .get_mut(start..)
            .and_then(|rest| rest.get_mut(..old.len()))
        else {
            continue;
        };
        if window == old {
            window.copy_from_slice(new);
            found = found.saturating_add(1);
        }
    }
    assert_ne!(found, 0, "the bytes to replace are there");
    result
}
