//! The table of streams, for one batch.

use hashbrown::HashMap;
use rusqlite::{CachedStatement, Connection, params};

use crate::session::StreamKey;

/// Finds the rows of streams, and writes those of new ones. Like [`super::event_table::EventTable`], it prepares its statements once.
pub(super) struct StreamTable<'c> {
    connection: &'c Connection,
    insert: CachedStatement<'c>,
    find: CachedStatement<'c>,
    /// The rows of recent streams, by their keys.
    known: &'c mut HashMap<String, i64>,
}

impl<'c> StreamTable<'c> {
    /// Prepares the statements.
    pub(super) fn prepare(
        connection: &'c Connection,
        known: &'c mut HashMap<String, i64>,
    ) -> rusqlite::Result<StreamTable<'c>> {
        let insert = connection.prepare_cached("INSERT OR IGNORE INTO streams (key, stream) VALUES (?1, ?2)")?;
        let find = connection.prepare_cached("SELECT number FROM streams WHERE key = ?1 AND stream = ?2")?;
        Ok(StreamTable { connection, insert, find, known })
    }

    /// Returns the row of a stream. A new stream gets one.
    pub(super) fn number(&mut self, key: &StreamKey) -> rusqlite::Result<i64> {
        if let Some(number) = self.known.get(key.as_str()) {
            return Ok(*number);
        }
        let names = params![key.as_str(), key.stream()];
        let is_new = self.insert.execute(names)? > 0;
        let number =
            if is_new { self.connection.last_insert_rowid() } else { self.find.query_row(names, |row| row.get(0))? };
        self.known.insert(key.as_str().to_owned(), number);
        Ok(number)
    }
}
