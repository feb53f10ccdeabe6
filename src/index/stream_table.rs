//! The table of streams, for one batch.

use hashbrown::HashMap;
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::multiple_rows::{Insertion, next_number};
use crate::session::StreamKey;

/// Finds the rows of streams, and writes those of new ones. Like [`super::event_table::EventTable`], it prepares its search once.
pub(super) struct StreamTable<'c> {
    connection: &'c Connection,
    find: CachedStatement<'c>,
    /// The rows of recent streams, by their keys.
    known: &'c mut HashMap<String, i64>,
    /// The streams that are new with the batch, in the order of their rows.
    new: Vec<StreamKey>,
    /// The row of the first of them.
    first_new: Option<i64>,
}

impl<'c> StreamTable<'c> {
    /// Prepares the search.
    pub(super) fn prepare(
        connection: &'c Connection,
        known: &'c mut HashMap<String, i64>,
    ) -> rusqlite::Result<StreamTable<'c>> {
        let find = connection.prepare_cached("SELECT number FROM streams WHERE key = ?1 AND stream = ?2")?;
        Ok(StreamTable { connection, find, known, new: Vec::new(), first_new: None })
    }

    /// Returns the row of a stream. A new stream gets its number now, and its row with [`StreamTable::write`].
    pub(super) fn number(&mut self, key: &StreamKey) -> rusqlite::Result<i64> {
        if let Some(number) = self.known.get(key.as_str()) {
            return Ok(*number);
        }
        let names = params![key.as_str(), key.stream()];
        let number = match self.find.query_row(names, |row| row.get(0)).optional()? {
            Some(number) => number,
            None => self.add(key)?,
        };
        self.known.insert(key.as_str().to_owned(), number);
        Ok(number)
    }

    fn add(&mut self, key: &StreamKey) -> rusqlite::Result<i64> {
        let first = self.first_new.map_or_else(|| next_number(self.connection, "streams"), Ok)?;
        self.first_new = Some(first);
        self.new.push(key.clone());
        Ok(first + self.new.len() as i64 - 1)
    }

    /// Returns whether a stream is new with the batch. The table of sessions has none of it.
    pub(super) fn is_new(&self, number: i64) -> bool {
        self.first_new.is_some_and(|first| number >= first)
    }

    /// Writes the rows of the new streams.
    pub(super) fn write(&self) -> rusqlite::Result<()> {
        if self.new.is_empty() {
            return Ok(());
        }
        // SQLite gives them the numbers that they have here: see `next_number`.
        Insertion::prepare(self.connection, "streams (key, stream)", 2)?.insert(&self.new, |key, statement, from| {
            statement.raw_bind_parameter(from + 1, key.as_str())?;
            statement.raw_bind_parameter(from + 2, key.stream())
        })
    }
}
