//! Pruning: removes records and ids so that the journal keeps to its retention and its size limit. Records that a consumer has not
//! passed stay, and so do dead letters.
//!
//! Everything goes in small slices, because events wait for the one at work.

use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::super::{JournalError, Offset};
use super::now::Now;
use super::slice_size::SliceSize;
use super::stored_ids::StoredIds;
use crate::callback::Event;
use crate::storage::{FileSpace, give_back};

/// How many bytes may be added before the size is measured again.
const UNMEASURED_BYTES_MAX: u64 = 1024 * 1024;

/// Pruning ahead of events leaves this part of the size limit free (1/64), so that commits seldom have to prune.
const HEADROOM_SHARE: u64 = 64;

/// The pause after a failure to give space back.
const GIVE_BACK_PAUSE: Duration = Duration::from_secs(60);

/// The space that an event takes in addition to its line: its id twice, its numbers, and a share of each page's header.
const OVERHEAD_BYTES: usize = 100;

/// The records that pruning keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keep {
    /// Records received at this moment (Unix ms) or later, if they are within the size limit.
    pub(super) received_since_ms: i64,
    /// The size limit of the journal.
    pub(super) size_bytes_max: u64,
    /// Every record after this one: a consumer needs it.
    pub(super) unpassed_after: Offset,
    /// The ids from this record on.
    pub(super) remembered_from: Offset,
}

/// The space that the journal takes: measured from time to time, estimated in between.
#[derive(Debug)]
pub(super) struct Space {
    /// Every record before this offset is pruned.
    first: Offset,
    file: FileSpace,
    unmeasured_bytes: u64,
    slice: SliceSize,
    /// When to give space back again after a failure, on the monotonic clock.
    give_back_after: Duration,
}

