//! A blob from the relay, and the length that its message announced.
#![no_main]

use hushpost::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, &[u8])| fuzzing::sealed(input.0, input.1));
