//! Parsing what travels in the clear: plaintext contents and decryption errors.
#![no_main]

use hushpost_protocol::{DecryptionErrorMessage, PlaintextContent};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(content) = PlaintextContent::from_bytes(bytes) {
        assert_eq!(
            PlaintextContent::from_bytes(&content.to_bytes()),
            Ok(content)
        );
    }
    if let Ok(report) = DecryptionErrorMessage::from_bytes(bytes) {
        assert_eq!(
            DecryptionErrorMessage::from_bytes(&report.to_bytes()),
            Ok(report)
        );
    }
});
