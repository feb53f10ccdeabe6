//! Reads and writes moments of time, as people and programs give them, and writes durations. The current time is an argument.

use std::fmt;

use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, SpanRelativeTo, Timestamp};
use serde::{Serialize, Serializer};

/// The forms of a moment, for messages.
const FORMS: &str = "RFC 3339 (2026-05-01T12:00:00Z), a date (2026-05-01, from 00:00 UTC), Unix seconds \
(1777636800), or a span back from now (15m, 2h, 7d)";

/// One hour, in ms.
pub const HOUR_MS: i64 = 3_600_000;

/// Returns the start of the UTC hour of a moment. Both are in Unix ms.
pub fn hour_of(time_ms: i64) -> i64 {
    time_ms.saturating_sub(time_ms.rem_euclid(HOUR_MS))
}

/// A range of time. A side without a bound is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// The first moment in it, in Unix ms.
    pub since_ms: Option<i64>,
    /// The first moment after it, in Unix ms.
    pub until_ms: Option<i64>,
}

impl TimeRange {
    /// Returns whether a time (Unix ms) is in the range.
    pub fn contains(self, time_ms: i64) -> bool {
        self.since_ms.is_none_or(|since_ms| time_ms >= since_ms)
            && self.until_ms.is_none_or(|until_ms| time_ms < until_ms)
    }
}

/// A moment in Unix ms, written as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, utoipa::ToSchema)]
#[schema(value_type = String, description = "A moment as RFC 3339 in UTC.", format = DateTime, examples("2026-05-01T12:00:00Z"))]
pub struct Moment(pub i64);

impl Moment {
    fn timestamp(self) -> Timestamp {
        // A moment beyond the years of `Timestamp` becomes the nearest one that it can hold.
        let edge = if self.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
        Timestamp::from_millisecond(self.0).unwrap_or(edge)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.timestamp().fmt(formatter)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads a moment, and returns it in Unix ms. A span such as `15m` counts back from `now_ms`.
///
/// # Errors
/// The text has none of the forms. The error lists them.
pub fn parse(text: &str, now_ms: i64) -> Result<i64, String> {
    read(text, Moment(now_ms).timestamp())
}

/// Reads a moment as [`parse`] does, and also a time without an offset (`2026-05-01 21:00`), which is a time in `zone`.
///
/// # Errors
/// The text has none of the forms. The error lists them.
pub fn parse_local(text: &str, now_ms: i64, zone: &TimeZone) -> Result<i64, String> {
    parse(text, now_ms).or_else(|error| {
        // `DateTime` also reads a date alone, and ignores a zone in brackets.
        let has_time = text.len() > "2026-05-01".len() && !text.contains('[');
        let local = text.parse::<DateTime>().ok().filter(|_| has_time);
        let moment = local.and_then(|local| zone.to_timestamp(local).ok());
        moment.map(Timestamp::as_millisecond).ok_or_else(|| match error.starts_with("give ") {
            true => format!("{error}, or a local time (2026-05-01 21:00)"),
            false => error,
        })
    })
}

fn read(text: &str, now: Timestamp) -> Result<i64, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text
            .parse()
            .ok()
            .and_then(|secs| Timestamp::from_second(secs).ok())
            .map(Timestamp::as_millisecond)
            .ok_or_else(|| "too far ahead for Unix seconds; give seconds, not milliseconds".to_owned());
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment.as_millisecond());
    }
    // The length comes first, because `Date` also reads a date with a time of day and ignores the time.
    if text.len() == "2026-05-01".len()
        && let Ok(date) = text.parse::<Date>()
        && let Ok(midnight) = Offset::UTC.to_timestamp(date.at(0, 0, 0, 0))
    {
        return Ok(midnight.as_millisecond());
    }
    if let Ok(span) = text.parse::<Span>()
        && let Ok(duration) = span.to_duration(SpanRelativeTo::days_are_24_hours())
    {
        return now
            .checked_sub(duration.abs())
            .map(Timestamp::as_millisecond)
            .map_err(|_| "too far back in time".to_owned());
    }
    Err(format!("give {FORMS}"))
}

