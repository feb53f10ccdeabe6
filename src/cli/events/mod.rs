//! `livehook events`: what the journal holds, read beside a running service or without one.

mod table;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::ValueEnum;

use self::table::Table;
use super::args::DataDirArguments;
use super::args::moment::During;
use super::render::output::{Output, OutputError, talk};
use crate::callback::{DomainPattern, Event, EventId, EventSelection, EventType, NamePattern, StreamSelection};
use crate::history::{EventQuery, EventSource, usable_index};
use crate::index::Order;
use crate::journal::{self, Offset};
use crate::moment::TimeRange;

/// How often `--follow` looks for new records.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Show the events that were received, oldest first
///
/// Works while the service runs and when it does not. Times, also --since and --until, are when livehook received the
/// event. The table shows them
/// in UTC, and cuts and escapes what would spoil a terminal; JSON is each event as every sink gets it, one a line.
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
    data_dir: DataDirArguments,
    /// Only this event type: a name (push, stop, recording), or a number; repeat it for more
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<EventType>,
    /// Only this stream, each `*` any characters; repeat it for more
    #[arg(long = "stream", value_name = "STREAM", value_parser = NamePattern::new)]
    streams: Vec<NamePattern>,
    /// Only this domain, or those below it as in `*.example.com`; repeat it for more
    #[arg(long = "domain", value_name = "DOMAIN", value_parser = DomainPattern::new)]
    domains: Vec<DomainPattern>,
    #[command(flatten)]
    during: During,
    /// At most this many: the newest, or with --since the first
    #[arg(long, value_name = "N", value_parser = limit)]
    limit: Option<usize>,
    /// Only the event of this id; without it, the exit code is 1
    #[arg(long, value_name = "ID")]
    #[arg(conflicts_with_all = ["types", "streams", "domains", "since", "until", "limit", "follow"])]
    id: Option<EventId>,
    /// Go on with new events as they come; with --since and --limit, until there are so many
    #[arg(long, conflicts_with = "until")]
    follow: bool,
    /// How to show them
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Form::Table)]
    output: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    Table,
    /// One CloudEvents JSON object a line
    Json,
}

/// Reads how many events are wanted at most. They are shown as they are read, so no number is too large.
fn limit(text: &str) -> Result<usize, &'static str> {
    text.parse().ok().filter(|limit| *limit > 0).ok_or("give a number from 1; without --limit all are shown")
}

/// Prints the events.
pub(super) fn run(arguments: Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let Arguments { data_dir, types, streams, domains, during, limit, id, follow, output: form } = arguments;
    during.check()?;
    let During { since, until } = during;
    let journal = journal::Reader::open(data_dir.path())?;
    let index = usable_index(data_dir.path(), &journal).unwrap_or_else(|error| {
        talk(format_args!("the index is of no use, and all of the journal is searched: {error}"));
        None
    });
    let source = EventSource::new(&journal, index.as_ref());
    let mut query = EventQuery {
        selection: EventSelection {
            types,
            streams: StreamSelection { domains, names: streams, ..StreamSelection::default() },
            received: TimeRange { since_ms: since, until_ms: until },
        },
        order: Order::Ascending,
        after: None,
        limit: usize::MAX,
    };
    if let Some(id) = id {
        let Some(record) = source.find(id, usize::MAX)? else {
            bail!(
                "the journal has no event {id}: it may be older than `journal.retention_days`, or of another service"
            );
        };
        Listing::new(query, form).event(&record.event, output)?;
        return Ok(ExitCode::SUCCESS);
    }

    if let (None, Some(limit)) = (since, limit) {
        query.after = place_before_newest(source, &query, limit)?;
    }
    let mut listing = Listing::new(query, form);
    listing.show(source, limit, output)?;
    output.flush()?;
    // The newest N are followed by all that come after them; of those since a moment, N are all that is wanted.
    let limit = limit.filter(|_| since.is_some());
    while follow && limit != Some(listing.shown) {
        std::thread::sleep(POLL_INTERVAL);
        listing.show(source, limit, output)?;
        output.flush()?;
    }
    if listing.shown == 0 {
        talk("no event matches");
    }
    Ok(ExitCode::SUCCESS)
}

/// The place after which the newest `limit` events that match stand; `None` if there are fewer. Events are counted and
/// dropped on the way back, so a large number costs time and no memory.
fn place_before_newest(source: EventSource<'_>, query: &EventQuery, limit: usize) -> anyhow::Result<Option<Offset>> {
    let mut query = EventQuery { order: Order::Descending, limit, ..query.clone() };
    loop {
        let page = source.page(&query)?;
        query.limit -= page.records.len();
        if query.limit == 0 {
            return Ok(page.records.last().map(|record| record.offset.before()));
        }
        if !page.has_more {
            return Ok(None);
        }
        query.after = Some(page.place);
    }
}

/// How far the listing has got.
struct Listing {
    query: EventQuery,
    shown: usize,
    form: Form,
    table: Table,
}

impl Listing {
    fn new(query: EventQuery, form: Form) -> Listing {
        Listing { query, shown: 0, form, table: Table::default() }
    }

    /// Shows an event.
    fn event(&mut self, event: &Event, output: &mut Output<'_>) -> Result<(), OutputError> {
        match self.form {
            Form::Table => self.table.row(event, output),
            Form::Json => output.line(event.line()),
        }
    }

    /// Shows what matches from here to the end of the journal, up to a limit.
    fn show(&mut self, source: EventSource<'_>, limit: Option<usize>, output: &mut Output<'_>) -> anyhow::Result<()> {
        loop {
            self.query.limit = limit.map_or(usize::MAX, |limit| limit.saturating_sub(self.shown));
            let page = source.page(&self.query)?;
            for record in &page.records {
                self.event(&record.event, output)?;
                self.shown += 1;
            }
            self.query.after = Some(page.place);
            if !page.has_more || limit == Some(self.shown) {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests;
