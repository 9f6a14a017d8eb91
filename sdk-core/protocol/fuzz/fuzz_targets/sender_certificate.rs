//! Parsing and verifying certificates of both kinds.
#![no_main]

use std::sync::LazyLock;

use hushpost_protocol::sealed_sender::{SenderCertificate, ServerCertificate};
use hushpost_protocol::{PrivateKey, PublicKey, Timestamp};
use libfuzzer_sys::fuzz_target;

static TRUST_ROOT: LazyLock<PublicKey> =
    LazyLock::new(|| PrivateKey::from_bytes([7; 32]).public_key());

fuzz_target!(|bytes: &[u8]| {
    let server = ServerCertificate::from_bytes(bytes);
    if let Ok(server) = &server {
        assert_eq!(server.as_bytes(), bytes);
    }
    if let Ok(sender) = SenderCertificate::from_bytes(bytes) {
        assert_eq!(sender.as_bytes(), bytes);
        let known = Vec::from_iter(server);
        assert!(sender.verify(&TRUST_ROOT, &known, Timestamp(0)).is_err());
    }
});