impl Space {
    /// Measures a journal whose records begin at `first`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(super) fn measure(connection: &Connection, first: Offset) -> Result<Space, JournalError> {
        let file = FileSpace::measure(connection)?;
        Ok(Space { first, file, unmeasured_bytes: 0, slice: SliceSize::default(), give_back_after: Duration::ZERO })
    }

    /// Measures the journal again.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(super) fn measure_again(&mut self, connection: &Connection) -> Result<(), JournalError> {
        self.file = FileSpace::measure(connection)?;
        self.unmeasured_bytes = 0;
        Ok(())
    }

    /// Every record before this offset is pruned.
    pub(super) fn first(&self) -> Offset {
        self.first
    }

    /// The file at the last measurement.
    pub(super) fn file(&self) -> FileSpace {
        self.file
    }

    /// Counts events that were stored.
    pub(super) fn add(&mut self, bytes: u64) {
        self.unmeasured_bytes += bytes;
    }

    /// Whether the size is below a limit, whatever was added since the last measurement.
    pub(super) fn is_surely_below(&self, limit: u64) -> bool {
        self.file.used_bytes() + UNMEASURED_BYTES_MAX <= limit
    }

    /// Makes room for so many bytes: if they don't fit below the limit, prunes passed records, oldest first, until the journal
    /// doesn't grow. Returns whether the bytes may be stored.
    ///
    /// A limit that was lowered can be far below the size. [`Space::prune_slice`] reaches it between commits.
    ///
    /// # Errors
    /// The database cannot be read or written.
    pub(super) fn free_up(
        &mut self,
        connection: &Connection,
        ids: &mut StoredIds,
        bytes: u64,
        limit: u64,
        passed: Offset,
    ) -> Result<bool, JournalError> {
        // The estimate is too high rather than too low, so near the limit a measurement comes first.
        if self.unmeasured_bytes + bytes > UNMEASURED_BYTES_MAX || !self.has_space_for(bytes, limit) {
            self.measure_again(connection)?;
        }
        // Events wait for all of it, so fewer and larger slices are better. Some more than needed makes the work worth its sync.
        let slice = SliceSize::default();
        let wanted = bytes.saturating_mul(2).max((limit / HEADROOM_SHARE).min(slice.bytes()));
        let mut freed = 0;
        while !self.has_space_for(bytes, limit) && freed < wanted {
            let pruned = self.prune_records(connection, ids, passed, None, wanted - freed, slice)?;
            if pruned == 0 {
                return Ok(false);
            }
            freed += pruned;
            self.measure_again(connection)?;
        }
        Ok(true)
    }

    fn has_space_for(&self, bytes: u64, limit: u64) -> bool {
        self.file.used_bytes() + self.unmeasured_bytes + bytes <= limit
    }

    /// Removes a slice of the ids and records that need not be kept, oldest first. Returns whether there may be more.
    ///
    /// # Errors
    /// The database cannot be read or written.
    pub(super) fn prune_slice(
        &mut self,
        connection: &Connection,
        ids: &mut StoredIds,
        keep: &Keep,
    ) -> Result<bool, JournalError> {
        let began = Instant::now();
        if prune_ids(connection, keep.remembered_from, self.slice)? {
            self.slice.adapt(began.elapsed());
            return Ok(true);
        }
        let target = keep.size_bytes_max - keep.size_bytes_max / HEADROOM_SHARE;
        let surplus = self.file.used_bytes().saturating_sub(target);
        let (before_ms, wanted) = if surplus > 0 { (None, surplus) } else { (Some(keep.received_since_ms), u64::MAX) };
        let pruned = self.prune_records(connection, ids, keep.unpassed_after, before_ms, wanted, self.slice)?;
        self.measure_again(connection)?;
        if pruned > 0 {
            self.slice.adapt(began.elapsed());
        }
        Ok(pruned > 0)
    }

    /// Gives a slice of free pages back to the disk, if the file has more than it should keep. Returns whether it did.
    pub(super) fn give_back(&mut self, connection: &Connection, now: Now) -> bool {
        if !self.file.has_surplus() || now.monotonic < self.give_back_after {
            return false;
        }
        let began = Instant::now();
        let given = give_back(connection, self.slice.pages()).map_err(JournalError::from);
        match given.and_then(|()| self.measure_again(connection)) {
            Ok(()) => {
                self.slice.adapt(began.elapsed());
                true
            }
            Err(error) => {
                // No event depends on this, and a commit shows whether the disk fails.
                tracing::warn!(%error, "the journal cannot give free space back to the disk; livehook tries again in a minute");
                self.give_back_after = now.monotonic + GIVE_BACK_PAUSE;
                false
            }
        }
    }

    /// Removes the oldest passed records: a slice of them, only until `bytes_wanted` are free, and only those received before a
    /// moment if one is given. Returns the size of their lines.
    fn prune_records(
        &mut self,
        connection: &Connection,
        ids: &mut StoredIds,
        passed: Offset,
        received_before_ms: Option<i64>,
        bytes_wanted: u64,
        slice: SliceSize,
    ) -> Result<u64, JournalError> {
        let bytes_wanted = bytes_wanted.min(slice.bytes());
        let mut bytes = 0;
        let mut last = None;
        {
            let mut oldest = connection.prepare_cached(
                "SELECT offset, received_ms, octet_length(line) FROM records WHERE offset <= ?1 ORDER BY offset LIMIT ?2",
            )?;
            let mut rows = oldest.query(params![passed.0, slice.rows()])?;
            while bytes < bytes_wanted
                && let Some(row) = rows.next()?
            {
                let offset: i64 = row.get(0)?;
                let received_ms: i64 = row.get(1).map_err(|_| JournalError::Corrupt(Offset(offset)))?;
                // Only from the front, so that one offset says which records are gone. After a jump of the clock, older
                // ones behind a younger one wait.
                if received_before_ms.is_some_and(|before_ms| received_ms >= before_ms) {
                    break;
                }
                last = Some(offset);
                bytes += row.get::<_, i64>(2)?.unsigned_abs();
            }
        }
        if let Some(last) = last {
            let transaction = connection.unchecked_transaction()?;
            ids.store_until(&transaction, Offset(last))?;
            // Both in one transaction. After a crash in between, the removed offsets could be used again.
            transaction.prepare_cached("DELETE FROM records WHERE offset <= ?1")?.execute([last])?;
            transaction
                .prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'first_offset'")?
                .execute([last + 1])?;
            transaction.commit()?;
            self.first = Offset(last + 1);
        }
        Ok(bytes)
    }
}

/// Removes a slice of ids that the window no longer remembers. Returns whether there may be more.
fn prune_ids(connection: &Connection, remembered_from: Offset, slice: SliceSize) -> rusqlite::Result<bool> {
    // The newest row stays, because it shows which records have their ids in a row.
    let pruned = connection
        .prepare_cached(
            "DELETE FROM batches WHERE last_offset IN
             (SELECT last_offset FROM batches WHERE last_offset < min(?1, (SELECT max(last_offset) FROM batches))
              ORDER BY last_offset LIMIT ?2)",
        )?
        .execute(params![remembered_from.0, slice.rows()])?;
    Ok(pruned == slice.rows() as usize)
}

/// Estimates the space that an event takes. The quarter covers pages that rows do not fill.
pub(super) fn stored_bytes(event: &Event) -> u64 {
    let bytes = event.line().len() + OVERHEAD_BYTES;
    (bytes + bytes / 4) as u64
}

#[cfg(test)]
mod tests;
