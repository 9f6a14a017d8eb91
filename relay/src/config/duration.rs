//! Durations as people write them: `"30s"`, `"10m"`, `"30d"`. For `#[serde(with = "duration")]`.
//!
//! A bare number is refused: nobody remembers whether it would be seconds or milliseconds.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&humantime::format_duration(*value))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    from.deserialize_str(Written)
}

struct Written;

impl Visitor<'_> for Written {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a duration such as "30s", "10m", "24h" or "30d""#)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        humantime::parse_duration(text)
            .map_err(|error| E::custom(format_args!("{text:?} is not a duration: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer;
    use serde::de::value::Error;

    use super::*;

    fn read(text: &str) -> Result<Duration, Error> {
        deserialize(IntoDeserializer::<Error>::into_deserializer(text))
    }

    #[test]
    fn every_unit_is_read() {
        assert_eq!(read("150ms"), Ok(Duration::from_millis(150)));
        assert_eq!(read("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(read("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(read("30d"), Ok(Duration::from_secs(30 * 24 * 3600)));
    }

    #[test]
    fn what_has_no_unit_or_does_not_fit_is_refused() {
        for text in ["", "30", "s", "-1s", "99999999999999999999d", "10 parsecs"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(deserialize(IntoDeserializer::<Error>::into_deserializer(30_u64)).is_err());
    }
}
