//! Durations and times as tables show them. JSON and CSV keep the exact numbers.

use jiff::Timestamp;
use jiff::tz::TimeZone;

const UNITS_MS: [(u64, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];

/// A duration in ms as `350ms`, `42s`, `2m 8s` or `3d 4h`: at most two units, rounded down.
pub(crate) fn duration(duration_ms: i64) -> String {
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

/// A time in Unix ms as `2026-05-01T12:00:00Z`, or as `2026-05-01T20:00:00+08:00` in a zone other than UTC. It is rounded down
/// to the second. `--since` and `--until` accept both forms.
pub(crate) fn moment(unix_ms: i64, zone: &TimeZone) -> String {
    match Timestamp::from_second(unix_ms.div_euclid(1000)) {
        Ok(moment) if *zone == TimeZone::UTC => moment.to_string(),
        Ok(moment) => moment.display_with_offset(zone.to_offset(moment)).to_string(),
        Err(_) => "?".to_owned(),
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
    fn moment_in_utc_seconds() {
        for (unix_ms, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_777_636_800_999, "2026-05-01T12:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (i64::MAX, "?"),
            (i64::MIN, "?"),
        ] {
            assert_eq!(moment(unix_ms, &TimeZone::UTC), expected);
        }
        let shanghai = TimeZone::fixed(jiff::tz::offset(8));
        assert_eq!(moment(1_777_636_800_999, &shanghai), "2026-05-01T20:00:00+08:00");
        assert_eq!(moment(i64::MAX, &shanghai), "?");
    }
}
