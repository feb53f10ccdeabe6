//! `livehook sessions`: every push, live and past; or broadcasts, which are pushes in a row; or the index made anew.

use std::process::ExitCode;

use clap::ValueEnum;
use jiff::Timestamp;

use super::args::DataDirArguments;
use super::args::moment::During;
use super::args::selection::{SelectionArguments, parse_limit};
use super::client::service::ServiceArguments;
use super::fresh_index;
use super::rebuild_index;
use super::render::listing::{self, Form, Row};
use super::render::output::{Output, talk};
use super::render::session_rows::{BroadcastRow, SessionRow};
use crate::callback::ReasonCategory;
use crate::index::{BroadcastQuery, Order, SessionQuery, Sort};
use crate::session::State;

/// Show sessions: each is one push of a stream, from its start to its stop
///
/// Those that started last come first; --since and --until are for when they started. A session that has no stop is live, or stale once nothing was heard of it for
/// `index.stale_after_secs`. Works while the service runs and when it does not.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook sessions --stream room-1
  livehook sessions --since 24h --reason network --reason idle
  livehook sessions --state live --sort duration --reverse
  livehook sessions --broadcasts --domain '*.example.com' --since 7d
  livehook sessions --since 2026-05-01 --limit 100000 --output csv > may.csv
  livehook sessions --rebuild --config config.toml    make the index anew")]
pub(super) struct Arguments {
    #[command(flatten)]
    data_dir: DataDirArguments,
    #[command(flatten)]
    selection: SelectionArguments,
    /// Only live, ended or stale ones; repeat it for more
    #[arg(long = "state", value_name = "STATE")]
    states: Vec<State>,
    #[command(flatten)]
    during: During,
    /// Only those that stopped for a reason of this category: client, network, content, idle, internal, rejected, operator,
    /// replaced or unknown; repeat it for more
    #[arg(long = "reason", value_name = "CATEGORY", conflicts_with = "broadcasts")]
    categories: Vec<ReasonCategory>,
    /// What to sort by, the largest first
    #[arg(long, value_enum, value_name = "BY", default_value_t = SortBy::Started, conflicts_with = "broadcasts")]
    sort: SortBy,
    /// The smallest first
    #[arg(long, conflicts_with = "broadcasts")]
    reverse: bool,
    /// At most this many
    #[arg(long, value_name = "N", default_value = "50", value_parser = parse_limit)]
    limit: usize,
    /// Broadcasts instead: sessions of one stream with no more than `index.bridge_gap_secs` between them
    #[arg(long)]
    broadcasts: bool,
    /// Make the index anew from the journal, by the service where it runs, else here. Sessions that are older than the
    /// journal are kept
    #[arg(long, conflicts_with_all = [
        "streams", "domains", "states", "since", "until", "categories", "sort", "reverse", "limit", "broadcasts", "output",
    ])]
    rebuild: bool,
    /// How to show them
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Form::Table)]
    output: Form,
    #[command(flatten, next_help_heading = "For --rebuild")]
    service: ServiceArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SortBy {
    /// When they started
    Started,
    /// When they ended; those that have not are the latest
    Ended,
    /// How long they lasted; those that are live are the longest, the one that started first before all; those of which it is
    /// not known are the shortest
    Duration,
}

impl From<SortBy> for Sort {
    fn from(by: SortBy) -> Sort {
        match by {
            SortBy::Started => Sort::Started,
            SortBy::Ended => Sort::Ended,
            SortBy::Duration => Sort::Duration,
        }
    }
}

/// Prints sessions or broadcasts, or makes the index anew.
pub(super) fn run(arguments: Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    if arguments.rebuild {
        return rebuild_index::run(&arguments.data_dir, arguments.service);
    }
    if arguments.service.is_given() {
        return Err(crate::cli::args::usage_error(
            "--config and --url are for --rebuild: questions are asked on --data-dir",
        ));
    }
    arguments.during.check()?;
    let fresh = fresh_index::open(arguments.data_dir.path())?;
    let now_ms = Timestamp::now().as_millisecond();
    let (form, limit) = (arguments.output, arguments.limit);
    if arguments.broadcasts {
        let views = fresh.index.broadcasts(&arguments.broadcast_query(), now_ms)?;
        show(views.into_iter().map(|view| BroadcastRow { view, now_ms }), "broadcast", form, limit, output)?;
    } else {
        let views = fresh.index.sessions(&arguments.session_query(), now_ms)?;
        show(views.into_iter().map(|view| SessionRow { view, now_ms }), "session", form, limit, output)?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    /// The question. One more than wanted is asked for, to know whether there are more.
    fn session_query(&self) -> SessionQuery {
        SessionQuery {
            selection: self.selection.selection(),
            states: self.states.clone(),
            since_ms: self.during.since,
            until_ms: self.during.until,
            categories: self.categories.clone(),
            sort: self.sort.into(),
            order: if self.reverse { Order::Ascending } else { Order::Descending },
            after: None,
            limit: self.limit + 1,
        }
    }

    /// The same for broadcasts.
    fn broadcast_query(&self) -> BroadcastQuery {
        BroadcastQuery {
            selection: self.selection.selection(),
            states: self.states.clone(),
            since_ms: self.during.since,
            until_ms: self.during.until,
            after: None,
            limit: self.limit + 1,
        }
    }
}

fn show<R: Row>(
    rows: impl Iterator<Item = R>,
    noun: &str,
    form: Form,
    limit: usize,
    output: &mut Output<'_>,
) -> anyhow::Result<()> {
    let mut rows: Vec<R> = rows.collect();
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    listing::show(&rows, form, output)?;
    output.flush()?;
    if has_more {
        talk(format_args!("there are more: --limit N shows more than {limit}"));
    } else if rows.is_empty() {
        talk(format_args!("no {noun} matches"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
