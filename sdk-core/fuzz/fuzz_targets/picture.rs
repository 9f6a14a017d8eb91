//! A picture, before it is made anew; a peer's thumbnail.
#![no_main]

use hushpost::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzzing::picture(bytes));
