//! A part of a token that is a JSON object: base64url without padding, each name once.
//!
//! Of a name that comes twice, parsers pick the first or the last as they please (RFC 7519 §4), and a
//! backend that pastes its claims together could be made to write a second `sub`. So it is a refusal.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::RejectReason;

/// Reads a part. The token's length bounds it.
pub(super) fn read(part: &str) -> Result<Map<String, Value>, RejectReason> {
    let json = URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| RejectReason::Malformed)?;
    let Unique(object) = serde_json::from_slice(&json).map_err(|_| RejectReason::Malformed)?;
    Ok(object)
}

struct Unique(Map<String, Value>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Unique;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Unique, A::Error> {
                let mut object = Map::new();
                while let Some((name, value)) = entries.next_entry::<String, Value>()? {
                    if object.insert(name, value).is_some() {
                        return Err(A::Error::custom("a name comes twice"));
                    }
                }
                Ok(Unique(object))
            }
        }
        deserializer.deserialize_map(Names)
    }
}
