//! Parsing a message of an established session.
#![no_main]

use hushpost_protocol::{DecryptionErrorMessage, DeviceId, MessageType, SignalMessage, Timestamp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = SignalMessage::from_bytes(bytes) else {
        return;
    };
    assert_eq!(message.as_bytes(), bytes);
    let (kind, now) = (MessageType::Signal, Timestamp(1));
    let report = DecryptionErrorMessage::for_original(kind, bytes, now, DeviceId::PRIMARY);
    assert_eq!(report.unwrap().ratchet_key(), Some(message.ratchet_key()));
});
