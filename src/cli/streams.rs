//! `livehook streams`: which streams are live now.

use std::cmp::Reverse;
use std::process::ExitCode;

use jiff::Timestamp;

use super::args::DataDirArguments;
use super::args::selection::{SelectionArguments, parse_limit};
use super::fresh_index;
use super::render::listing::{self, Form};
use super::render::output::{Output, talk};
use super::render::session_rows::StreamRow;

/// Show the streams that are live now, those that have come last first
///
/// A stream is live as long as any push of it is. SINCE is when the oldest of its live pushes started; the rest of a line
/// is of the newest, whose session is named last. A push of which nothing was heard for `index.stale_after_secs` counts as live no
/// more. Works while the service runs and when it does not.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook streams
  livehook streams --domain '*.example.com' --stream 'room-*'
  livehook streams --output json | jq -r .stream
  livehook session 2210464508206756938-5d0c1f7a    all about one of them")]
pub(super) struct Arguments {
    #[command(flatten)]
    data_dir: DataDirArguments,
    #[command(flatten)]
    selection: SelectionArguments,
    /// At most this many
    #[arg(long, value_name = "N", default_value = "1000", value_parser = parse_limit)]
    limit: usize,
    /// How to show them
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Form::Table)]
    output: Form,
}

/// Prints the streams.
pub(super) fn run(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let Arguments { data_dir, selection, limit, output: form } = arguments;
    let fresh = fresh_index::open(data_dir.path())?;
    let now_ms = Timestamp::now().as_millisecond();
    let mut views = fresh.index.streams(&selection.selection(), None, usize::MAX, now_ms)?;
    views.sort_by_key(|view| Reverse(view.live_since));
    let has_more = views.len() > *limit;
    views.truncate(*limit);
    let rows: Vec<StreamRow> = views.into_iter().map(|view| StreamRow { view, now_ms }).collect();
    listing::show(&rows, *form, output)?;
    output.flush()?;
    if has_more {
        talk(format_args!("more than {limit} streams are live: --limit N shows more"));
    } else if rows.is_empty() {
        talk("no stream is live, or none that was asked for");
    }
    Ok(ExitCode::SUCCESS)
}
