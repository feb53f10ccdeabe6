//! `livehook sessions`: lists sessions or broadcasts, and ends a session whose stop was lost.

mod end;

use std::process::ExitCode;

use clap::ValueEnum;

use self::end::{EndArguments, end};
use super::args::{
    DataDirArguments, LocalTimeArguments, ServiceArguments, StreamArguments, TimeRangeArguments, parse_limit,
    usage_error,
};
use super::fresh_index;
use super::rebuild_index;
use super::render::{BroadcastRow, Output, OutputFormat, SessionRow, print_page};
use crate::callback::ReasonCategory;
use crate::clock::system_clock;
use crate::index::{BroadcastQuery, Order, SessionQuery, Sort};
use crate::session::State;

/// Show sessions, newest first
///
/// A session is one push of a stream, from its start to its stop. It is live until its stop arrives, and stale if
/// `index.stale_after_secs` pass without any event of it. --since and --until compare start times. The command works with and
/// without a running service.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    mut_arg("config", |argument| argument.help("The configuration file of the service (LIVEHOOK_CONFIG). The command reads only `data_dir` from it").long_help(None)),
    mut_arg("url", |argument| argument.hide(true)),
    after_help = "\
Examples:
  livehook sessions --stream room-1
  livehook sessions --since 24h --reason network --reason idle
  livehook sessions --state live --sort duration --reverse
  livehook sessions --broadcasts --domain '*.example.com' --since 7d
  livehook sessions --since 2026-05-01 --limit 100000 --output csv > may.csv"
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    data_dir: DataDirArguments,
    #[command(flatten)]
    selection: StreamArguments,
    /// Only sessions in this state: live, ended or stale. Repeat the flag for more states
    #[arg(long = "state", value_name = "STATE")]
    states: Vec<State>,
    #[command(flatten)]
    time_range: TimeRangeArguments,
    /// Only sessions that stopped for a reason of this category: client, network, content, idle, internal, rejected,
    /// operator, replaced, manual or unknown. Repeat the flag for more categories
    #[arg(long = "reason", value_name = "CATEGORY", conflicts_with = "broadcasts")]
    categories: Vec<ReasonCategory>,
    /// The sort order, largest value first
    #[arg(long, value_enum, value_name = "BY", default_value_t = SortBy::Started, conflicts_with = "broadcasts")]
    sort: SortBy,
    /// Smallest value first
    #[arg(long, conflicts_with = "broadcasts")]
    reverse: bool,
    /// Show at most this many
    #[arg(long, value_name = "N", default_value = "50", value_parser = parse_limit)]
    limit: usize,
    /// Show broadcasts instead. A broadcast is a row of sessions of one stream with gaps of at most `index.bridge_gap_secs`
    #[arg(long)]
    broadcasts: bool,
    /// Old name of `livehook rebuild-index`
    #[arg(long, hide = true, conflicts_with_all = [
        "streams", "domains", "states", "since", "until", "categories", "sort", "reverse", "limit", "broadcasts", "output",
    ])]
    rebuild: bool,
    /// The output format
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Table)]
    output: OutputFormat,
    #[command(flatten)]
    local_time: LocalTimeArguments,
    #[command(flatten)]
    service: ServiceArguments,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    End(EndArguments),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SortBy {
    /// Start time
    Started,
    /// End time; sessions without an end count as the latest
    Ended,
    /// Duration; live sessions count as longest (earliest start first), sessions of unknown duration as shortest
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

/// Prints sessions or broadcasts, ends a session, or rebuilds the index.
pub(super) fn run(arguments: Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    if let Some(Command::End(arguments)) = &arguments.command {
        return end(arguments);
    }
    let Arguments { data_dir, service, .. } = arguments;
    if arguments.rebuild {
        return rebuild_index::run(&rebuild_index::Arguments { data_dir, service });
    }
    // This flag exists only for the old `--rebuild`.
    if service.has_url() {
        return Err(usage_error("--url needs --rebuild; this command reads --data-dir"));
    }
    arguments.local_time.apply(output);
    let started = arguments.time_range.range()?;
    let fresh = fresh_index::open(&service.data_dir(&data_dir)?)?;
    let now_ms = system_clock();
    let (selection, states) = (arguments.selection.selection(), arguments.states);
    // One more than will be shown, to know whether there are more.
    let limit = arguments.limit + 1;
    if arguments.broadcasts {
        let query = BroadcastQuery { selection, states, started, after: None, limit };
        let rows = fresh.index.broadcasts(&query, now_ms)?.into_iter().map(|view| BroadcastRow { view, now_ms });
        print_page(rows, arguments.limit, "broadcast", arguments.output, output)?;
    } else {
        let query = SessionQuery {
            selection,
            states,
            started,
            categories: arguments.categories,
            sort: arguments.sort.into(),
            order: if arguments.reverse { Order::Ascending } else { Order::Descending },
            after: None,
            limit,
        };
        let rows = fresh.index.sessions(&query, now_ms)?.into_iter().map(|view| SessionRow { view, now_ms });
        print_page(rows, arguments.limit, "session", arguments.output, output)?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests;
