//! The table of events, for one batch.

use rusqlite::{CachedStatement, Connection, params};

use super::multiple_rows::{ROWS, placeholders};
use crate::callback::{Event, EventType, recording_started_ms};
use crate::journal::Offset;

/// How many columns a row has.
const COLUMNS: usize = 6;

/// The row of an event.
pub(super) struct EventRow {
    offset: i64,
    id: [u8; 16],
    event_type: i64,
    stream: i64,
    session: Option<i64>,
    begins_ms: Option<i64>,
}

impl EventRow {
    /// Makes the row of an event of a stream, and of a session if it belongs to one.
    pub(super) fn new(offset: Offset, event: &Event, stream: i64, session: Option<i64>) -> EventRow {
        // A recording that doesn't say when it began counts at the time of its end.
        let begins_ms = (event.event_type() == EventType::Recording)
            .then(|| recording_started_ms(event).unwrap_or(event.id().time_ms()));
        let (id, event_type) = (event.id().to_bytes(), event.event_type().number());
        EventRow { offset: offset.0, id, event_type, stream, session, begins_ms }
    }

    /// Binds the row as row number `row` of a statement.
    fn bind(&self, statement: &mut CachedStatement<'_>, row: usize) -> rusqlite::Result<()> {
        let at = row * COLUMNS;
        statement.raw_bind_parameter(at + 1, self.offset)?;
        statement.raw_bind_parameter(at + 2, self.id)?;
        statement.raw_bind_parameter(at + 3, self.event_type)?;
        statement.raw_bind_parameter(at + 4, self.stream)?;
        statement.raw_bind_parameter(at + 5, self.session)?;
        statement.raw_bind_parameter(at + 6, self.begins_ms)
    }
}

/// Returns a statement that inserts rows, which [`EventRow::bind`] binds.
fn insertion(verb: &str, rows: usize) -> String {
    let values = placeholders(COLUMNS, rows);
    format!("{verb} INTO events (offset, id, event_type, stream, session, begins_ms) VALUES {values}")
}

/// Writes the rows of events. It prepares its statements once, because to look one up by its text for each event would cost about as
/// much as to run it.
pub(super) struct EventTable<'c> {
    connection: &'c Connection,
    insert: CachedStatement<'c>,
    insert_rows: CachedStatement<'c>,
}

impl<'c> EventTable<'c> {
    /// Prepares the statements.
    pub(super) fn prepare(connection: &'c Connection) -> rusqlite::Result<EventTable<'c>> {
        Ok(EventTable {
            connection,
            insert: connection.prepare_cached(&insertion("INSERT OR IGNORE", 1))?,
            insert_rows: connection.prepare_cached(&insertion("INSERT OR IGNORE", ROWS))?,
        })
    }

    /// Writes the rows of events in the order of their offsets, and calls `is_new` with the position of each event that is new. A
    /// row with the same id or the same offset is replaced. If the same event had another offset, that goes to `repeats`, because
    /// the journal has a record there, too.
    pub(super) fn write(&mut self, rows: &[EventRow], mut is_new: impl FnMut(usize)) -> rusqlite::Result<()> {
        let newest = "SELECT max(offset) FROM events";
        let newest: Option<i64> = self.connection.prepare_cached(newest)?.query_row([], |row| row.get(0))?;
        for (chunk_number, chunk) in rows.chunks(ROWS).enumerate() {
            // Below the newest offset, a row may be there already.
            let is_above = newest.is_none_or(|newest| chunk[0].offset > newest);
            let inserted = if chunk.len() == ROWS && is_above { self.insert_all(chunk)? } else { 0 };
            for (position, row) in chunk.iter().enumerate() {
                // Nearly all events are new, and then no row needs another look into the table.
                let is_inserted = inserted == ROWS || (inserted > 0 && self.has(row)?);
                if is_inserted || self.insert_one(row)? {
                    is_new(chunk_number * ROWS + position);
                }
            }
        }
        Ok(())
    }

    /// Inserts all rows whose ids are unknown, and returns how many these are.
    fn insert_all(&mut self, rows: &[EventRow]) -> rusqlite::Result<usize> {
        for (number, row) in rows.iter().enumerate() {
            row.bind(&mut self.insert_rows, number)?;
        }
        self.insert_rows.raw_execute()
    }

    /// Whether the table has this row.
    fn has(&self, row: &EventRow) -> rusqlite::Result<bool> {
        let query = "SELECT 1 FROM events WHERE offset = ?1 AND id = ?2";
        self.connection.prepare_cached(query)?.exists(params![row.offset, row.id])
    }

    /// Writes one row. Returns whether the event is new.
    fn insert_one(&mut self, row: &EventRow) -> rusqlite::Result<bool> {
        row.bind(&mut self.insert, 0)?;
        // A row that was inserted proves it without another look into the table.
        if self.insert.raw_execute()? > 0 {
            return Ok(true);
        }
        let is_known = self.connection.prepare_cached("SELECT 1 FROM events WHERE id = ?1")?.exists([row.id])?;
        let repeat = "INSERT OR IGNORE INTO repeats SELECT offset, stream FROM events WHERE id = ?1 AND offset <> ?2";
        self.connection.prepare_cached(repeat)?.execute(params![row.id, row.offset])?;
        let mut replace = self.connection.prepare_cached(&insertion("INSERT OR REPLACE", 1))?;
        row.bind(&mut replace, 0)?;
        replace.raw_execute()?;
        Ok(!is_known)
    }
}
