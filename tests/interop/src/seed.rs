//! Where all chance in a scenario comes from, so that a failure can be played again.
//!
//! Must never: take randomness from anywhere else. The peers make their own keys: a replay repeats what
//! this side chose, not their keys.

use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;

/// The variable that overrides the seed.
pub const VARIABLE: &str = "HUSHPOST_SEED";

/// The seed of this run: fixed, so that two runs are alike, unless the environment has another.
#[must_use]
pub fn of_this_run() -> u64 {
    match std::env::var(VARIABLE) {
        Ok(seed) => seed
            .trim()
            .parse()
            .unwrap_or_else(|_| panic!("{VARIABLE} must be a whole number, not {seed:?}")),
        Err(_) => 1,
    }
}

/// The generator of one scenario: its own, so that it does not depend on which others are played.
#[must_use]
pub fn generator(seed: u64, scenario: &str) -> ChaCha20Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    for (place, byte) in scenario.bytes().enumerate() {
        let slot = &mut key[8 + place % 24];
        *slot = slot.rotate_left(1) ^ byte;
    }
    ChaCha20Rng::from_seed(key)
}
