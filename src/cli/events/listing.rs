//! Prints events page by page.

use clap::ValueEnum;

use super::event_table::EventTable;
use crate::callback::Event;
use crate::cli::render::{Output, OutputError};
use crate::history::{EventQuery, EventSource};
use crate::index::Order;
use crate::journal::Offset;

/// How events are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum EventFormat {
    /// Aligned columns for people; long names are cut
    Table,
    /// One CloudEvents JSON object per line
    Json,
}

/// A query with its place in the journal, and the number of events printed so far.
pub(super) struct Listing {
    query: EventQuery,
    shown: usize,
    printer: EventPrinter,
}

impl Listing {
    /// Finds the place of the first event to print. With `limit` and without `since_ms`, the newest `limit` events follow it.
    ///
    /// # Errors
    /// The journal or the index cannot be read.
    pub(super) fn start(
        source: EventSource<'_>,
        mut query: EventQuery,
        limit: Option<usize>,
        format: EventFormat,
    ) -> anyhow::Result<Listing> {
        if let (None, Some(limit)) = (query.selection.received.since_ms, limit) {
            query.after = place_before_newest(source, &query, limit)?;
        }
        let printer = EventPrinter { format, table: EventTable::default() };
        Ok(Listing { query, shown: 0, printer })
    }

    /// The number of events printed so far.
    pub(super) fn shown(&self) -> usize {
        self.shown
    }

    /// The place of the last event that was read.
    pub(super) fn place(&self) -> Offset {
        self.query.after.unwrap_or_default()
    }

    /// Goes on in another journal, with its events that were received at `since_ms` (Unix ms) or later.
    pub(super) fn go_on_since(&mut self, since_ms: i64) {
        let received = &mut self.query.selection.received;
        received.since_ms = received.since_ms.max(Some(since_ms));
        self.query.after = None;
    }

    /// Prints the events from the place to the end of the journal. It stops after `limit` events in all.
    ///
    /// # Errors
    /// The journal or the index cannot be read, or the output cannot be written.
    pub(super) fn print_new(
        &mut self,
        source: EventSource<'_>,
        limit: Option<usize>,
        output: &mut Output<'_>,
    ) -> anyhow::Result<()> {
        loop {
            self.query.limit = limit.map_or(usize::MAX, |limit| limit.saturating_sub(self.shown));
            let page = source.page(&self.query)?;
            for record in &page.records {
                self.printer.print(&record.event, output)?;
                self.shown += 1;
            }
            self.query.after = Some(page.place);
            if !page.has_more || limit == Some(self.shown) {
                return Ok(());
            }
        }
    }
}

/// Returns the place before the newest `limit` events; `None` if there are fewer. Each page is dropped after it is counted, so
/// a large limit takes time and no memory.
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

/// Prints events in one format.
struct EventPrinter {
    format: EventFormat,
    table: EventTable,
}

impl EventPrinter {
    fn print(&mut self, event: &Event, output: &mut Output<'_>) -> Result<(), OutputError> {
        match self.format {
            EventFormat::Table => self.table.print(event, output),
            EventFormat::Json => output.line(event.line()),
        }
    }
}

/// Prints a single event.
///
/// # Errors
/// The output cannot be written.
pub(super) fn print_event(event: &Event, format: EventFormat, output: &mut Output<'_>) -> Result<(), OutputError> {
    EventPrinter { format, table: EventTable::default() }.print(event, output)
}
