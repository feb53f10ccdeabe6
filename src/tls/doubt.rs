//! Reasons for which clients may refuse a certificate that livehook can use.

use std::fmt;

use jiff::Timestamp;

const DAY_SECS: i64 = 86_400;

/// How long before the end a warning begins: this time, or a third of the whole validity if that is shorter. Clients of ACME renew a
/// certificate when a third of its validity is left.
const SOON_SECS: i64 = 14 * DAY_SECS;

/// Why clients may refuse a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// It has expired.
    Expired { not_after_secs: i64 },
    /// It expires within 14 days.
    ExpiresSoon { not_after_secs: i64, days: i64 },
    /// Its validity has not begun.
    NotYetValid { not_before_secs: i64 },
    /// The file has one certificate, and another one has signed it.
    WithoutIntermediate,
    /// A certificate of the file isn't signed by the next one.
    OutOfOrder,
}

impl Doubt {
    /// Returns the doubt about a certificate with this validity.
    pub(super) fn of_time(not_before_secs: i64, not_after_secs: i64, now_secs: i64) -> Option<Doubt> {
        let left_secs = not_after_secs.saturating_sub(now_secs);
        let soon_secs = SOON_SECS.min(not_after_secs.saturating_sub(not_before_secs) / 3);
        if left_secs <= 0 {
            Some(Doubt::Expired { not_after_secs })
        } else if now_secs < not_before_secs {
            Some(Doubt::NotYetValid { not_before_secs })
        } else {
            (left_secs < soon_secs).then_some(Doubt::ExpiresSoon { not_after_secs, days: left_secs / DAY_SECS })
        }
    }

    /// Whether the doubt comes and goes with the time.
    pub(crate) fn is_about_time(self) -> bool {
        !matches!(self, Doubt::WithoutIntermediate | Doubt::OutOfOrder)
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let renew = "renew it: clients refuse an expired certificate";
        match *self {
            Doubt::Expired { not_after_secs } => {
                write!(formatter, "the certificate has expired ({}); renew it, because clients refuse it", shown_time(not_after_secs))
            }
            Doubt::ExpiresSoon { not_after_secs, days: 0 } => {
                write!(formatter, "the certificate expires in less than a day ({}); {renew}", shown_time(not_after_secs))
            }
            Doubt::ExpiresSoon { not_after_secs, days: 1 } => {
                write!(formatter, "the certificate expires in 1 day ({}); {renew}", shown_time(not_after_secs))
            }
            Doubt::ExpiresSoon { not_after_secs, days } => {
                write!(formatter, "the certificate expires in {days} days ({}); {renew}", shown_time(not_after_secs))
            }
            Doubt::NotYetValid { not_before_secs } => write!(
                formatter,
                "the certificate is valid from {} on, so clients refuse it now; check the clock of this machine",
                shown_time(not_before_secs)
            ),
            Doubt::WithoutIntermediate => formatter.write_str(
                "the file has only the certificate of this server, and not its issuer's, so many clients can't verify it; \
                 add the intermediate certificates after it (certbot names that file fullchain.pem)",
            ),
            Doubt::OutOfOrder => formatter.write_str(
                "a certificate of the file is not signed by the next one, so some clients can't verify it; put each issuer \
                 after the certificate that it has signed",
            ),
        }
    }
}

/// Returns a time such as `2026-11-27T03:45:00Z`.
pub(super) fn shown_time(unix_secs: i64) -> String {
    Timestamp::from_second(unix_secs).map_or_else(|_| format!("{unix_secs} s"), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_doubted_in_time() {
        let days = |count: i64| count * DAY_SECS;
        let of = |validity_days, left_secs| {
            let doubt = Doubt::of_time(0, days(validity_days), days(validity_days) - left_secs);
            doubt.map(|doubt| doubt.to_string().split(" (").next().unwrap().to_owned())
        };
        assert_eq!(of(90, days(14)), None);
        assert_eq!(of(90, days(14) - 1).unwrap(), "the certificate expires in 13 days");
        assert_eq!(of(90, days(1)).unwrap(), "the certificate expires in 1 day");
        assert_eq!(of(90, 1).unwrap(), "the certificate expires in less than a day");
        assert_eq!(of(90, 0).unwrap(), "the certificate has expired");
        // A certificate of six days is renewed when half of them are left.
        assert_eq!(of(6, days(3)), None);
        assert_eq!(of(6, days(2) - 1).unwrap(), "the certificate expires in 1 day");
        let early = Doubt::of_time(1_700_000_000, 1_800_000_000, 1_600_000_000).unwrap().to_string();
        assert!(early.contains("valid from 2023-11-14T22:13:20Z on"), "{early}");
    }
}
