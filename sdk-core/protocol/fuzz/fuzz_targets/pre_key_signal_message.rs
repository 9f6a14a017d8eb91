//! Parsing a first message.
#![no_main]

use hushpost_protocol::{PreKeySignalMessage, ProtocolVersion};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = PreKeySignalMessage::from_bytes(bytes) else {
        return;
    };
    assert_eq!(message.as_bytes(), bytes);
    assert_eq!(message.version(), message.message().version());
    let post_quantum = message.version() == ProtocolVersion::V4;
    assert_eq!(message.kem_pre_key_id().is_some(), post_quantum);
});
