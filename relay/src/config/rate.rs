//! `[limits.rate]`: how much of everything one account, address, pair or connection may ask for. What a
//! limiter does with these numbers stands in the limiter; here they are only named.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a limiter lets through.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RateLimit {
    /// Everything; written `"off"`.
    Off,
    /// What the rate allows; written `{ burst = 60, per_minute = 10, when_full = "closed" }`.
    On(Rate),
}

/// A token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many may come at once, from a key that was quiet for long. At least 1.
    pub burst: u32,
    /// How many come back a minute; 0.1 is one in ten minutes. Above 0.
    pub per_minute: f64,
    /// What a key gets that the limiter has no room to remember.
    pub when_full: WhenFull,
}

/// What a key gets when the limiter remembers [`tracked_keys`](super::Limits::tracked_keys) already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenFull {
    /// It is let through: an attacker with many addresses must not silence everybody else.
    Open,
    /// It is refused: what is guarded is worth more than being answered.
    Closed,
}

/// One limiter each. The unit is one request unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    /// Messages that an account sends.
    pub messages_per_account: RateLimit,
    /// Messages from one network address, over anonymous connections too.
    pub messages_per_address: RateLimit,
    /// Messages from one account to another.
    pub messages_per_pair: RateLimit,
    /// KiB that everybody with the delivery token writes to one device's queue, and as much without.
    pub bytes_per_queue: RateLimit,
    /// Pre-key bundles of one account that another one fetches.
    pub bundles_per_pair: RateLimit,
    /// Pre-key bundles of one account that everybody together fetches: each takes a one-time key.
    pub bundles_per_target: RateLimit,
    /// Names that an account or address looks up.
    pub name_lookups: RateLimit,
    /// Accounts registered from one network address.
    pub registrations_per_address: RateLimit,
    /// Connections opened from one network address.
    pub handshakes_per_address: RateLimit,
    /// Uploads that an account starts.
    pub uploads: RateLimit,
    /// Presence values that a connection publishes.
    pub presence: RateLimit,
    /// Requests of every kind on one connection.
    pub requests_per_connection: RateLimit,
}

impl Default for Rates {
    fn default() -> Self {
        use WhenFull::{Closed, Open};
        Self {
            messages_per_account: on(200, 100.0, Open),
            messages_per_address: on(2000, 1000.0, Open),
            messages_per_pair: on(60, 60.0, Open),
            bytes_per_queue: on(131_072, 120.0, Open),
            bundles_per_pair: on(6, 0.1, Closed),
            bundles_per_target: on(60, 10.0, Closed),
            name_lookups: on(1000, 15.0, Closed),
            registrations_per_address: on(6, 2.0, Closed),
            handshakes_per_address: on(600, 600.0, Open),
            uploads: on(50, 0.8333, Closed),
            presence: on(60, 60.0, Open),
            requests_per_connection: on(2000, 6000.0, Closed),
        }
    }
}

impl Rates {
    /// Every limiter with the name it has in the configuration.
    pub(super) const fn each(&self) -> [(&'static str, RateLimit); 12] {
        [
            ("messages_per_account", self.messages_per_account),
            ("messages_per_address", self.messages_per_address),
            ("messages_per_pair", self.messages_per_pair),
            ("bytes_per_queue", self.bytes_per_queue),
            ("bundles_per_pair", self.bundles_per_pair),
            ("bundles_per_target", self.bundles_per_target),
            ("name_lookups", self.name_lookups),
            ("registrations_per_address", self.registrations_per_address),
            ("handshakes_per_address", self.handshakes_per_address),
            ("uploads", self.uploads),
            ("presence", self.presence),
            ("requests_per_connection", self.requests_per_connection),
        ]
    }
}

const fn on(burst: u32, per_minute: f64, when_full: WhenFull) -> RateLimit {
    RateLimit::On(Rate {
        burst,
        per_minute,
        when_full,
    })
}

impl Serialize for RateLimit {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => to.serialize_str("off"),
            Self::On(rate) => rate.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for RateLimit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // Not an untagged enum: its only error is "did not match any variant".
        from.deserialize_any(Written)
    }
}

struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = RateLimit;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"{ burst = 60, per_minute = 10, when_full = "open" or "closed" }, or "off""#)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RateLimit, E> {
        match text {
            "off" => Ok(RateLimit::Off),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RateLimit, A::Error> {
        Rate::deserialize(MapAccessDeserializer::new(map)).map(RateLimit::On)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_limiters_is_complete() {
        let fields = toml::Table::try_from(Rates::default()).unwrap();
        let mut listed: Vec<_> = Rates::default().each().map(|(name, _)| name).into();
        listed.sort_unstable();
        assert!(fields.keys().map(String::as_str).eq(listed));
    }

    #[test]
    fn a_limiter_is_a_table_or_off() {
        let rates: Rates = toml::from_str(
            "presence = 'off'\nuploads = { burst = 1, per_minute = 1, when_full = 'open' }",
        )
        .unwrap();
        assert_eq!(rates.presence, RateLimit::Off);
        assert_eq!(rates.uploads, on(1, 1.0, WhenFull::Open));
        for wrong in [
            "presence = 'on'",
            "presence = 5",
            "presence = true",
            "presence = { burst = 1 }",
            "presence = { burst = 1, per_minute = 1, when_full = 'ajar' }",
            "presence = { burst = 1, per_minute = 1, when_full = 'open', more = 1 }",
        ] {
            assert!(toml::from_str::<Rates>(wrong).is_err(), "{wrong}");
        }
    }
}
