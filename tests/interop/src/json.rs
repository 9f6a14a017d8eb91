//! Bytes inside JSON: standard base64, as the conformance protocol has it.
//!
//! Must never: forgive an answer that lacks what it promised.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Bytes as the text that goes into a request.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes in a field of an answer.
#[must_use]
pub fn bytes(answer: &Value, field: &str) -> Vec<u8> {
    decode(string(answer, field)).unwrap_or_else(|| panic!("`{field}` is not base64 in {answer}"))
}

/// The bytes that a text stands for, if it stands for any.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// The text in a field of an answer.
#[must_use]
pub fn string<'a>(answer: &'a Value, field: &str) -> &'a str {
    answer[field]
        .as_str()
        .unwrap_or_else(|| panic!("`{field}` is not text in {answer}"))
}

/// The number in a field of an answer.
#[must_use]
pub fn number(answer: &Value, field: &str) -> u64 {
    answer[field]
        .as_u64()
        .unwrap_or_else(|| panic!("`{field}` is not a number in {answer}"))
}
