//! Pruning: removes records and ids so that the journal keeps to its retention and its size limit. Records that a consumer has not
//! passed stay, and so do dead letters.

use rusqlite::{Connection, params};

use super::super::{JournalError, Offset};
use crate::callback::Event;

/// How many rows one transaction removes at most.
const STEP_ROWS: u32 = 1000;

/// How many bytes may be added before the size is measured again.
const UNMEASURED_BYTES_MAX: u64 = 1024 * 1024;

/// The space that an event takes in addition to its line: its id twice, its numbers, and a share of each page's header.
const OVERHEAD_BYTES: usize = 100;

/// The space that the journal takes: measured from time to time, estimated in between.
#[derive(Debug)]
pub(super) struct Space {
    /// Every record before this offset is pruned.
    first: Offset,
    used_bytes: u64,
    unmeasured_bytes: u64,
}

impl Space {
    /// Measures a journal whose records begin at `first`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(super) fn measure(connection: &Connection, first: Offset) -> Result<Space, JournalError> {
        Ok(Space { first, used_bytes: used_bytes(connection)?, unmeasured_bytes: 0 })
    }

    /// Every record before this offset is pruned.
    pub(super) fn first(&self) -> Offset {
        self.first
    }

    /// The size at the last measurement.
    pub(super) fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    /// Counts events that were stored.
    pub(super) fn add(&mut self, bytes: u64) {
        self.unmeasured_bytes += bytes;
    }

    /// Whether the size is below a limit, whatever was added since the last measurement.
    pub(super) fn is_surely_below(&self, limit: u64) -> bool {
        self.used_bytes + UNMEASURED_BYTES_MAX <= limit
    }

    /// Prunes passed records, oldest first, until so many bytes more fit below the limit. Returns whether they do.
    ///
    /// # Errors
    /// The database cannot be read or written.
    pub(super) fn free_up(
        &mut self,
        connection: &Connection,
        bytes: u64,
        limit: u64,
        passed: Offset,
    ) -> Result<bool, JournalError> {
        // The estimate is too high rather than too low, so near the limit a measurement comes first.
        if self.unmeasured_bytes + bytes > UNMEASURED_BYTES_MAX || !self.has_space_for(bytes, limit) {
            *self = Space::measure(connection, self.first)?;
        }
        while !self.has_space_for(bytes, limit) {
            // A share of the limit makes the work worth its sync.
            if self.prune_records(connection, passed, None, bytes.max(limit / 64))? == 0 {
                return Ok(false);
            }
            *self = Space::measure(connection, self.first)?;
        }
        Ok(true)
    }

    fn has_space_for(&self, bytes: u64, limit: u64) -> bool {
        self.used_bytes + self.unmeasured_bytes + bytes <= limit
    }

    /// Prunes passed records received before `kept_since_ms`, and the ids of records before `oldest_remembered`. Stops after a
    /// step if `is_enough` returns true, and then returns true because there may be more. Measures the journal at the end.
    ///
    /// # Errors
    /// The database cannot be read or written.
    pub(super) fn prune_old(
        &mut self,
        connection: &Connection,
        kept_since_ms: i64,
        passed: Offset,
        oldest_remembered: Offset,
        mut is_enough: impl FnMut() -> bool,
    ) -> Result<bool, JournalError> {
        let mut has_more = false;
        while prune_ids(connection, oldest_remembered)?
            || self.prune_records(connection, passed, Some(kept_since_ms), u64::MAX)? == STEP_ROWS
        {
            if is_enough() {
                has_more = true;
                break;
            }
        }
        *self = Space::measure(connection, self.first)?;
        Ok(has_more)
    }

    /// Removes the oldest passed records: at most [`STEP_ROWS`], only until `bytes_wanted` are free, and only those received
    /// before a moment if one is given. Returns how many.
    fn prune_records(
        &mut self,
        connection: &Connection,
        passed: Offset,
        received_before_ms: Option<i64>,
        bytes_wanted: u64,
    ) -> Result<u32, JournalError> {
        let (mut found, mut bytes) = (0, 0);
        let mut last = None;
        {
            let mut oldest = connection.prepare_cached(
                "SELECT offset, received_ms, octet_length(line) FROM records WHERE offset <= ?1 ORDER BY offset LIMIT ?2",
            )?;
            let mut rows = oldest.query(params![passed.0, STEP_ROWS])?;
            while bytes < bytes_wanted
                && let Some(row) = rows.next()?
            {
                let received_ms: i64 = row.get(1)?;
                // Only from the front, so that one offset says which records are gone. After a jump of the clock, older
                // ones behind a younger one wait.
                if received_before_ms.is_some_and(|before_ms| received_ms >= before_ms) {
                    break;
                }
                last = Some(row.get::<_, i64>(0)?);
                bytes += row.get::<_, i64>(2)?.unsigned_abs();
                found += 1;
            }
        }
        if let Some(last) = last {
            let transaction = connection.unchecked_transaction()?;
            // Both in one transaction. After a crash in between, the removed offsets could be used again.
            transaction.prepare_cached("DELETE FROM records WHERE offset <= ?1")?.execute([last])?;
            transaction
                .prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'first_offset'")?
                .execute([last + 1])?;
            transaction.commit()?;
            self.first = Offset(last + 1);
        }
        Ok(found)
    }
}

/// Removes ids that the window no longer remembers. Returns whether there may be more.
fn prune_ids(connection: &Connection, oldest_remembered: Offset) -> rusqlite::Result<bool> {
    let pruned = connection
        .prepare_cached(
            "DELETE FROM batches WHERE last_offset IN
             (SELECT last_offset FROM batches WHERE last_offset < ?1 ORDER BY last_offset LIMIT ?2)",
        )?
        .execute(params![oldest_remembered.0, STEP_ROWS])?;
    Ok(pruned == STEP_ROWS as usize)
}

fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let number =
        |pragma: &str| -> rusqlite::Result<i64> { connection.prepare_cached(pragma)?.query_row([], |row| row.get(0)) };
    // Pruning leaves free pages in the file. SQLite uses them again, so they don't count.
    let pages = number("PRAGMA page_count")? - number("PRAGMA freelist_count")?;
    Ok(u64::try_from(pages * number("PRAGMA page_size")?).unwrap_or(0))
}

/// Estimates the space that an event takes. The quarter covers pages that rows do not fill.
pub(super) fn stored_bytes(event: &Event) -> u64 {
    let bytes = event.line().len() + OVERHEAD_BYTES;
    (bytes + bytes / 4) as u64
}

#[cfg(test)]
mod tests;
