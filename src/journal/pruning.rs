//! How the journal stays within its bounds: by age, by size, and by what is remembered of ids. Nothing goes that a consumer
//! has not passed, and dead letters stay.

use rusqlite::params;

use super::JournalError;
use super::store::{Now, Store, secs};
use crate::callback::Event;

/// How many records one transaction of pruning removes at most.
const PRUNE_RECORDS_MAX: u32 = 1000;

/// How many bytes may be appended before the used size is asked for again.
const UNMEASURED_BYTES_MAX: u64 = 1024 * 1024;

/// What an event takes beside its line: its id twice, its numbers, and its share of the pages' own bookkeeping.
const OVERHEAD_BYTES: usize = 100;

/// What a look at the journal's size found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Housekeeping {
    pub(super) used_bytes: u64,
    /// What of it cannot be pruned: records that a consumer has not passed, and dead letters. An estimate.
    pub(super) held_bytes: u64,
    /// The consumer that is furthest behind, if what waits for it is a good part of that.
    pub(super) slowest: Option<String>,
    pub(super) true_window_secs: u32,
    /// Whether there is more to prune at once.
    pub(super) has_more: bool,
    /// Whether the next events will find room.
    pub(super) has_room: bool,
}

impl Store {
    /// Prunes what is old and passed, in slices until `is_enough` says so, and measures.
    ///
    /// # Errors
    /// The journal is no longer where it was, or the disk does not do as asked.
    pub(super) fn keep_house(
        &mut self,
        now: Now,
        mut is_enough: impl FnMut() -> bool,
    ) -> Result<Housekeeping, JournalError> {
        self.check_place()?;
        let now_secs = secs(now);
        self.window.expire(now_secs);
        let mut has_more = false;
        let kept_since_ms = now.wall_ms.saturating_sub(i64::from(self.options.retention_days) * 86_400_000);
        while self.sweep_batches()? || self.prune_slice(Some(kept_since_ms), u64::MAX)? == PRUNE_RECORDS_MAX {
            if is_enough() {
                has_more = true;
                break;
            }
        }
        self.measure()?;

        let records = self.next_offset - self.first_offset;
        let slowest = self.consumers.iter().min_by_key(|consumer| consumer.cursor);
        let pending = slowest.map_or(0, |consumer| (self.next_offset - 1 - consumer.cursor.0).clamp(0, records));
        let records_bytes = self.used_bytes.saturating_sub(self.dead_letters_bytes);
        let pending_bytes = records_bytes as f64 * pending as f64 / records.max(1) as f64;
        let held_bytes = (self.dead_letters_bytes + pending_bytes as u64).min(self.used_bytes);
        let is_good_part = pending > 0 && pending_bytes as u64 >= held_bytes / 4;
        Ok(Housekeeping {
            used_bytes: self.used_bytes,
            held_bytes,
            slowest: slowest.filter(|_| is_good_part).map(|consumer| consumer.name.clone()),
            true_window_secs: self.window.true_span_secs(now_secs),
            has_more,
            has_room: pending < records || self.used_bytes + UNMEASURED_BYTES_MAX <= self.options.size_bytes_max,
        })
    }

    /// Removes some of the ids on disk that are no longer remembered. Whether there may be more.
    fn sweep_batches(&self) -> Result<bool, JournalError> {
        let oldest_remembered = self.next_offset - self.window.len() as i64;
        let swept = self
            .connection
            .prepare_cached(
                "DELETE FROM batches WHERE last_offset IN
                 (SELECT last_offset FROM batches WHERE last_offset < ?1 ORDER BY last_offset LIMIT ?2)",
            )?
            .execute(params![oldest_remembered, PRUNE_RECORDS_MAX])?;
        Ok(swept == PRUNE_RECORDS_MAX as usize)
    }

    /// Whether so many bytes more fit below the size limit, after pruning what may go.
    pub(super) fn make_room(&mut self, bytes: u64) -> Result<bool, JournalError> {
        let limit = self.options.size_bytes_max;
        // Measured before the limit too: what is estimated in between is rather too much.
        if self.unmeasured_bytes + bytes > UNMEASURED_BYTES_MAX
            || self.used_bytes + self.unmeasured_bytes + bytes > limit
        {
            self.measure()?;
        }
        while self.used_bytes + self.unmeasured_bytes + bytes > limit {
            // No more than is wanted, but for a share that makes the work worth its sync.
            if self.prune_slice(None, bytes.max(limit / 64))? == 0 {
                return Ok(false);
            }
            self.measure()?;
        }
        Ok(true)
    }

    /// Removes the oldest records that every consumer has passed, up to a bound, and where a time is given only those
    /// received before it. It ends with the one that completes `bytes_wanted`. Says how many.
    fn prune_slice(&mut self, received_before_ms: Option<i64>, bytes_wanted: u64) -> Result<u32, JournalError> {
        let passed = self.consumers.iter().map(|consumer| consumer.cursor.0).min().unwrap_or(self.next_offset - 1);
        let (mut found, mut bytes) = (0, 0);
        let mut last = None;
        {
            let mut oldest = self.connection.prepare_cached(
                "SELECT offset, received_ms, octet_length(line) FROM records WHERE offset <= ?1 ORDER BY offset LIMIT ?2",
            )?;
            let mut rows = oldest.query(params![passed, PRUNE_RECORDS_MAX])?;
            while bytes < bytes_wanted
                && let Some(row) = rows.next()?
            {
                let received_ms: i64 = row.get(1)?;
                if received_before_ms.is_some_and(|before_ms| received_ms >= before_ms) {
                    break;
                }
                last = Some(row.get::<_, i64>(0)?);
                bytes += row.get::<_, i64>(2)?.unsigned_abs();
                found += 1;
            }
        }
        if let Some(last) = last {
            let transaction = self.connection.unchecked_transaction()?;
            transaction.prepare_cached("DELETE FROM records WHERE offset <= ?1")?.execute([last])?;
            transaction
                .prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'first_offset'")?
                .execute([last + 1])?;
            transaction.commit()?;
            self.first_offset = last + 1;
        }
        Ok(found)
    }

    pub(super) fn measure(&mut self) -> Result<(), JournalError> {
        let number = |pragma: &str| -> rusqlite::Result<i64> {
            self.connection.prepare_cached(pragma)?.query_row([], |row| row.get(0))
        };
        let pages = number("PRAGMA page_count")? - number("PRAGMA freelist_count")?;
        self.used_bytes = u64::try_from(pages * number("PRAGMA page_size")?).unwrap_or(0);
        self.unmeasured_bytes = 0;
        Ok(())
    }
}

/// What an event will take, rather too much than too little: rows do not fill their pages.
pub(super) fn stored_bytes(event: &Event) -> u64 {
    let bytes = event.line().len() + OVERHEAD_BYTES;
    (bytes + bytes / 4) as u64
}
