//! Comparing a scanned safety number.
#![no_main]

use std::sync::LazyLock;

use hushpost_protocol::{PrivateKey, SafetyNumber, SafetyNumberParty};
use libfuzzer_sys::fuzz_target;

static NUMBER: LazyLock<SafetyNumber> = LazyLock::new(|| {
    let [alice, bob] = [1, 2].map(|byte| PrivateKey::from_bytes([byte; 32]).public_key());
    let party = |identity_key| SafetyNumberParty {
        id: b"id",
        identity_key,
    };
    SafetyNumber::new(1, 2, party(&alice), party(&bob)).unwrap()
});

fuzz_target!(|bytes: &[u8]| {
    // A match holds both halves, which no fuzzer guesses.
    assert_ne!(NUMBER.matches_scanned(bytes), Ok(true));
});
