//! The table of events, for one batch.

use rusqlite::{CachedStatement, Connection, params};

use crate::callback::{Event, EventType, recording_started_ms};
use crate::journal::Offset;

/// Writes the rows of events. It prepares its statement once, because to look one up by its text for each event would cost about as
/// much as to run it.
pub(super) struct EventTable<'c> {
    connection: &'c Connection,
    insert: CachedStatement<'c>,
}

impl<'c> EventTable<'c> {
    /// Prepares the statement.
    pub(super) fn prepare(connection: &'c Connection) -> rusqlite::Result<EventTable<'c>> {
        let insert = connection.prepare_cached(
            "INSERT OR IGNORE INTO events (offset, id, event_type, stream, session, begins_ms)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        Ok(EventTable { connection, insert })
    }

    /// Writes the row of an event. Returns whether the event is new. A row with the same id or the same offset is replaced. If the
    /// same event had another offset, that goes to `repeats`, because the journal has a record there, too.
    pub(super) fn insert(
        &mut self,
        offset: Offset,
        event: &Event,
        stream: i64,
        session: Option<i64>,
    ) -> rusqlite::Result<bool> {
        let id = event.id().to_bytes();
        // A recording that doesn't say when it began counts at the time of its end.
        let begins_ms = (event.event_type() == EventType::Recording)
            .then(|| recording_started_ms(event).unwrap_or(event.id().time_ms()));
        let row = params![offset.0, id, event.event_type().number(), stream, session, begins_ms];
        // Nearly all events are new. A row that was inserted proves it without another look into the table.
        if self.insert.execute(row)? > 0 {
            return Ok(true);
        }
        let is_known = self.connection.prepare_cached("SELECT 1 FROM events WHERE id = ?1")?.exists([id])?;
        let repeat = "INSERT OR IGNORE INTO repeats SELECT offset, stream FROM events WHERE id = ?1 AND offset <> ?2";
        self.connection.prepare_cached(repeat)?.execute(params![id, offset.0])?;
        let replace = "INSERT OR REPLACE INTO events (offset, id, event_type, stream, session, begins_ms)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.connection.prepare_cached(replace)?.execute(row)?;
        Ok(!is_known)
    }
}
