//! `livehook streams`: lists the streams that are live now.

use std::cmp::Reverse;
use std::process::ExitCode;

use super::args::{LocalTimeArguments, StoredDataArguments, StreamArguments, parse_limit};
use super::fresh_index;
use super::render::{Output, OutputFormat, StreamRow, print_page};
use crate::clock::system_clock;

/// Show the streams that are live now, newest first
///
/// A stream is live while at least one push of it is live. A push is live until its stop arrives, or until
/// `index.stale_after_secs` pass without any event of it. SINCE and FOR belong to the oldest live push of the stream; FROM,
/// SIZE and SESSION belong to the newest one. PUSHES and ANOMALIES count all live pushes. The command works with and without
/// a running service.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook streams
  livehook streams --domain '*.example.com' --stream 'room-*'
  livehook streams --output json | jq -r .stream
  livehook session 2210464508206756938-5d0c1f7a    all about one session")]
pub(super) struct Arguments {
    #[command(flatten)]
    data: StoredDataArguments,
    #[command(flatten)]
    selection: StreamArguments,
    /// Show at most this many streams
    #[arg(long, value_name = "N", default_value = "1000", value_parser = parse_limit)]
    limit: usize,
    /// The output format
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Table)]
    output: OutputFormat,
    #[command(flatten)]
    local_time: LocalTimeArguments,
}

/// Prints the streams.
pub(super) fn run(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    arguments.local_time.apply(output);
    let fresh = fresh_index::open(&arguments.data.path()?)?;
    let now_ms = system_clock();
    // All of them, because the index sorts by name and the newest come first here.
    let mut views = fresh.index.streams(&arguments.selection.selection(), None, usize::MAX, now_ms)?;
    views.sort_by_key(|view| Reverse(view.live_since));
    let rows = views.into_iter().map(|view| StreamRow { view, now_ms });
    print_page(rows, arguments.limit, "live stream", arguments.output, output)?;
    Ok(ExitCode::SUCCESS)
}
