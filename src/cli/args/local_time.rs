//! `--local`.

use jiff::tz::TimeZone;

use crate::cli::render::Output;

/// How a table shows times.
#[derive(Clone, Copy, Debug, clap::Args)]
#[group(skip)]
pub(crate) struct LocalTimeArguments {
    /// Show the times of tables in the local time zone (TZ, or the zone of the system), not in UTC. JSON and CSV keep UTC
    #[arg(long)]
    local: bool,
}

impl LocalTimeArguments {
    /// Makes the tables of this output show times as the user wants.
    pub(crate) fn apply(self, output: &mut Output<'_>) {
        if self.local {
            output.set_zone(TimeZone::system());
        }
    }
}
