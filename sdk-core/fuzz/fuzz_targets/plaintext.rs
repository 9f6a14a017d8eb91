//! What a peer says.
#![no_main]

use hushpost::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzzing::plaintext(bytes));
