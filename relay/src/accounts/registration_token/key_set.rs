//! A JWK set (RFC 7517), of which only the keys that fit the pinned algorithm exist.

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use super::key::{self, SigningAlgorithm};

/// Keys in a set, fitting or not.
const MAX_KEYS: usize = 64;

/// The document is not a JWK set, or a set of too many keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a JWK set of at most {MAX_KEYS} keys")]
pub(super) struct NotAKeySet;

/// The fitting keys and their ids.
pub(super) struct KeySet(Vec<(Option<String>, DecodingKey)>);

impl KeySet {
    /// Reads a set. Keys that do not fit are passed over: a backend may use others for other things.
    pub(super) fn parse(document: &[u8], algorithm: SigningAlgorithm) -> Result<Self, NotAKeySet> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let Document { keys } = serde_json::from_slice(document).map_err(|_| NotAKeySet)?;
        if keys.len() > MAX_KEYS {
            return Err(NotAKeySet);
        }
        let fitting = keys.into_iter().filter_map(|key| {
            let key: Jwk = serde_json::from_value(key).ok()?;
            if !is_for(&key, algorithm) {
                return None;
            }
            let decoding = DecodingKey::from_jwk(&key).ok()?;
            Some((key.common.key_id, decoding))
        });
        Ok(Self(fitting.collect()))
    }

    /// How many keys fit.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The key of that id. A token that names none means the only key; among several we do not guess.
    pub(super) fn find(&self, key_id: Option<&str>) -> Option<&DecodingKey> {
        match (key_id, self.0.as_slice()) {
            (None, [(_, only)]) => Some(only),
            (None, _) => None,
            (Some(wanted), keys) => keys
                .iter()
                .find(|(key_id, _)| key_id.as_deref() == Some(wanted))
                .map(|(_, key)| key),
        }
    }
}

/// Whether the key says, as far as it says anything, that it checks signatures of this algorithm.
fn is_for(key: &Jwk, algorithm: SigningAlgorithm) -> bool {
    let common = &key.common;
    let use_fits = common
        .public_key_use
        .as_ref()
        .is_none_or(|intended| *intended == PublicKeyUse::Signature);
    let operations_fit = common
        .key_operations
        .as_ref()
        .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    let algorithm_fits = common
        .key_algorithm
        .is_none_or(|named| named == KeyAlgorithm::from(jsonwebtoken::Algorithm::from(algorithm)));
    use_fits && operations_fit && algorithm_fits && key::fits(&key.algorithm, algorithm)
}
