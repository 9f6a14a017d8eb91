//! Damages bytes: flips a bit, cuts the end off, adds to the end.
//!
//! Must never: return what it was given.

use std::fmt;

use rand::RngExt as _;
use rand_chacha::ChaCha20Rng;

/// Bytes that are no longer what they were.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// The damaged bytes.
    pub bytes: Vec<u8>,
    /// What was done to them.
    pub damage: Damage,
}

/// What was done to some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// A bit of the byte at this place.
    Flipped(usize),
    /// Everything from this place on is gone.
    CutAt(usize),
    /// As many random bytes follow.
    Extended(usize),
}

/// One bit of one byte, anywhere.
pub fn flip(bytes: &[u8], rng: &mut ChaCha20Rng) -> Mutant {
    let place = rng.random_range(0..bytes.len());
    flip_at(bytes, place, rng)
}

/// One bit of the byte at a place.
pub fn flip_at(bytes: &[u8], place: usize, rng: &mut ChaCha20Rng) -> Mutant {
    let mut bytes = bytes.to_vec();
    bytes[place] ^= 1 << rng.random_range(0..8);
    Mutant {
        bytes,
        damage: Damage::Flipped(place),
    }
}

/// The end gone, or everything.
pub fn cut(bytes: &[u8], rng: &mut ChaCha20Rng) -> Mutant {
    let place = rng.random_range(0..bytes.len());
    Mutant {
        bytes: bytes[..place].to_vec(),
        damage: Damage::CutAt(place),
    }
}

/// Some random bytes more.
pub fn extend(bytes: &[u8], rng: &mut ChaCha20Rng) -> Mutant {
    let more = rng.random_range(1..=40);
    let mut bytes = bytes.to_vec();
    bytes.extend((0..more).map(|_| rng.random::<u8>()));
    Mutant {
        bytes,
        damage: Damage::Extended(more),
    }
}

/// Any of the three, bit flips most often.
pub fn damage(bytes: &[u8], rng: &mut ChaCha20Rng) -> Mutant {
    match rng.random_range(0..10) {
        0 | 1 => cut(bytes, rng),
        2 => extend(bytes, rng),
        _ => flip(bytes, rng),
    }
}

/// A flip in every byte, many cuts and some additions. What lies behind the first bytes of a long
/// message is one large field, and is only sampled.
pub fn thoroughly(bytes: &[u8], rng: &mut ChaCha20Rng) -> Vec<Mutant> {
    const EVERY_BYTE: usize = 300;
    const SAMPLED: usize = 100;
    let dense = bytes.len().min(EVERY_BYTE);
    let mut mutants: Vec<Mutant> = (0..dense).map(|place| flip_at(bytes, place, rng)).collect();
    if dense < bytes.len() {
        mutants.extend((0..SAMPLED).map(|_| {
            let place = rng.random_range(dense..bytes.len());
            flip_at(bytes, place, rng)
        }));
    }
    mutants.extend((0..60).map(|_| cut(bytes, rng)));
    mutants.extend((0..20).map(|_| extend(bytes, rng)));
    mutants
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flipped(place) => write!(f, "a bit flipped at byte {place}"),
            Self::CutAt(place) => write!(f, "cut at byte {place}"),
            Self::Extended(more) => write!(f, "{more} bytes added"),
        }
    }
}
