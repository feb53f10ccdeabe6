//! `livehook events`: prints the events in the journal.

mod event_table;
mod listing;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;

use self::listing::{EventFormat, Listing, print_event};
use super::args::{EventArguments, LocalTimeArguments, StoredDataArguments};
use super::render::{Output, talk};
use crate::callback::EventId;
use crate::clock::system_clock;
use crate::history::{EventQuery, EventSource, usable_index};
use crate::index::Order;
use crate::journal;

/// The pause of `--follow` between two looks at the journal.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Show received events, oldest first
///
/// All times, also --since and --until, are the times at which livehook received the events. The table shortens long
/// names; JSON has every event in full, as sinks receive it. The command works with and without a running service.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook events --limit 20                 the newest 20
  livehook events --since 15m --type stop    stops of the last 15 minutes
  livehook events --since 2026-05-01 --until 2026-05-02
  livehook events --domain '*.example.com' --stream 'room-*' --follow
  livehook events --since 7d --output json | jq .data.errcode
  livehook events --id 0167c013-eab0-8a3c-9f0e-5b1d0c6a7e42 --output json")]
pub(super) struct Arguments {
    #[command(flatten)]
    data: StoredDataArguments,
    #[command(flatten)]
    selection: EventArguments,
    /// Show at most this many events: the newest ones, or with --since the first ones
    #[arg(long, value_name = "N", value_parser = limit)]
    limit: Option<usize>,
    /// Show only the event with this id. The exit code is 1 if the journal doesn't have it
    #[arg(long, value_name = "ID")]
    #[arg(conflicts_with_all = ["types", "streams", "domains", "since", "until", "limit", "follow"])]
    id: Option<EventId>,
    /// Wait for new events and show them. With --since and --limit, stop after that many events
    #[arg(long, conflicts_with = "until")]
    follow: bool,
    /// The output format
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = EventFormat::Table)]
    output: EventFormat,
    #[command(flatten)]
    local_time: LocalTimeArguments,
}

/// Parses `--limit`. It has no upper bound, because events are printed as they are read.
fn limit(text: &str) -> Result<usize, &'static str> {
    text.parse().ok().filter(|limit| *limit > 0).ok_or("must be a number from 1; without --limit, all events are shown")
}

/// Prints the events.
pub(super) fn run(arguments: Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let Arguments { data, selection, limit, id, follow, output: format, local_time } = arguments;
    local_time.apply(output);
    let selection = selection.selection()?;
    let data_dir = data.path()?;
    let journal = journal::Reader::open(&data_dir)?;
    // Without an index every event is found as well, only later.
    let index = usable_index(&data_dir, &journal).unwrap_or_else(|error| {
        talk(format_args!("cannot use the index, so the whole journal is searched: {error}"));
        None
    });
    let source = EventSource::new(&journal, index.as_ref());
    if let Some(id) = id {
        let Some(record) = source.find(id, usize::MAX)? else {
            bail!(
                "no event {id} in the journal; it may be older than `journal.retention_days`, or belong to another service"
            );
        };
        print_event(&record.event, format, output)?;
        return Ok(ExitCode::SUCCESS);
    }

    let has_since = selection.received.since_ms.is_some();
    let query = EventQuery { selection, order: Order::Ascending, after: None, limit: usize::MAX };
    let mut listing = Listing::start(source, query, limit, format)?;
    listing.print_new(source, limit, output)?;
    output.flush()?;
    // After the newest N, all new events are shown. After the first N since a time, none are.
    let limit = limit.filter(|_| has_since);
    if follow {
        follow_journal(&data_dir, journal.generation()?, listing, limit, output)?;
        return Ok(ExitCode::SUCCESS);
    }
    if listing.shown() == 0 {
        talk("no event matches");
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints new events until `limit` events are shown. A restore puts another journal in the place of the one that was read: then
/// the new one is followed, from the events on that it received later.
fn follow_journal(
    data_dir: &Path,
    mut generation: String,
    mut listing: Listing,
    limit: Option<usize>,
    output: &mut Output<'_>,
) -> anyhow::Result<()> {
    let (mut read_ms, mut is_missing) = (system_clock(), false);
    while limit != Some(listing.shown()) {
        std::thread::sleep(POLL_INTERVAL);
        // An open journal stays the same file when another one takes its place, so each look opens it again.
        let opened = journal::Reader::open(data_dir).and_then(|journal| Ok((journal.generation()?, journal)));
        let (found, journal) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                if !is_missing {
                    talk(format_args!("the journal cannot be read, and is tried again: {error}"));
                }
                is_missing = true;
                continue;
            }
        };
        is_missing = false;
        if found != generation || journal.head()?.is_some_and(|head| head < listing.place()) {
            talk(
                "another journal has taken the place of the one that was followed, as after a restore; its new events follow",
            );
            listing.go_on_since(read_ms);
        }
        generation = found;
        read_ms = system_clock();
        // New events are at the end, where an index saves nothing.
        listing.print_new(EventSource::new(&journal, None), limit, output)?;
        output.flush()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
