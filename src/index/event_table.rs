//! The table of events, for one batch.

use rusqlite::{CachedStatement, Connection, params};

use super::multiple_rows::{ROWS, next_number, placeholders};
use crate::callback::{Event, EventType, recording_started_ms};
use crate::journal::Offset;

/// The columns of a row after its offset.
const COLUMNS: &str = "id, event_type, stream, session, begins_ms";
const COLUMN_COUNT: usize = 5;

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

    /// Binds the values of [`COLUMNS`] to the parameters after `from`.
    fn bind(&self, statement: &mut CachedStatement<'_>, from: usize) -> rusqlite::Result<()> {
        statement.raw_bind_parameter(from + 1, self.id)?;
        statement.raw_bind_parameter(from + 2, self.event_type)?;
        statement.raw_bind_parameter(from + 3, self.stream)?;
        statement.raw_bind_parameter(from + 4, self.session)?;
        statement.raw_bind_parameter(from + 5, self.begins_ms)
    }

    /// Binds the offset and the values of [`COLUMNS`].
    fn bind_with_offset(&self, statement: &mut CachedStatement<'_>) -> rusqlite::Result<()> {
        statement.raw_bind_parameter(1, self.offset)?;
        self.bind(statement, 1)
    }
}

/// Returns a statement that inserts one row, for [`EventRow::bind_with_offset`].
fn insertion(verb: &str) -> String {
    format!("{verb} INTO events (offset, {COLUMNS}) VALUES {}", placeholders(1 + COLUMN_COUNT, 1))
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
        // Without their offsets: see `next_number`.
        let insert_rows =
            format!("INSERT OR IGNORE INTO events ({COLUMNS}) VALUES {}", placeholders(COLUMN_COUNT, ROWS));
        Ok(EventTable {
            connection,
            insert: connection.prepare_cached(&insertion("INSERT OR IGNORE"))?,
            insert_rows: connection.prepare_cached(&insert_rows)?,
        })
    }

    /// Writes the rows of events in the order of their offsets, and calls `is_new` with the position of each event that is new. A
    /// row with the same id or the same offset is replaced. If the same event had another offset, that goes to `repeats`, because
    /// the journal has a record there, too.
    pub(super) fn write(&mut self, rows: &[EventRow], mut is_new: impl FnMut(usize)) -> rusqlite::Result<()> {
        let mut next = next_number(self.connection, "events")?;
        for (chunk_number, chunk) in rows.chunks(ROWS).enumerate() {
            let (first, last) = (chunk[0].offset, chunk[chunk.len() - 1].offset);
            // The offsets of a batch hardly ever have gaps.
            let comes_next = chunk.len() == ROWS && first == next && last - first == ROWS as i64 - 1;
            let are_inserted = comes_next && self.insert_all(chunk)?;
            for (position, row) in chunk.iter().enumerate() {
                if are_inserted || self.insert_one(row)? {
                    is_new(chunk_number * ROWS + position);
                }
            }
            next = next.max(last + 1);
        }
        self.remove_doubles(rows)
    }

    /// Removes the offsets of the batch that are in both tables from `repeats`. A rebuild moves an event to its first offset, and
    /// then back to its last one, which is in `repeats` by then.
    fn remove_doubles(&self, rows: &[EventRow]) -> rusqlite::Result<()> {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(()) };
        let delete = "DELETE FROM repeats WHERE offset BETWEEN ?1 AND ?2
            AND EXISTS (SELECT 1 FROM events WHERE events.offset = repeats.offset)";
        self.connection.prepare_cached(delete)?.execute([first.offset, last.offset])?;
        Ok(())
    }

    /// Inserts all rows after the newest one, or none of them if one of the ids is known or SQLite would give them other offsets.
    /// Returns whether it inserted them.
    fn insert_all(&mut self, rows: &[EventRow]) -> rusqlite::Result<bool> {
        for (number, row) in rows.iter().enumerate() {
            row.bind(&mut self.insert_rows, number * COLUMN_COUNT)?;
        }
        let inserted = self.insert_rows.raw_execute()?;
        if inserted == 0 {
            // The last rowid below would be of another statement.
            return Ok(false);
        }
        let given = self.connection.last_insert_rowid();
        if inserted == rows.len() && rows.last().is_some_and(|last| last.offset == given) {
            return Ok(true);
        }
        // A row was ignored, or the newest row had been replaced by one with a lower offset. The given offsets have no gaps.
        let mut remove = self.connection.prepare_cached("DELETE FROM events WHERE offset > ?1")?;
        remove.execute([given - inserted as i64])?;
        Ok(false)
    }

    /// Writes one row. Returns whether the event is new.
    fn insert_one(&mut self, row: &EventRow) -> rusqlite::Result<bool> {
        row.bind_with_offset(&mut self.insert)?;
        // A row that was inserted proves it without another look into the table.
        if self.insert.raw_execute()? > 0 {
            return Ok(true);
        }
        let is_known = self.connection.prepare_cached("SELECT 1 FROM events WHERE id = ?1")?.exists([row.id])?;
        let repeat = "INSERT OR IGNORE INTO repeats SELECT offset, stream FROM events WHERE id = ?1 AND offset <> ?2";
        self.connection.prepare_cached(repeat)?.execute(params![row.id, row.offset])?;
        let mut replace = self.connection.prepare_cached(&insertion("INSERT OR REPLACE"))?;
        row.bind_with_offset(&mut replace)?;
        replace.raw_execute()?;
        Ok(!is_known)
    }
}
