//! What a registration token may say about itself: its algorithm and the name of its key.
//!
//! Read before any key is looked at and before the signature is checked, so all of it is a stranger's
//! word. Parsed as plain JSON: whatever form a header has, its presence is seen.

use serde_json::Value;

use super::key::SigningAlgorithm;
use super::{RejectReason, object};

/// Headers that bring a key, point to one, or ask for an extension. We follow none, and a backend that
/// sends one expects a check we would not make.
const REFUSED: [&str; 5] = ["jwk", "jku", "x5u", "x5c", "crit"];

/// Checks a token's first part. Answers with the key's id, if the token names one.
pub(super) fn check(
    part: &str,
    algorithm: SigningAlgorithm,
) -> Result<Option<String>, RejectReason> {
    let mut header = object::read(part)?;
    if header.get("alg").and_then(Value::as_str) != Some(algorithm.name()) {
        return Err(RejectReason::Algorithm);
    }
    if let Some(refused) = REFUSED.into_iter().find(|name| header.contains_key(*name)) {
        return Err(RejectReason::Header(refused));
    }
    match header.remove("kid") {
        None => Ok(None),
        Some(Value::String(key_id)) => Ok(Some(key_id)),
        Some(_) => Err(RejectReason::KeyId),
    }
}
