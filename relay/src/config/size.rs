//! Byte sizes as people write them: `"64 KiB"`, `"100 MiB"`, or a number of bytes. For
//! `#[serde(with = "size")]` on any unsigned integer.
//!
//! Powers of 1024 only. `KB` and `MB` are refused, as half of the world means 1000 by them.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserializer, Serializer};

const UNITS: [(&str, u64); 5] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

pub(super) fn serialize<T, S>(value: &T, to: S) -> Result<S::Ok, S::Error>
where
    T: Copy + TryInto<u64>,
    S: Serializer,
{
    let bytes = (*value)
        .try_into()
        .map_err(|_| serde::ser::Error::custom("a size beyond 64 bits"))?;
    to.serialize_str(&text(bytes))
}

pub(super) fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: TryFrom<u64>,
    D: Deserializer<'de>,
{
    from.deserialize_any(Written(PhantomData))
}

/// The size in the largest unit that shows it exactly.
pub(super) fn text(bytes: u64) -> String {
    UNITS
        .iter()
        .find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit))
        .map_or_else(
            || format!("{bytes} B"),
            |(name, unit)| format!("{} {name}", bytes.checked_div(*unit).unwrap_or(bytes)),
        )
}

fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at_checked(digits.unwrap_or(text.len()))?;
    let unit = unit.trim_start();
    let factor = if unit.is_empty() {
        1
    } else {
        UNITS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit))?
            .1
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

struct Written<T>(PhantomData<T>);

impl<T: TryFrom<u64>> Visitor<'_> for Written<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a size such as "64 KiB", "100 MiB", "2 GiB" or a number of bytes"#)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        parse(text)
            .and_then(|bytes| T::try_from(bytes).ok())
            .ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_i64<E: Error>(self, bytes: i64) -> Result<T, E> {
        u64::try_from(bytes)
            .ok()
            .and_then(|bytes| T::try_from(bytes).ok())
            .ok_or_else(|| E::invalid_value(Unexpected::Signed(bytes), &self))
    }

    fn visit_u64<E: Error>(self, bytes: u64) -> Result<T, E> {
        T::try_from(bytes).map_err(|_| E::invalid_value(Unexpected::Unsigned(bytes), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        for (written, bytes) in [
            ("0 B", 0),
            ("1 B", 1),
            ("1023 B", 1023),
            ("64 KiB", 64 << 10),
            ("1025 B", 1025),
            ("100 MiB", 100 << 20),
            ("2 GiB", 2 << 30),
        ] {
            assert_eq!(parse(written), Some(bytes), "{written}");
            assert_eq!(text(bytes), written);
        }
        assert_eq!(parse(" 64kib "), Some(64 << 10));
        assert_eq!(parse("65536"), Some(65536));
    }

    #[test]
    fn what_is_unclear_or_too_large_is_refused() {
        for written in [
            "",
            "KiB",
            "64 KB",
            "64 MB",
            "-1",
            "1.5 GiB",
            "1 é",
            "16777216 TiB",
        ] {
            assert_eq!(parse(written), None, "{written}");
        }
    }
}
