//! The two-party model of `tests/chaos/`, driven by the fuzzer.
#![no_main]

#[path = "../../tests/chaos/mod.rs"]
mod chaos;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    chaos::run(bytes);
});
