//! Opening a sealed message of either version, and parsing what may be inside one.
#![no_main]

use std::sync::LazyLock;

use hushpost_protocol::sealed_sender::{self, UnidentifiedSenderMessageContent};
use hushpost_protocol::{IdentityKeyPair, PrivateKey};
use libfuzzer_sys::fuzz_target;

static BOB: LazyLock<IdentityKeyPair> =
    LazyLock::new(|| IdentityKeyPair::from_private(PrivateKey::from_bytes([7; 32])));

fuzz_target!(|bytes: &[u8]| {
    let _ = sealed_sender::open(bytes, &BOB);
    if let Ok(content) = UnidentifiedSenderMessageContent::from_bytes(bytes) {
        assert_eq!(content.as_bytes(), bytes);
    }
});
