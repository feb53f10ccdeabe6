//! The moments that `--since` and `--until` take, and the time between them.

use jiff::Timestamp;

use crate::moment;

/// The time that is asked about. Which times are compared with it, the command's help says.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub(crate) struct During {
    /// Only from then on: RFC 3339 (2026-05-01T12:00:00Z), a date (from 00:00 UTC), Unix seconds, or a span back from now
    /// (15m, 2h, 7d)
    #[arg(long, value_name = "MOMENT", value_parser = parse_from_now)]
    pub(crate) since: Option<i64>,
    /// Only before then, in the same forms
    #[arg(long, value_name = "MOMENT", value_parser = parse_from_now)]
    pub(crate) until: Option<i64>,
}

impl During {
    /// Checks that there is some time in it.
    ///
    /// # Errors
    /// It ends where it begins, or before: wrong usage.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        match (self.since, self.until) {
            (Some(since), Some(until)) if since >= until => {
                Err(crate::cli::args::usage_error("--since is not before --until: nothing can match"))
            }
            _ => Ok(()),
        }
    }
}

/// Reads a moment as Unix ms, spans counted back from the present.
///
/// # Errors
/// Everything that has none of the forms.
pub(crate) fn parse_from_now(text: &str) -> Result<i64, String> {
    moment::parse(text, Timestamp::now().as_millisecond())
}
