//! Reads the journal, whether its writer runs or not. Calls block.
//!
//! A call that looks at several records uses one short transaction: it sees one moment, and no reader keeps a checkpoint from
//! emptying the WAL for long.

use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params};

use super::{CLOCK_SLACK_MS, JournalError, Offset, Record, schema};
use crate::callback::{Event, EventId, EventType};
use crate::storage::{Backup, meta};

/// A call returns no further record after this many bytes of events.
pub(super) const READ_BYTES_MAX: usize = 1024 * 1024;

/// SQLite checks whether to give up after this many of its steps, which take some microseconds.
const STEPS_PER_CHECK: i32 = 1000;

/// The name in `meta` of the id that a backup gives to its copy of the journal.
pub(super) const GENERATION: &str = "generation";

/// An open journal that is only read.
#[derive(Debug)]
pub struct Reader {
    pub(super) connection: Connection,
}

impl Reader {
    /// Opens the journal of a data directory.
    ///
    /// # Errors
    /// The journal does not exist, is newer or not a journal, or this user cannot read it.
    pub fn open(data_dir: &Path) -> Result<Reader, JournalError> {
        Ok(Reader { connection: schema::open_to_read(data_dir)? })
    }

    /// Interrupts every call, now and later, once `is_enough` returns true. The interrupted call returns an error for which
    /// [`JournalError::is_given_up`] is true.
    ///
    /// # Errors
    /// SQLite does not accept the check.
    pub fn give_up_when(&mut self, is_enough: impl FnMut() -> bool + Send + 'static) -> Result<(), JournalError> {
        Ok(self.connection.progress_handler(STEPS_PER_CHECK, Some(is_enough))?)
    }

    /// Checks that the journal has every table and column of this version.
    pub(super) fn check_is_current(&self) -> Result<(), JournalError> {
        Ok(schema::DATABASE.check_is_current(&self.connection)?)
    }

