//! Reads the journal beside its writer, or when nobody writes. Every call that looks at more than one record sees one moment, in
//! one short transaction, so that no reader keeps the write-ahead log from being emptied. Calls block.

use std::path::Path;

use rusqlite::{Connection, Row, params};

use super::{CLOCK_SLACK_MS, JournalError, Offset, Record, database};
use crate::callback::{Event, EventId, EventType};

/// How many bytes of events one call gives at most, beyond its first record.
pub(super) const READ_BYTES_MAX: usize = 1024 * 1024;

/// After how many of its steps SQLite asks whether to give up: some microseconds.
const STEPS_PER_QUESTION: i32 = 1000;

/// An open journal, to be read only.
#[derive(Debug)]
pub struct Reader {
    pub(super) connection: Connection,
}

impl Reader {
    /// Opens the journal of a data directory.
    ///
    /// # Errors
    /// There is none, it is of a newer version, or it is no journal.
    pub fn open(data_dir: &Path) -> Result<Reader, JournalError> {
        Ok(Reader { connection: database::open_to_read(data_dir)? })
    }

    /// Has every call that is under way or comes give up once `is_enough` says so, which is asked again and again. The
    /// error then [is one](JournalError::is_given_up) that says so.
    ///
    /// # Errors
    /// The database takes no such question.
    pub fn give_up_when(&mut self, is_enough: impl FnMut() -> bool + Send + 'static) -> Result<(), JournalError> {
        Ok(self.connection.progress_handler(STEPS_PER_QUESTION, Some(is_enough))?)
    }

    /// The id of the journal, which no other has.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn journal_id(&self) -> Result<String, JournalError> {
        let query = "SELECT value FROM meta WHERE name = 'journal_id'";
        Ok(self.connection.query_row(query, [], |row| row.get(0))?)
    }

    /// The offset of the newest record; `None` where there is no record.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn head(&self) -> Result<Option<Offset>, JournalError> {
        let head: Option<i64> = self.connection.query_row("SELECT max(offset) FROM records", [], |row| row.get(0))?;
        Ok(head.map(Offset))
    }

    /// The record at an offset; `None` where there is none.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn get(&self, offset: Offset) -> Result<Option<Record>, JournalError> {
        let next = self.read(offset.before(), 1)?.pop();
        Ok(next.filter(|record| record.offset == offset))
    }

    /// The records after `after`, oldest first: at most `limit`, and of bounded size together.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn read(&self, after: Offset, limit: usize) -> Result<Vec<Record>, JournalError> {
        self.select(
            "SELECT offset, id, event_type, received_ms, line FROM records
             WHERE offset > ?1 ORDER BY offset LIMIT ?2",
            after,
            limit,
        )
    }

    /// The records before `before`, newest first: at most `limit`, and of bounded size together.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn read_back(&self, before: Offset, limit: usize) -> Result<Vec<Record>, JournalError> {
        self.select(
            "SELECT offset, id, event_type, received_ms, line FROM records
             WHERE offset < ?1 ORDER BY offset DESC LIMIT ?2",
            before,
            limit,
        )
    }

    /// An offset after which every record received at `since_ms` (Unix ms) or later stands. Where the clock was set back,
    /// earlier ones may stand there too.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn offset_before(&self, since_ms: i64) -> Result<Offset, JournalError> {
        // Between two of its looks records may be pruned.
        let _snapshot = self.connection.unchecked_transaction()?;
        // Times grow with offsets but for jumps of the clock, so a search by halves lands near; from there, the slack covers
        // what a jump displaced.
        let bounds = "SELECT coalesce(min(offset), 0), coalesce(max(offset), 0) FROM records";
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

    fn select(&self, query: &str, from: Offset, limit: usize) -> Result<Vec<Record>, JournalError> {
        let mut statement = self.connection.prepare_cached(query)?;
        let mut rows = statement.query(params![from.0, i64::try_from(limit).unwrap_or(i64::MAX)])?;
        let mut records = Vec::new();
        let mut bytes = 0;
        while let Some(row) = rows.next()? {
            let record = record(row)?;
            bytes += record.event.line().len();
            records.push(record);
            if bytes >= READ_BYTES_MAX {
                break;
            }
        }
        Ok(records)
    }
}

/// The record in the first columns of a row: offset, id, event type, time of arrival, line.
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
