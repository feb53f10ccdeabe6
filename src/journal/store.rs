//! The writer's side of the journal: everything that changes its file, one step at a time, without threads or clocks.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, params};

use super::queue::{Advance, Append};
use super::window::Window;
use super::{AppendError, Appended, DeadLetter, JournalError, Offset, Options, Progress, Start, database};
use crate::callback::EventId;

/// How many records one transaction of pruning removes at most.
const PRUNE_RECORDS_MAX: u32 = 1000;

/// How many bytes may be appended before the used size is asked for again.
const UNMEASURED_BYTES_MAX: u64 = 1024 * 1024;

/// What an event takes beside its texts: its id twice, its numbers, and its share of the pages' own bookkeeping.
const OVERHEAD_BYTES: usize = 100;

/// A moment on both clocks. The wall clock may jump; the other one only goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Unix time in ms.
    pub(super) wall_ms: i64,
    /// Since the start of the process.
    pub(super) monotonic: Duration,
}

/// A consumer as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredConsumer {
    pub(super) name: String,
    pub(super) cursor: Offset,
    pub(super) state: Option<Vec<u8>>,
    pub(super) dead_letters: i64,
}

/// The open journal.
pub(super) struct Store {
    data_dir: PathBuf,
    options: Options,
    connection: Connection,
    window: Window,
    first_offset: i64,
    next_offset: i64,
    consumers: Vec<StoredConsumer>,
    used_bytes: u64,
    unmeasured_bytes: u64,
    dead_letters_bytes: u64,
    journal_id: String,
}

/// What a look at the journal's size found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Housekeeping {
    pub(super) used_bytes: u64,
    /// What of it cannot be pruned: records that a consumer has not passed, and dead letters. An estimate.
    pub(super) held_bytes: u64,
    /// The consumer that is furthest behind, if one is.
    pub(super) slowest: Option<String>,
    pub(super) true_window_secs: u32,
    /// Whether there is more to prune at once.
    pub(super) has_more: bool,
    /// Whether the next events will find room.
    pub(super) has_room: bool,
}

impl Store {
    /// Opens the journal, and brings its consumers to those given: others are retired, new ones get their start. When
    /// it returns, all that can be read is durable.
    pub(super) fn open(
        data_dir: &Path,
        options: &Options,
        consumers: &[(String, Start)],
        now: Moment,
    ) -> Result<Store, JournalError> {
        let connection = database::open(data_dir)?;
        let first_offset = database::meta_number(&connection, "first_offset")?.max(1);
        let last: Option<i64> = connection.query_row("SELECT max(offset) FROM records", [], |row| row.get(0))?;
        let next_offset = last.map_or(first_offset, |last| (last + 1).max(first_offset));
        let dead_letters_bytes: i64 =
            connection.query_row("SELECT coalesce(sum(length(line)), 0) FROM dead_letters", [], |row| row.get(0))?;
        let journal_id =
            connection.query_row("SELECT value FROM meta WHERE name = 'journal_id'", [], |row| row.get(0))?;
        let mut store = Store {
            data_dir: data_dir.to_owned(),
            options: options.clone(),
            window: Window::new(options.dedupe_window_secs, options.dedupe_ids_max),
            connection,
            first_offset,
            next_offset,
            consumers: Vec::new(),
            used_bytes: 0,
            unmeasured_bytes: 0,
            dead_letters_bytes: u64::try_from(dead_letters_bytes).unwrap_or(0),
            journal_id,
        };
        store.read_window(now)?;
        store.settle_consumers(consumers)?;
        store.measure()?;
        Ok(store)
    }

    /// Opens the same journal again from nothing but its file: the proof after a failure that it can be read and written.
    pub(super) fn reopener(&self) -> impl FnMut(Moment) -> Result<Store, JournalError> + Send + use<> {
        let consumers: Vec<(String, Start)> =
            self.consumers.iter().map(|consumer| (consumer.name.clone(), Start::Now)).collect();
        let (data_dir, options) = (self.data_dir.clone(), self.options.clone());
        let journal_id = self.journal_id.clone();
        move |now| {
            let store = Store::open_and_write(&data_dir, &options, &consumers, now)?;
            // Consumers go on with the cursors that they have in memory, which fit this journal alone.
            if store.journal_id == journal_id { Ok(store) } else { Err(JournalError::Replaced(data_dir.clone())) }
        }
    }

    /// As [`Store::open`], and writes and syncs something besides.
    pub(super) fn open_and_write(
        data_dir: &Path,
        options: &Options,
        consumers: &[(String, Start)],
        now: Moment,
    ) -> Result<Store, JournalError> {
        let store = Store::open(data_dir, options, consumers, now)?;
        store.connection.execute("INSERT OR REPLACE INTO meta VALUES ('proven_ms', ?1)", [now.wall_ms])?;
        Ok(store)
    }

