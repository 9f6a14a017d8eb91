//! What a client sends: decoding never panics, and what decodes survives a round trip.
#![no_main]

use bytes::Bytes;
use hushpost_wire::{ClientFrame, frame};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(first) = frame::decode::<ClientFrame>(Bytes::copy_from_slice(bytes)) else {
        return;
    };
    let again: ClientFrame =
        frame::decode(frame::encode(&first)).expect("an encoded frame decodes");
    assert!(first == again);
});
