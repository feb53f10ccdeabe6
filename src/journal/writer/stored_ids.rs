//! The ids of events as stored: each is in its record, and many ids of one row of `batches`, which can be read without the bodies.
//!
//! A row is written when it is full. The ids after the last row are read from the records themselves. So a lone event changes no
//! page of `batches`.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::super::Offset;
use crate::callback::EventId;

/// The size of an id.
const ID_BYTES: usize = 16;

/// A row holds this many ids, so that it fits into a page.
const ROW_IDS: usize = 240;

/// The ids of the newest records that have no row yet.
#[derive(Debug, Default)]
pub(super) struct StoredIds {
    waiting: Vec<u8>,
    /// The record of the newest id.
    last: i64,
}

impl StoredIds {
    /// Reads the ids of the records before `next`, and calls `remember` with each, oldest first. Removes those of later offsets, which
    /// a salvage can leave: these offsets will be used again.
    ///
    /// # Errors
    /// The database cannot be read or written.
    pub(super) fn load(
        connection: &Connection,
        next: Offset,
        mut remember: impl FnMut(Offset, EventId),
    ) -> rusqlite::Result<StoredIds> {
        connection.execute("DELETE FROM batches WHERE last_offset >= ?1", [next.0])?;
        let mut rows_end = 0;
        let mut batches = connection.prepare("SELECT last_offset, ids FROM batches ORDER BY last_offset")?;
        let mut rows = batches.query([])?;
        while let Some(row) = rows.next()? {
            rows_end = row.get(0)?;
            let ids = row.get_ref(1)?.as_blob()?.as_chunks().0;
            let offsets = (rows_end + 1 - ids.len() as i64..).map(Offset);
            offsets.zip(ids).for_each(|(offset, id)| remember(offset, EventId::from_bytes(*id)));
        }
        let mut ids = StoredIds { waiting: Vec::new(), last: rows_end };
        let mut records = connection.prepare("SELECT offset, id FROM records WHERE offset > ?1 ORDER BY offset")?;
        let mut rows = records.query([rows_end])?;
        while let Some(row) = rows.next()? {
            let (offset, id) = (Offset(row.get(0)?), EventId::from_bytes(row.get(1)?));
            remember(offset, id);
            ids.add(offset, id);
        }
        Ok(ids)
    }

    /// Returns the id of the record at an offset, even if the record is pruned. `None` if no id is stored for it.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(super) fn id(&self, connection: &Connection, offset: Offset) -> rusqlite::Result<Option<EventId>> {
        if offset.0 > self.rows_end() {
            let position = (offset.0 - self.rows_end() - 1) as usize;
            return Ok(nth(&self.waiting, position));
        }
        let found = connection
            .prepare_cached(
                "SELECT last_offset, ids FROM batches WHERE last_offset >= ?1 ORDER BY last_offset LIMIT 1",
            )?
            .query_row([offset.0], |row| {
                let (last, ids) = (row.get::<_, i64>(0)?, row.get_ref(1)?.as_blob()?);
                let position = (ids.len() / ID_BYTES) as i64 - 1 - (last - offset.0);
                Ok(usize::try_from(position).ok().and_then(|position| nth(ids, position)))
            })
            .optional()?;
        Ok(found.flatten())
    }

    /// Adds the id of a new record, within the transaction that stores it.
    pub(super) fn add(&mut self, offset: Offset, id: EventId) {
        self.waiting.extend_from_slice(&id.to_bytes());
        self.last = offset.0;
    }

    /// Writes the rows that are full.
    ///
    /// # Errors
    /// The database cannot be written. The ids must be loaded again.
    pub(super) fn store_full_rows(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        while self.waiting.len() >= ROW_IDS * ID_BYTES {
            self.store_row(transaction, ROW_IDS * ID_BYTES)?;
        }
        Ok(())
    }

    /// Writes the ids of records up to this one, which are about to be removed: the ids outlive them.
    ///
    /// # Errors
    /// Like [`StoredIds::store_full_rows`].
    pub(super) fn store_until(&mut self, transaction: &Transaction<'_>, removed: Offset) -> rusqlite::Result<()> {
        if removed.0 > self.rows_end() {
            self.store_row(transaction, self.waiting.len())?;
        }
        Ok(())
    }

    /// The last record whose id has a row.
    fn rows_end(&self) -> i64 {
        // Offsets of records without a row have no gaps.
        self.last - (self.waiting.len() / ID_BYTES) as i64
    }

    fn store_row(&mut self, transaction: &Transaction<'_>, bytes: usize) -> rusqlite::Result<()> {
        let last = self.rows_end() + (bytes / ID_BYTES) as i64;
        transaction
            .prepare_cached("INSERT INTO batches (last_offset, ids) VALUES (?1, ?2)")?
            .execute(params![last, &self.waiting[..bytes]])?;
        self.waiting.drain(..bytes);
        Ok(())
    }
}

/// Returns the id at a position in a row of ids.
fn nth(ids: &[u8], position: usize) -> Option<EventId> {
    ids.as_chunks().0.get(position).map(|id| EventId::from_bytes(*id))
}