    pub(super) fn consumers(&self) -> &[StoredConsumer] {
        &self.consumers
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// The newest record's offset, or the one before the next where there is none.
    pub(super) fn head(&self) -> Offset {
        Offset(self.next_offset - 1)
    }

    /// Makes events and progress durable in one transaction, and answers for each event in order.
    ///
    /// # Errors
    /// Nothing of it has been proven, and what is in memory no longer fits what is on disk: the store must be opened anew.
    pub(super) fn commit(
        &mut self,
        appends: &[Append],
        advances: &[Advance],
        now: Moment,
    ) -> Result<Vec<Result<Appended, AppendError>>, JournalError> {
        let now_secs = secs(now);
        self.window.expire(now_secs);
        let is_new = |append: &&Append| !self.window.contains(append.event.id());
        let bytes = appends.iter().filter(is_new).map(|append| stored_bytes(&append.event)).sum();
        let has_room = self.make_room(bytes)?;

        let mut outcomes = Vec::with_capacity(appends.len());
        let mut stored = 0;
        let mut next_offset = self.next_offset;
        let transaction = self.connection.unchecked_transaction()?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO records (offset, id, event_type, received_ms, partition_key, line) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            let mut ids = Vec::with_capacity(appends.len() * 16);
            let mut received_ms = now.wall_ms;
            for Append { event, .. } in appends {
                if self.window.contains(event.id()) {
                    outcomes.push(Ok(Appended::Duplicate));
                    continue;
                }
                if !has_room {
                    outcomes.push(Err(AppendError::Full));
                    continue;
                }
                let id = event.id().to_bytes();
                insert.execute(params![
                    next_offset,
                    id,
                    event.event_type().number(),
                    event.received_ms(),
                    event.partition_key().as_str(),
                    event.line()
                ])?;
                ids.extend_from_slice(&id);
                received_ms = event.received_ms();
                self.window.insert(event.id(), now_secs);
                stored += 1;
                next_offset += 1;
                outcomes.push(Ok(Appended::Stored));
            }
            if stored > 0 {
                transaction
                    .prepare_cached("INSERT INTO batches (last_offset, received_ms, ids) VALUES (?1, ?2, ?3)")?
                    .execute(params![next_offset - 1, received_ms, ids])?;
            }
            for Advance { consumer, progress, .. } in advances {
                write_progress(&transaction, &self.consumers[*consumer].name, progress)?;
            }
        }
        if stored > 0 || !advances.is_empty() {
            transaction.commit()?
        } else {
            transaction.rollback()?
        }

        self.next_offset = next_offset;
        self.unmeasured_bytes += bytes;
        for Advance { consumer, progress, .. } in advances {
            let stored = &mut self.consumers[*consumer];
            stored.cursor = stored.cursor.max(progress.cursor);
            stored.dead_letters += progress.dead_letters.len() as i64;
            let lines = progress.dead_letters.iter().map(|letter| letter.record.event.line().len() as u64);
            self.dead_letters_bytes += lines.sum::<u64>();
            if progress.state.is_some() {
                stored.state.clone_from(&progress.state);
            }
        }
        Ok(outcomes)
    }

