//! The `Range` of a download: one range of bytes, or the whole.
//!
//! Several ranges are refused, not served: a small request must not ask for many times the blob.

use core::ops::Range;

use axum::http::{HeaderMap, header};

/// What a blob's `ETag` always is. A blob never changes, so one value for all says as much as a hash would,
/// and tells nothing; without any, systems that download in the background do not resume.
pub(super) const ETAG: &str = "\"1\"";

/// The range cannot be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unsatisfiable;

/// The bytes asked for, never empty; `None`: all.
///
/// # Errors
/// [`Unsatisfiable`] if the range is malformed, lies beyond the end, or is not one.
pub(super) fn asked_for(
    headers: &HeaderMap,
    size: u64,
) -> Result<Option<Range<u64>>, Unsatisfiable> {
    if headers.get(header::IF_RANGE).is_some_and(|tag| tag != ETAG) {
        return Ok(None);
    }
    let mut ranges = headers.get_all(header::RANGE).iter();
    let Some(range) = ranges.next() else {
        return Ok(None);
    };
    if ranges.next().is_some() {
        return Err(Unsatisfiable);
    }
    let text = range.to_str().map_err(|_| Unsatisfiable)?;
    let (unit, range) = text.split_once('=').ok_or(Unsatisfiable)?;
    if !unit.eq_ignore_ascii_case("bytes") {
        // The standard: who does not know a unit ignores the header.
        return Ok(None);
    }
    let (first, last) = range.split_once('-').ok_or(Unsatisfiable)?;
    let range = match (first, last) {
        ("", last) => size.saturating_sub(number(last)?)..size,
        (first, "") => number(first)?..size,
        (first, last) => number(first)?..number(last)?.saturating_add(1).min(size),
    };
    if range.is_empty() {
        return Err(Unsatisfiable);
    }
    Ok(Some(range))
}

/// Digits and nothing else. A number too large for us is beyond every blob.
fn number(text: &str) -> Result<u64, Unsatisfiable> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Unsatisfiable);
    }
    Ok(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(values: &[&str]) -> Result<Option<Range<u64>>, Unsatisfiable> {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = axum::http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.append(header::RANGE, value);
        }
        asked_for(&headers, 1000)
    }

    #[test]
    fn one_range_is_served_and_cut_at_the_end() {
        for (text, range) in [
            ("bytes=0-0", 0..1),
            ("bytes=0-999", 0..1000),
            ("Bytes=1-2", 1..3),
            ("bytes=999-", 999..1000),
            ("bytes=0-", 0..1000),
            ("bytes=-1", 999..1000),
            ("bytes=-1000", 0..1000),
            ("bytes=-99999999999999999999999999", 0..1000),
            ("bytes=500-18446744073709551615", 500..1000),
            ("bytes=500-99999999999999999999999999", 500..1000),
            ("bytes=0000000000000000000000000007-8", 7..9),
        ] {
            assert_eq!(ask(&[text]), Ok(Some(range)), "{text}");
        }
    }

    #[test]
    fn hostile_ranges_are_refused() {
        for text in [
            "bytes=1000-",
            "bytes=1000-1001",
            "bytes=18446744073709551615-18446744073709551615",
            "bytes=99999999999999999999999999-",
            "bytes=2-1",
            "bytes=-0",
            "bytes=-",
            "bytes=",
            "bytes",
            "",
            "bytes=--1",
            "bytes=1--2",
            "bytes=+1-2",
            "bytes=1-+2",
            "bytes= 1-2",
            "bytes=1 -2",
            "bytes=0x1-2",
            "bytes=1.0-2",
            "bytes=0-1,2-3",
            "bytes=0-,0-,0-,0-",
            "bytes=é-2",
        ] {
            assert_eq!(ask(&[text]), Err(Unsatisfiable), "{text}");
        }
        assert_eq!(ask(&["bytes=0-1", "bytes=2-3"]), Err(Unsatisfiable));
    }

    #[test]
    fn what_does_not_apply_gives_the_whole() {
        assert_eq!(ask(&[]), Ok(None));
        assert_eq!(ask(&["lines=1-2"]), Ok(None));
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, "bytes=1-2".parse().unwrap());
        headers.insert(header::IF_RANGE, "\"other\"".parse().unwrap());
        assert_eq!(asked_for(&headers, 1000), Ok(None));
        headers.insert(header::IF_RANGE, ETAG.parse().unwrap());
        assert_eq!(asked_for(&headers, 1000), Ok(Some(1..3)));
    }
}
