//! What people write and search for.
#![no_main]

use hushpost::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|texts: (&str, &str)| fuzzing::search(texts.0, texts.1));
