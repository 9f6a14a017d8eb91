//! What a relay sends: decoding never panics, and what decodes survives a round trip.
#![no_main]

use bytes::Bytes;
use hushpost_wire::{ServerFrame, frame};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(first) = frame::decode::<ServerFrame>(Bytes::copy_from_slice(bytes)) else {
        return;
    };
    let again: ServerFrame =
        frame::decode(frame::encode(&first)).expect("an encoded frame decodes");
    assert!(first == again);
});
