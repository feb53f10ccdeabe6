//! The time zone of the viewer, as far as the pages need it: its distance from UTC. The script stores it in a cookie.

use std::fmt;

use axum::http::HeaderMap;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, civil::DateTime};

use crate::admin::cookies::cookie;
use crate::moment;

/// The cookie with the minutes by which the viewer's clock is ahead of UTC, such as `540`.
const COOKIE: &str = "livehook_zone";

/// The largest distance that a zone has, in minutes.
const MINUTES_MAX: i32 = 14 * 60;

/// The distance of a time zone from UTC. It is UTC itself if the script has not run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Zone {
    minutes: i32,
}

impl Zone {
    /// Returns the zone of the viewer.
    pub(super) fn of(headers: &HeaderMap) -> Zone {
        let minutes = cookie(headers, COOKIE).and_then(|text| text.parse().ok()).unwrap_or(0);
        Zone { minutes: if (-MINUTES_MAX..=MINUTES_MAX).contains(&minutes) { minutes } else { 0 } }
    }

    /// By how much its clocks are ahead of UTC, in ms.
    pub(super) fn ahead_ms(self) -> i64 {
        i64::from(self.minutes) * 60_000
    }

    /// Reads a moment (Unix ms). A time without an offset (`2026-05-01T21:00`) is one of this zone.
    pub(super) fn parse(self, text: &str, now_ms: i64) -> Option<i64> {
        moment::parse_local(text, now_ms, &self.time_zone()).ok()
    }

    /// A time in Unix ms as `21:00:05`.
    pub(super) fn clock(self, time_ms: i64) -> String {
        self.civil(time_ms).strftime("%H:%M:%S").to_string()
    }

    /// A time in Unix ms as `21:00`.
    pub(super) fn minute(self, time_ms: i64) -> String {
        self.civil(time_ms).strftime("%H:%M").to_string()
    }

    /// A time in Unix ms as `05-01`.
    pub(super) fn day(self, time_ms: i64) -> String {
        self.civil(time_ms).strftime("%m-%d").to_string()
    }

    /// A time in Unix ms as `2026-05-01T21:00`, which fields for a time use.
    pub(super) fn field(self, time_ms: i64) -> String {
        self.civil(time_ms).strftime("%Y-%m-%dT%H:%M").to_string()
    }

    fn time_zone(self) -> TimeZone {
        TimeZone::fixed(Offset::from_seconds(self.minutes * 60).unwrap_or(Offset::UTC))
    }

    fn civil(self, time_ms: i64) -> DateTime {
        let timestamp = Timestamp::from_millisecond(time_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        self.time_zone().to_datetime(timestamp)
    }
}

impl fmt::Display for Zone {
    /// `UTC`, `UTC+9` or `UTC-3:30`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hours, minutes) = (self.minutes.abs() / 60, self.minutes.abs() % 60);
        let sign = if self.minutes < 0 { '-' } else { '+' };
        match (self.minutes, minutes) {
            (0, _) => formatter.write_str("UTC"),
            (_, 0) => write!(formatter, "UTC{sign}{hours}"),
            _ => write!(formatter, "UTC{sign}{hours}:{minutes:02}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use axum::http::header::COOKIE as COOKIE_HEADER;

    use super::*;

    #[test]
    fn zone_is_read_from_its_cookie() {
        for (value, name, minute) in [
            ("540", "UTC+9", "09:00"),
            ("-210", "UTC-3:30", "20:30"),
            ("0", "UTC", "00:00"),
            ("841", "UTC", "00:00"),
            ("x", "UTC", "00:00"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE_HEADER, HeaderValue::try_from(format!("{COOKIE}={value}")).unwrap());
            let zone = Zone::of(&headers);
            assert_eq!((zone.to_string().as_str(), zone.minute(0).as_str()), (name, minute));
            let field = zone.field(0);
            assert_eq!(zone.parse(&field, 0), Some(0), "{field}");
        }
        assert_eq!(Zone::default().parse("1970-01-01T00:00:05Z", 0), Some(5000));
        assert_eq!(Zone::default().parse("soon", 0), None);
    }
}