const UNITS_MS: [(u64, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];

/// A duration in ms as `350ms`, `42s`, `2m 8s` or `3d 4h`: at most two units, rounded down.
pub fn duration(duration_ms: i64) -> String {
    let sign = if duration_ms < 0 { "-" } else { "" };
    let magnitude_ms = duration_ms.unsigned_abs();
    if magnitude_ms == 0 {
        return "0s".to_owned();
    }
    let Some(first) = UNITS_MS.iter().position(|(unit_ms, _)| magnitude_ms >= *unit_ms) else {
        return format!("{sign}{magnitude_ms}ms");
    };
    let (unit_ms, unit) = UNITS_MS[first];
    let rest_ms = magnitude_ms % unit_ms;
    match UNITS_MS.get(first + 1) {
        Some((next_ms, next)) if rest_ms >= *next_ms => {
            format!("{sign}{}{unit} {}{next}", magnitude_ms / unit_ms, rest_ms / next_ms)
        }
        _ => format!("{sign}{}{unit}", magnitude_ms / unit_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_in_two_units() {
        for (duration_ms, expected) in [
            (0, "0s"),
            (1, "1ms"),
            (350, "350ms"),
            (999, "999ms"),
            (1000, "1s"),
            (59_999, "59s"),
            (60_000, "1m"),
            (128_581, "2m 8s"),
            (3_599_999, "59m 59s"),
            (3_600_000, "1h"),
            (3_659_000, "1h"),
            (3_660_000, "1h 1m"),
            (86_400_000, "1d"),
            (86_400_000 + 3_599_999, "1d"),
            (3 * 86_400_000 + 4 * 3_600_000 + 5, "3d 4h"),
            (-128_581, "-2m 8s"),
            (i64::MAX, "106751991167d 7h"),
            (i64::MIN, "-106751991167d 7h"),
        ] {
            assert_eq!(duration(duration_ms), expected);
        }
    }

    #[test]
    fn moments_are_read_in_every_form() {
        let now = Timestamp::from_second(1_777_636_800).unwrap(); // 2026-05-01T12:00:00Z
        for (text, secs) in [
            ("2026-05-01T12:00:00Z", 1_777_636_800),
            ("2026-05-01T20:00:00+08:00", 1_777_636_800),
            ("2026-05-01t12:00:00z", 1_777_636_800),
            ("2026-05-01 12:00:00Z", 1_777_636_800),
            ("2026-05-01", 1_777_593_600),
            ("1777636800", 1_777_636_800),
            ("0", 0),
            ("15m", 1_777_636_800 - 15 * 60),
            ("2h", 1_777_636_800 - 2 * 3600),
            ("2h 30m", 1_777_636_800 - 9000),
            ("2h ago", 1_777_636_800 - 2 * 3600),
            ("7d", 1_777_636_800 - 7 * 86_400),
            ("2w", 1_777_636_800 - 14 * 86_400),
            ("0s", 1_777_636_800),
        ] {
            assert_eq!(read(text, now), Ok(secs * 1000), "{text}");
        }
        assert_eq!(read("2026-05-01T12:00:00.120Z", now), Ok(1_777_636_800_120));
    }

    #[test]
    fn time_without_an_offset_is_local() {
        let shanghai = TimeZone::fixed(jiff::tz::offset(8));
        for (text, secs) in [
            ("2026-05-01 20:00", 1_777_636_800),
            ("2026-05-01T20:00:00", 1_777_636_800),
            ("2026-05-01 20:00:00", 1_777_636_800),
            ("2026-05-01 12:00:00Z", 1_777_636_800),
            ("2026-05-01", 1_777_593_600),
            ("1777636800", 1_777_636_800),
        ] {
            assert_eq!(parse_local(text, 0, &shanghai), Ok(secs * 1000), "{text}");
        }
        for text in ["2026-05-01 25:00", "2026-05-01 20:00[Asia/Shanghai]", "20:00", "tomorrow", ""] {
            let error = parse_local(text, 0, &shanghai).unwrap_err();
            assert!(error.ends_with("a local time (2026-05-01 21:00)"), "{text}: {error}");
        }
    }

    #[test]
    fn ambiguous_time_is_refused() {
        let now = Timestamp::UNIX_EPOCH;
        for text in [
            "",
            " ",
            "yesterday",
            "2026-05-01T12:00:00",
            "2026-05-01 12:00",
            "2026-13-01",
            "2026-5-1",
            "12:00",
            "1777636800000",
            "-5",
            "1.5",
            "3 months",
            "1y",
            "99999999999999999999",
            "9999999999h",
        ] {
            assert!(read(text, now).is_err(), "{text:?} {:?}", read(text, now));
        }
    }
}
