//! Times as tables show them. JSON and CSV keep the exact numbers.

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub(crate) use crate::moment::duration;

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