    /// Returns the unique id of the journal.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn journal_id(&self) -> Result<String, JournalError> {
        schema::journal_id(&self.connection)
    }

    /// Returns an id that differs between the journal and every copy of it: a backup gives its copy an id, and other journals
    /// use their own. As long as the generation stays the same, an offset means the same record.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn generation(&self) -> Result<String, JournalError> {
        match meta::text(&self.connection, GENERATION)? {
            Some(generation) => Ok(generation),
            None => self.journal_id(),
        }
    }

    /// Copies the journal as it is now into a backup, and gives the copy a generation of its own: a copy that takes the
    /// journal's place uses the same offsets for other records. Calls `progress` with the pages written so far and in
    /// all. Returns the size of the copy in bytes.
    ///
    /// # Errors
    /// The journal cannot be read, or the copy cannot be written.
    pub fn back_up(&self, backup: &mut Backup, progress: impl FnMut(u64, u64) + Send) -> Result<u64, JournalError> {
        let generation = schema::random_id()?;
        let renew = |copy: &Connection| meta::store(copy, GENERATION, Some(generation));
        Ok(backup.copy(&self.connection, &schema::DATABASE, progress, renew)?)
    }

    /// Returns the offset of the newest record; `None` if there is no record.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn head(&self) -> Result<Option<Offset>, JournalError> {
        let head = self.connection.query_row("SELECT max(offset) FROM records", [], |row| row.get(0));
        let head: Option<i64> = self.with_path(head.map_err(JournalError::from))?;
        Ok(head.map(Offset))
    }

    /// Returns the record at an offset; `None` if there is none.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn get(&self, offset: Offset) -> Result<Option<Record>, JournalError> {
        let next = self.read(offset.before(), 1)?.pop();
        Ok(next.filter(|record| record.offset == offset))
    }

    /// Returns the records after `after`, oldest first: at most `limit`, and of bounded size together.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn read(&self, after: Offset, limit: usize) -> Result<Vec<Record>, JournalError> {
        self.select_records(
            "SELECT offset, id, event_type, received_ms, line FROM records
             WHERE offset > ?1 ORDER BY offset LIMIT ?2",
            after,
            limit,
        )
    }

    /// Returns the records before `before`, newest first: at most `limit`, and of bounded size together.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn read_back(&self, before: Offset, limit: usize) -> Result<Vec<Record>, JournalError> {
        self.select_records(
            "SELECT offset, id, event_type, received_ms, line FROM records
             WHERE offset < ?1 ORDER BY offset DESC LIMIT ?2",
            before,
            limit,
        )
    }

    /// Returns an offset before all records received at `since_ms` (Unix ms) or later. If the clock was set back, earlier
    /// records may follow it too.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn offset_before(&self, since_ms: i64) -> Result<Offset, JournalError> {
        // Pruning between two of the queries below must not be seen.
        let _snapshot = self.connection.unchecked_transaction()?;
        // Times grow with offsets unless the clock was set back, so the binary search lands near. The slack covers a jump.
        // One query for each: SQLite scans the whole table if a query asks for both.
        let bounds =
            "SELECT coalesce((SELECT min(offset) FROM records), 0), coalesce((SELECT max(offset) FROM records), 0)";
        let (mut low, mut high): (i64, i64) =
            self.connection.query_row(bounds, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut at = self
            .connection
            .prepare_cached("SELECT received_ms FROM records WHERE offset >= ?1 ORDER BY offset LIMIT 1")?;
        while low < high {
            let middle = low + (high - low) / 2;
            let received_ms: i64 = at.query_row([middle], |row| row.get(0))?;
            if received_ms < since_ms.saturating_sub(CLOCK_SLACK_MS) { low = middle + 1 } else { high = middle }
        }
        Ok(Offset(low - 1))
    }

    /// Looks at the records that [`Reader::read`] returns, or [`Reader::read_back`] if `is_back`, and reads only those of `types`.
    /// For the others it returns their offsets alone: most of the time of a read goes into the lines.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn read_types(
        &self,
        from: Offset,
        is_back: bool,
        limit: usize,
        types: &[EventType],
    ) -> Result<Vec<(Offset, Option<Record>)>, JournalError> {
        let numbers: Vec<String> = types.iter().map(|event_type| event_type.number().to_string()).collect();
        let (side, order) = if is_back { ("<", "DESC") } else { (">", "ASC") };
        // SQLite evaluates only the branch that it needs, so it copies no other line.
        let query = format!(
            "SELECT offset, id, event_type, received_ms, CASE WHEN event_type IN ({}) THEN line END FROM records
             WHERE offset {side} ?1 ORDER BY offset {order} LIMIT ?2",
            numbers.join(", ")
        );
        self.select(&query, from, limit, |row| match row.get_ref(4)? {
            ValueRef::Null => Ok(((Offset(row.get(0)?), None), 0)),
            _ => record(row).map(|record| {
                let bytes = record.event.line().len();
                ((record.offset, Some(record)), bytes)
            }),
        })
    }

    fn select_records(&self, query: &str, from: Offset, limit: usize) -> Result<Vec<Record>, JournalError> {
        self.select(query, from, limit, |row| {
            let record = record(row)?;
            let bytes = record.event.line().len();
            Ok((record, bytes))
        })
    }

    /// Returns what `read` makes of each row, at most `limit` of them, and only those before a damaged one. `read` also returns how
    /// many bytes the row takes, because all rows together have a bounded size.
    fn select<T>(
        &self,
        query: &str,
        from: Offset,
        limit: usize,
        read: impl Fn(&Row<'_>) -> Result<(T, usize), JournalError>,
    ) -> Result<Vec<T>, JournalError> {
        let mut found = Vec::new();
        let mut select = || -> Result<(), JournalError> {
            let mut statement = self.connection.prepare_cached(query)?;
            let mut rows = statement.query(params![from.0, i64::try_from(limit).unwrap_or(i64::MAX)])?;
            let mut bytes = 0;
            // Checked before the next row: one that is larger than the limit must not stop its reader for ever.
            while bytes < READ_BYTES_MAX
                && let Some(row) = rows.next()?
            {
                let (item, taken) = read(row)?;
                bytes += taken;
                found.push(item);
            }
            Ok(())
        };
        match select() {
            // A damaged record must not hold up the ones before it. The next read begins with it.
            Err(error) if found.is_empty() || !error.is_damage() => self.with_path(Err(error)),
            _ => Ok(found),
        }
    }

    /// Names the file in an error, see [`JournalError::with_path`].
    pub(super) fn with_path<T>(&self, result: Result<T, JournalError>) -> Result<T, JournalError> {
        result.map_err(|error| error.with_path(Path::new(self.connection.path().unwrap_or_default())))
    }
}

/// Returns the record in the first columns of a row: offset, id, event type, received time, line.
pub(super) fn record(row: &Row<'_>) -> Result<Record, JournalError> {
    let offset = Offset(row.get(0)?);
    let corrupt = |_| JournalError::Corrupt(offset);
    let id: [u8; 16] =
        row.get_ref(1)?.as_blob().ok().and_then(|id| id.try_into().ok()).ok_or(JournalError::Corrupt(offset))?;
    let event = Event::restore(
        EventId::from_bytes(id),
        EventType::from_number(row.get(2).map_err(corrupt)?),
        row.get(3).map_err(corrupt)?,
        row.get_ref(4)?.as_str().map_err(|_| JournalError::Corrupt(offset))?,
    );
    Ok(Record { offset, event: event.ok_or(JournalError::Corrupt(offset))? })
}

#[cfg(test)]
mod tests;
