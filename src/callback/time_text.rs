//! Writes times as RFC 3339 in UTC, such as `2023-12-28T02:57:58.250Z`.

use std::fmt::Write;

use jiff::Timestamp;

/// The latest time that is written here, in Unix ms. [`Timestamp`] ends less than a second later.
const TIME_MS_MAX: i64 = 253_402_207_199_999;

/// How many digits of the second's fraction are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fraction {
    /// As many as the time needs: none for a whole second.
    Needed,
    /// Three.
    Milliseconds,
}

/// Returns the timestamp of a time in Unix ms. RFC 3339 can't write every year, so a time beyond its years becomes the nearest one.
pub(super) fn timestamp(time_ms: i64) -> Timestamp {
    Timestamp::from_millisecond(time_ms).unwrap_or(if time_ms < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// Writes the text of [`timestamp`].
pub(super) fn write(output: &mut String, time_ms: i64, fraction: Fraction) {
    // Every event has two times, and the general way costs twenty times as much.
    if (0..=TIME_MS_MAX).contains(&time_ms) {
        return write_since_1970(output, time_ms as u64, fraction);
    }
    let timestamp = timestamp(time_ms);
    let _ = match fraction {
        Fraction::Needed => write!(output, "{timestamp}"),
        Fraction::Milliseconds => write!(output, "{timestamp:.3}"),
    };
}

fn write_since_1970(output: &mut String, time_ms: u64, fraction: Fraction) {
    let (secs, ms) = (time_ms / 1000, time_ms % 1000);
    let (year, month, day) = date(secs / 86_400);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let of_day = secs % 86_400;
    for (at, digits, mut number) in [
        (0, 4, year),
        (5, 2, month),
        (8, 2, day),
        (11, 2, of_day / 3600),
        (14, 2, of_day / 60 % 60),
        (17, 2, of_day % 60),
        (20, 3, ms),
    ] {
        for digit in text[at..at + digits].iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }
    let end = match fraction {
        Fraction::Needed if ms == 0 => 19,
        Fraction::Needed if ms % 100 == 0 => 21,
        Fraction::Needed if ms % 10 == 0 => 22,
        _ => 23,
    };
    text[end] = b'Z';
    output.push_str(std::str::from_utf8(&text[..=end]).unwrap_or_default());
}

/// Returns the year, month and day of a number of days since 1970-01-01, in the Gregorian calendar.
fn date(days: u64) -> (u64, u64, u64) {
    // Years begin in March here, so that a leap day is the last day of its year, and an era is 400 years from 0000-03-01.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(time_ms: i64) -> [String; 2] {
        [Fraction::Needed, Fraction::Milliseconds].map(|fraction| {
            let mut output = String::new();
            write(&mut output, time_ms, fraction);
            output
        })
    }

    fn expected(time_ms: i64) -> [String; 2] {
        let timestamp = timestamp(time_ms);
        [format!("{timestamp}"), format!("{timestamp:.3}")]
    }

    #[test]
    fn days_of_every_month_are_written() {
        for day in (0..TIME_MS_MAX / 86_400_000).step_by(13) {
            let time_ms = day * 86_400_000 + day % 86_400_000;
            assert_eq!(written(time_ms), expected(time_ms), "{time_ms}");
        }
    }

    #[test]
    fn bounds_are_written() {
        for time_ms in [i64::MIN, -1, 0, 1, 10, 100, 999, TIME_MS_MAX - 1, TIME_MS_MAX, TIME_MS_MAX + 1, i64::MAX] {
            assert_eq!(written(time_ms), expected(time_ms), "{time_ms}");
        }
    }

    proptest! {
        #[test]
        fn any_time_is_written(time_ms in prop_oneof![any::<i64>(), 0..TIME_MS_MAX]) {
            prop_assert_eq!(written(time_ms), expected(time_ms));
        }
    }
}
