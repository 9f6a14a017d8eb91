//! Parsing a sender key distribution message, and taking it in.
#![no_main]

use hushpost_protocol::{InboundSenderKey, SenderKeyDistributionMessage};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = SenderKeyDistributionMessage::from_bytes(bytes) else {
        return;
    };
    let again = SenderKeyDistributionMessage::from_bytes(&message.to_bytes()).unwrap();
    assert_eq!(again.to_bytes(), message.to_bytes());
    let mut key = InboundSenderKey::new(message.distribution_id());
    key.process(&message).unwrap();
    key.process(&again).unwrap();
    assert_eq!(key.chain_count(), 1);
});
