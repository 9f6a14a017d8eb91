//! Device lists: whatever is signed, with a right signature and with a wrong one.
#![no_main]

use bytes::Bytes;
use hushpost_wire::{AccountId, SignedDeviceList, VerifiedDeviceList, frame};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(signed) = frame::decode::<SignedDeviceList>(Bytes::copy_from_slice(bytes)) else {
        return;
    };
    // Nobody can sign by chance, so what verifies came from the seed and must be in range.
    if let Ok(list) = VerifiedDeviceList::verify(&signed) {
        assert!(list.version() > 0 && !list.devices().is_empty());
        assert!(AccountId::from_slice(list.account().as_bytes()).is_ok());
    }
});
