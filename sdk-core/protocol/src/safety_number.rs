//! Safety numbers: what two people compare to know that nobody stands between them.
//!
//! Each side's half is an iterated hash of its identifier and identity key, so that finding a key
//! with the same digits costs thousands of hashes a try. The halves are the same seen from both ends,
//! and in the displayed form they stand in the same order.
//!
//! ```
//! use getrandom::SysRng;
//! use hushpost_protocol::*;
//!
//! # fn main() -> Result<()> {
//! let alice_key = *IdentityKeyPair::generate(&mut SysRng)?.public_key();
//! let bob_key = *IdentityKeyPair::generate(&mut SysRng)?.public_key();
//! let alice = SafetyNumberParty { id: b"alice's account", identity_key: &alice_key };
//! let bob = SafetyNumberParty { id: b"bob's account", identity_key: &bob_key };
//!
//! let on_alices_phone = SafetyNumber::new(1, SAFETY_NUMBER_ITERATIONS, alice, bob)?;
//! let on_bobs_phone = SafetyNumber::new(1, SAFETY_NUMBER_ITERATIONS, bob, alice)?;
//! assert_eq!(on_alices_phone.display(), on_bobs_phone.display());
//! assert!(on_alices_phone.matches_scanned(&on_bobs_phone.scannable())?);
//! # Ok(())
//! # }
//! ```

use sha2::block_api::compress512;
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;

use crate::curve::{PUBLIC_KEY_LEN, PublicKey};
use crate::error::{Error, Result};
use crate::proto;

/// The number of hashes the deployed applications use.
pub const SAFETY_NUMBER_ITERATIONS: u32 = 5_200;

const MIN_ITERATIONS: u32 = 2;
const MAX_ITERATIONS: u32 = 1_000_000;

/// FIPS 180-4 §5.3.5.
const INITIAL: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

const HASH_LEN: usize = 64;
/// Length in bits of every hash's input but the first one's.
const INPUT_BITS: u128 = 8 * (HASH_LEN + PUBLIC_KEY_LEN) as u128;
const SCANNABLE_HALF_LEN: usize = 32;
const DISPLAYED_GROUPS: usize = 6;

/// One party's contribution: who it is, by an identifier both sides agree on, and its key.
#[derive(Debug, Clone, Copy)]
pub struct SafetyNumberParty<'a> {
    /// An identifier, such as the bytes of an account id.
    pub id: &'a [u8],
    /// The identity key.
    pub identity_key: &'a PublicKey,
}

/// A safety number between this device's user and another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafetyNumber {
    version: u32,
    local: [u8; HASH_LEN],
    remote: [u8; HASH_LEN],
}

impl SafetyNumber {
    /// Computes both halves. `version` is the application's, and says what its identifiers are.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless `iterations` is within 2..=1,000,000.
    pub fn new(
        version: u32,
        iterations: u32,
        local: SafetyNumberParty<'_>,
        remote: SafetyNumberParty<'_>,
    ) -> Result<Self> {
        if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&iterations) {
            return Err(Error::OutOfRange("number of iterations"));
        }
        Ok(Self {
            version,
            local: iterated_hash(local, iterations),
            remote: iterated_hash(remote, iterations),
        })
    }

    /// The 60 digits to read out: both halves, the smaller first, so both sides see the same.
    #[must_use]
    pub fn display(&self) -> String {
        let (mut first, second) = (digits(&self.local), digits(&self.remote));
        if first <= second {
            first.push_str(&second);
            return first;
        }
        second + &first
    }

    /// The bytes for a QR code.
    #[must_use]
    pub fn scannable(&self) -> Vec<u8> {
        let half = |hash: &[u8; HASH_LEN]| proto::FingerprintHalf {
            hash: hash
                .first_chunk::<SCANNABLE_HALF_LEN>()
                .map(|half| half.to_vec()),
        };
        let mut bytes = Vec::new();
        proto::append(
            &mut bytes,
            &proto::ScannableFingerprint {
                version: Some(self.version),
                local: Some(half(&self.local)),
                remote: Some(half(&self.remote)),
            },
        );
        bytes
    }

    /// Whether a code scanned from the other's screen matches: their own half is our remote one and
    /// the reverse. Constant-time.
    ///
    /// # Errors
    /// [`Error::FingerprintVersionMismatch`] if the other's application uses another version,
    /// [`Error::InvalidMessage`] if it is no such code.
    pub fn matches_scanned(&self, scanned: &[u8]) -> Result<bool> {
        let scanned: proto::ScannableFingerprint = proto::decode(scanned)?;
        let half = |half: Option<proto::FingerprintHalf>| -> Result<[u8; SCANNABLE_HALF_LEN]> {
            half.and_then(|half| half.hash)
                .and_then(|hash| hash.try_into().ok())
                .ok_or(Error::InvalidMessage)
        };
        if scanned.version != Some(self.version) {
            return Err(Error::FingerprintVersionMismatch);
        }
        let theirs = half(scanned.local)?;
        let ours = half(scanned.remote)?;
        let remote: &[u8; SCANNABLE_HALF_LEN] =
            self.remote.first_chunk().ok_or(Error::InvalidMessage)?;
        let local: &[u8; SCANNABLE_HALF_LEN] =
            self.local.first_chunk().ok_or(Error::InvalidMessage)?;
        Ok((remote.ct_eq(&theirs) & local.ct_eq(&ours)).into())
    }
}

/// `h₀ = SHA-512(00 00 ‖ key ‖ id ‖ key)`, `hᵢ = SHA-512(hᵢ₋₁ ‖ key)`: `iterations` hashes in all.
///
/// Every hash but the first is over the same 97-byte layout, one block with its padding, so the block
/// is laid out once and only the digest in it changes.
fn iterated_hash(party: SafetyNumberParty<'_>, iterations: u32) -> [u8; HASH_LEN] {
    let key = party.identity_key.to_bytes();
    let mut hash: [u8; HASH_LEN] = Sha512::new()
        .chain_update([0, 0])
        .chain_update(key)
        .chain_update(party.id)
        .chain_update(key)
        .finalize()
        .into();

    let mut block = [0u8; 128];
    let (digest, rest) = block.split_at_mut(HASH_LEN);
    let (after_digest, length) = rest.split_at_mut(48);
    let tail = key.iter().chain(&[0x80]);
    for (slot, byte) in after_digest.iter_mut().zip(tail) {
        *slot = *byte;
    }
    length.copy_from_slice(&INPUT_BITS.to_be_bytes());
    digest.copy_from_slice(&hash);

    for _ in 1..iterations {
        let mut state = INITIAL;
        compress512(&mut state, core::slice::from_ref(&block));
        for (chunk, word) in block.chunks_exact_mut(8).zip(state) {
            chunk.copy_from_slice(&word.to_be_bytes());
        }
    }
    if let Some(digest) = block.first_chunk() {
        hash = *digest;
    }
    hash
}

/// Six groups of five digits: each 5 bytes, big-endian, mod 100,000.
fn digits(hash: &[u8; HASH_LEN]) -> String {
    let mut text = String::with_capacity(2 * DISPLAYED_GROUPS * 5);
    for group in hash.chunks_exact(5).take(DISPLAYED_GROUPS) {
        let number = group
            .iter()
            .fold(0u64, |number, &byte| (number << 8) | u64::from(byte));
        let group = format!("{:05}", number % 100_000);
        text.push_str(&group);
    }
    text
}
