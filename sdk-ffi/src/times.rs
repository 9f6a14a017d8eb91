//! Points in time, as the languages have them.

use std::time::{Duration, SystemTime};

/// The last second of the year 9999: Python has no later one, and a hostile message may name any.
const LAST_MS: u64 = 253_402_300_799_000;

/// A number of milliseconds since the Unix epoch.
pub(crate) fn time(ms: u64) -> SystemTime {
    let since = Duration::from_millis(ms.min(LAST_MS));
    SystemTime::UNIX_EPOCH
        .checked_add(since)
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The same where there may be none.
pub(crate) fn maybe_time(ms: Option<u64>) -> Option<SystemTime> {
    ms.map(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_is_a_time_that_every_language_has() {
        assert_eq!(time(0), SystemTime::UNIX_EPOCH);
        assert_eq!(time(u64::MAX), time(LAST_MS));
        assert_eq!(maybe_time(None), None);
    }
}
