//! Times, as a person reads them.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The moment, and where its reader is.
#[derive(Debug, Clone)]
pub(crate) struct Now {
    /// Milliseconds since the Unix epoch.
    pub(crate) ms: u64,
    /// The reader's time zone.
    pub(crate) zone: TimeZone,
}

impl Now {
    /// The day of a time; `None` for times that no calendar has, which a peer may make up.
    pub(crate) fn date(&self, ms: u64) -> Option<Date> {
        let ms = i64::try_from(ms).ok()?;
        let moment = Timestamp::from_millisecond(ms).ok()?;
        Some(self.zone.to_datetime(moment).date())
    }

    /// `14:05`.
    pub(crate) fn time(&self, ms: u64) -> String {
        let moment = i64::try_from(ms)
            .ok()
            .and_then(|ms| Timestamp::from_millisecond(ms).ok());
        match moment {
            Some(moment) => {
                let time = self.zone.to_datetime(moment).time();
                format!("{:02}:{:02}", time.hour(), time.minute())
            }
            None => "--:--".to_owned(),
        }
    }

    /// `Today`, `Yesterday`, `Tuesday 3 March`, with the year if it is another.
    pub(crate) fn day(&self, ms: u64) -> String {
        let (Some(day), Some(today)) = (self.date(ms), self.date(self.ms)) else {
            return "?".to_owned();
        };
        if day == today {
            return "Today".to_owned();
        }
        if day.tomorrow().is_ok_and(|next| next == today) {
            return "Yesterday".to_owned();
        }
        if day.year() == today.year() {
            return day.strftime("%A %-d %B").to_string();
        }
        day.strftime("%-d %B %Y").to_string()
    }

    /// The shortest that says it: the time of today, or the day.
    pub(crate) fn short(&self, ms: u64) -> String {
        match (self.date(ms), self.date(self.ms)) {
            (Some(day), Some(today)) if day == today => self.time(ms),
            (Some(day), Some(today)) if day.year() == today.year() => {
                day.strftime("%-d %b").to_string()
            }
            (Some(day), _) => day.strftime("%Y").to_string(),
            _ => String::new(),
        }
    }
}

/// A time in its largest whole unit: `90s`, `5m`, `8h`, `7d`.
pub(crate) fn span(seconds: u64) -> String {
    for (unit, name) in [(86_400, 'd'), (3_600, 'h'), (60, 'm')] {
        let whole = seconds.checked_div(unit).filter(|whole| *whole > 0);
        if let Some(whole) = whole
            && seconds.is_multiple_of(unit)
        {
            return format!("{whole}{name}");
        }
    }
    format!("{seconds}s")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-25 10:15 UTC.
    const NOW: u64 = 1_795_601_700_000;
    const DAY: u64 = 24 * 60 * 60 * 1000;

    #[test]
    fn spans_are_short() {
        let all = [30, 90, 300, 3_600, 5_400, 604_800].map(span);
        assert_eq!(all, ["30s", "90s", "5m", "1h", "90m", "7d"]);
    }

    #[test]
    fn days_have_names() {
        let now = Now {
            ms: NOW,
            zone: TimeZone::UTC,
        };
        assert_eq!(now.time(NOW), "10:15");
        assert_eq!(now.day(NOW), "Today");
        assert_eq!(now.day(NOW - DAY), "Yesterday");
        assert_eq!(now.day(NOW - 3 * DAY), "Sunday 22 November");
        assert_eq!(now.day(NOW - 400 * DAY), "21 October 2025");
        assert_eq!(now.short(NOW), "10:15");
        assert_eq!(now.short(NOW - DAY), "24 Nov");
        assert_eq!(now.short(NOW - 400 * DAY), "2025");
        assert_eq!(now.day(u64::MAX), "?");
        assert_eq!(now.time(u64::MAX), "--:--");
    }
}