    /// Prunes what is old and passed, in slices until `is_enough` says so, and measures.
    pub(super) fn keep_house(
        &mut self,
        now: Moment,
        mut is_enough: impl FnMut() -> bool,
    ) -> Result<Housekeeping, JournalError> {
        let now_secs = secs(now);
        self.window.expire(now_secs);
        let mut has_more = false;
        let kept_since_ms = now.wall_ms.saturating_sub(i64::from(self.options.retention_days) * 86_400_000);
        while self.sweep_batches()? || self.prune_slice(Some(kept_since_ms))? == PRUNE_RECORDS_MAX {
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
        Ok(Housekeeping {
            used_bytes: self.used_bytes,
            held_bytes: (self.dead_letters_bytes + pending_bytes as u64).min(self.used_bytes),
            slowest: slowest.filter(|_| pending > 0).map(|consumer| consumer.name.clone()),
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
    fn make_room(&mut self, bytes: u64) -> Result<bool, JournalError> {
        let limit = self.options.size_bytes_max;
        // Measured before the limit too: what is estimated in between is rather too much.
        if self.unmeasured_bytes + bytes > UNMEASURED_BYTES_MAX
            || self.used_bytes + self.unmeasured_bytes + bytes > limit
        {
            self.measure()?;
        }
        while self.used_bytes + self.unmeasured_bytes + bytes > limit {
            if self.prune_slice(None)? == 0 {
                return Ok(false);
            }
            self.measure()?;
        }
        Ok(true)
    }

    /// Removes the oldest records that every consumer has passed, up to a bound, and where a time is given only those
    /// received before it. Says how many.
    fn prune_slice(&mut self, received_before_ms: Option<i64>) -> Result<u32, JournalError> {
        let passed = self.consumers.iter().map(|consumer| consumer.cursor.0).min().unwrap_or(self.next_offset - 1);
        let mut found = 0;
        let mut last = None;
        {
            let mut oldest = self.connection.prepare_cached(
                "SELECT offset, received_ms FROM records WHERE offset <= ?1 ORDER BY offset LIMIT ?2",
            )?;
            let mut rows = oldest.query(params![passed, PRUNE_RECORDS_MAX])?;
            while let Some(row) = rows.next()? {
                let received_ms: i64 = row.get(1)?;
                if received_before_ms.is_some_and(|before_ms| received_ms >= before_ms) {
                    break;
                }
                last = Some(row.get::<_, i64>(0)?);
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

    fn measure(&mut self) -> Result<(), JournalError> {
        let number = |pragma: &str| -> rusqlite::Result<i64> {
            self.connection.prepare_cached(pragma)?.query_row([], |row| row.get(0))
        };
        let pages = number("PRAGMA page_count")? - number("PRAGMA freelist_count")?;
        self.used_bytes = u64::try_from(pages * number("PRAGMA page_size")?).unwrap_or(0);
        self.unmeasured_bytes = 0;
        Ok(())
    }

    /// Remembers the ids of the newest batches as if they had just been stored: their true age cannot be told, since the
    /// wall clock may have jumped in between, and remembering for too long loses nothing.
    fn read_window(&mut self, now: Moment) -> Result<(), JournalError> {
        let now_secs = secs(now);
        let mut batches = self.connection.prepare("SELECT ids FROM batches ORDER BY last_offset")?;
        let mut rows = batches.query([])?;
        while let Some(row) = rows.next()? {
            let ids = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            for id in ids.as_chunks().0 {
                self.window.insert(EventId::from_bytes(*id), now_secs);
            }
        }
        Ok(())
    }

    fn settle_consumers(&mut self, wanted: &[(String, Start)]) -> Result<(), JournalError> {
        let head = self.next_offset - 1;
        let transaction = self.connection.unchecked_transaction()?;
        let retired: Vec<(String, i64)> = {
            let mut statement = transaction.prepare("SELECT name, cursor FROM consumers WHERE NOT is_retired")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<Result<_, _>>()?
        };
        for (name, cursor) in retired {
            if !wanted.iter().any(|(wanted, _)| *wanted == name) {
                tracing::warn!(
                    sink = name,
                    pending_records = (head - cursor).max(0),
                    "this sink is no longer configured: its cursor is retired and holds nothing back"
                );
                transaction.execute("UPDATE consumers SET is_retired = 1 WHERE name = ?1", [name])?;
            }
        }
        for (name, start) in wanted {
            let start = match start {
                Start::Now => head,
                Start::Earliest => self.first_offset - 1,
            };
            transaction.execute(
                "INSERT INTO consumers (name, cursor) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET is_retired = 0",
                params![name, start],
            )?;
            let consumer = transaction.query_row(
                "SELECT cursor, state, (SELECT count(*) FROM dead_letters WHERE consumer = name) FROM consumers WHERE name = ?1",
                [name],
                |row| {
                    Ok(StoredConsumer {
                        name: name.clone(),
                        cursor: Offset(row.get(0)?),
                        state: row.get(1)?,
                        dead_letters: row.get(2)?,
                    })
                },
            )?;
            check_cursor(&consumer, self.first_offset, head)?;
            self.consumers.push(consumer);
        }
        transaction.commit()?;
        Ok(())
    }
}

/// A cursor beyond the end would skip events to come in silence; one before the oldest record has missed some already.
fn check_cursor(consumer: &StoredConsumer, first_offset: i64, head: i64) -> Result<(), JournalError> {
    if consumer.cursor.0 > head {
        return Err(JournalError::Cursor { sink: consumer.name.clone(), cursor: consumer.cursor, head: Offset(head) });
    }
    let missed = first_offset - 1 - consumer.cursor.0;
    if missed > 0 {
        tracing::warn!(
            sink = consumer.name,
            records = missed,
            "records were pruned while this sink was not configured: it will not get them"
        );
    }
    Ok(())
}

fn write_progress(connection: &Connection, name: &str, progress: &Progress) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE consumers SET cursor = max(cursor, ?2), state = coalesce(?3, state) WHERE name = ?1")?
        .execute(params![name, progress.cursor.0, progress.state])?;
    for DeadLetter { record, attempts, reason, failed_ms } in &progress.dead_letters {
        connection
            .prepare_cached(
                "INSERT INTO dead_letters (consumer, attempts, reason, failed_ms, offset, id, event_type, received_ms, partition_key, line)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                name,
                attempts,
                reason,
                failed_ms,
                record.offset.0,
                record.event.id().to_bytes(),
                record.event.event_type().number(),
                record.event.received_ms(),
                record.event.partition_key().as_str(),
                record.event.line()
            ])?;
    }
    Ok(())
}

/// What an event will take, rather too much than too little: rows do not fill their pages.
fn stored_bytes(event: &crate::callback::Event) -> u64 {
    let bytes = event.line().len() + event.partition_key().as_str().len() + OVERHEAD_BYTES;
    (bytes + bytes / 4) as u64
}

fn secs(now: Moment) -> u32 {
    u32::try_from(now.monotonic.as_secs()).unwrap_or(u32::MAX)
}
