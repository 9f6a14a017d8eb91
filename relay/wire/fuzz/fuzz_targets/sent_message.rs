//! Taking a multi-recipient message apart, as a relay does.
#![no_main]

use hushpost_wire::sent_message::SentMessage;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = SentMessage::parse(bytes) else {
        return;
    };
    let shortest = 17;
    assert!(message.recipients().len() * shortest <= bytes.len());
    for recipient in message.recipients() {
        let received = message.received_form(recipient);
        assert_eq!(received.is_none(), recipient.devices.is_empty());
        assert!(received.is_none_or(|received| received.len() <= bytes.len()));
    }
});
