//! Answers: a JSON object with the results, or an error code with a detail.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hushpost_protocol::Error;
use serde_json::{Value, json};

/// What an operation comes to.
pub type Outcome<T> = Result<T, Failure>;

/// Why a request was refused.
#[derive(Debug)]
pub struct Failure {
    code: &'static str,
    detail: String,
}

impl Failure {
    /// The request itself is at fault.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self {
            code: "bad_request",
            detail: detail.into(),
        }
    }

    /// There is no such operation.
    pub fn unknown_op(op: &str) -> Self {
        Self {
            code: "unknown_op",
            detail: op.chars().take(100).collect(),
        }
    }

    /// The answer's `error` object.
    pub fn to_json(&self) -> Value {
        json!({ "code": self.code, "detail": self.detail })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error {
            // What the caller asked for cannot be; the protocol has no finer name for it.
            Error::OutOfRange(_) | Error::InvalidState | Error::FingerprintVersionMismatch => {
                "bad_request"
            }
            error => error.code(),
        };
        Self {
            code,
            detail: error.to_string(),
        }
    }
}

/// Standard base64.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
