//! `--since` and `--until`.

use jiff::tz::TimeZone;

use super::usage_error::usage_error;
use crate::clock::system_clock;
use crate::moment::{self, TimeRange};

/// A range of times. The help of each command says which times it compares.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub(crate) struct TimeRangeArguments {
    /// Only from this time on: RFC 3339 (2026-05-01T12:00:00Z), a local time (2026-05-01 21:00), a date (2026-05-01,
    /// midnight UTC), Unix seconds (1777636800), or a duration before now (15m, 2h, 7d)
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    since: Option<i64>,
    /// Only before this time, in the same formats
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    until: Option<i64>,
}

impl TimeRangeArguments {
    /// Returns the range.
    ///
    /// # Errors
    /// The range is empty: wrong usage.
    pub(crate) fn range(&self) -> anyhow::Result<TimeRange> {
        match (self.since, self.until) {
            (Some(since), Some(until)) if since >= until => Err(usage_error("--since must be earlier than --until")),
            (since_ms, until_ms) => Ok(TimeRange { since_ms, until_ms }),
        }
    }
}

/// Parses a time as Unix ms. A time without an offset is local.
///
/// # Errors
/// The text has none of the formats. The error lists them.
pub(crate) fn parse_moment(text: &str) -> Result<i64, String> {
    moment::parse_local(text, system_clock(), &TimeZone::system())
}
