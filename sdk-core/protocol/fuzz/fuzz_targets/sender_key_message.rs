//! Parsing a group message.
#![no_main]

use hushpost_protocol::SenderKeyMessage;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = SenderKeyMessage::from_bytes(bytes) {
        assert_eq!(message.as_bytes(), bytes);
    }
});
