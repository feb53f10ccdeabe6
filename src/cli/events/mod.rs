//! `livehook events`: what the journal holds, read beside a running service or without one.

mod source;
mod table;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::ValueEnum;

use self::source::Source;
use self::table::Table;
use super::args::DataDirArguments;
use super::args::moment::During;
use super::render::output::{Output, OutputError, talk};
use crate::callback::{DomainPattern, Event, EventId, EventType, NamePattern};
use crate::journal::{CLOCK_SLACK_MS, JournalError, Offset, Reader, Record};
use crate::sink::Filter;

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
    let selection = Selection { filter: Filter { types, domains, streams }, since, until };
    let source = Source::open(data_dir.path(), &selection.filter)?;
    if let Some(id) = id {
        let Some(record) = source.find(id)? else {
            bail!(
                "the journal has no event {id}: it may be older than `journal.retention_days`, or of another service"
            );
        };
        Listing::new(Offset::default(), Offset::default(), form).event(&record.event, output)?;
        return Ok(ExitCode::SUCCESS);
    }

    let end = selection.end(source.journal())?;
    let mut listing = Listing::new(selection.start(&source, limit)?, end, form);
    listing.show(&source, &selection, limit, output)?;
    output.flush()?;
    // The newest N are followed by all that come after them; of those since a moment, N are all that is wanted.
    let limit = limit.filter(|_| since.is_some());
    while follow && limit != Some(listing.shown) {
        std::thread::sleep(POLL_INTERVAL);
        listing.show(&source, &selection, limit, output)?;
        output.flush()?;
    }
    if listing.shown == 0 {
        talk("no event matches");
    }
    Ok(ExitCode::SUCCESS)
}

/// Which events are wanted.
struct Selection {
    filter: Filter,
    since: Option<i64>,
    until: Option<i64>,
}

impl Selection {
    fn takes(&self, event: &Event) -> bool {
        let received_ms = event.received_ms();
        self.since.is_none_or(|since| received_ms >= since)
            && self.until.is_none_or(|until| received_ms < until)
            && self.filter.passes(event)
    }

    /// The offset after which all is too late.
    fn end(&self, journal: &Reader) -> Result<Offset, JournalError> {
        let Some(until) = self.until else { return Ok(Offset(i64::MAX)) };
        // The reader looks for what is older than it is told, to be sure that nothing is missed; here, for what is younger.
        let end = journal.offset_before(until.saturating_add(2 * CLOCK_SLACK_MS))?;
        Ok(Offset(end.0 + 1))
    }

    /// The offset after which to begin.
    fn start(&self, source: &Source, limit: Option<usize>) -> anyhow::Result<Offset> {
        match (self.since, limit) {
            (Some(since), _) => Ok(source.journal().offset_before(since)?),
            (None, Some(limit)) => self.start_of_newest(source, limit),
            (None, None) => Ok(Offset::default()),
        }
    }

    /// The offset after which the newest `limit` records that match stand. Nothing is kept on the way back, so that a
    /// large number costs time and no memory.
    fn start_of_newest(&self, source: &Source, limit: usize) -> anyhow::Result<Offset> {
        let mut found = 0;
        let mut before = Offset(i64::MAX);
        loop {
            let page = source.read_back(before)?;
            if page.is_empty() {
                return Ok(Offset::default());
            }
            for record in page {
                before = record.offset;
                found += usize::from(self.takes(&record.event));
                if found == limit {
                    return Ok(before.before());
                }
            }
        }
    }
}

/// How far the listing has got.
struct Listing {
    after: Offset,
    end: Offset,
    shown: usize,
    form: Form,
    table: Table,
}

impl Listing {
    fn new(after: Offset, end: Offset, form: Form) -> Listing {
        Listing { after, end, shown: 0, form, table: Table::default() }
    }

    /// Shows an event.
    fn event(&mut self, event: &Event, output: &mut Output<'_>) -> Result<(), OutputError> {
        match self.form {
            Form::Table => self.table.row(event, output),
            Form::Json => output.line(event.line()),
        }
    }

    /// Shows what matches from here to the end of the journal, up to a limit.
    fn show(
        &mut self,
        source: &Source,
        selection: &Selection,
        limit: Option<usize>,
        output: &mut Output<'_>,
    ) -> anyhow::Result<()> {
        loop {
            let page = source.read(self.after)?;
            if page.is_empty() {
                return Ok(());
            }
            for Record { offset, event } in page {
                if offset > self.end {
                    return Ok(());
                }
                if selection.takes(&event) {
                    self.event(&event, output)?;
                    self.shown += 1;
                }
                self.after = offset;
                if limit == Some(self.shown) {
                    return Ok(());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
