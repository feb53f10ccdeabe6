//! The writer's side of the journal: everything that changes its file, one step at a time, without threads or clocks.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, params};

use super::change::{Slice, Sliced};
use super::file::Identity;
use super::progress::{StoredConsumer, write_progress};
use super::pruning::stored_bytes;
use super::queue::{Advance, Append};
use super::window::Window;
use super::{AppendError, Appended, JournalError, Offset, Options, Start, database};
use crate::callback::EventId;

/// The present on both clocks. The wall clock may jump; the other one only goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// Unix time in ms.
    pub(super) wall_ms: i64,
    /// Since the start of the process.
    pub(super) monotonic: Duration,
}

/// The open journal.
pub(super) struct Store {
    pub(super) data_dir: PathBuf,
    pub(super) options: Options,
    pub(super) connection: Connection,
    pub(super) window: Window,
    pub(super) first_offset: i64,
    pub(super) next_offset: i64,
    pub(super) consumers: Vec<StoredConsumer>,
    pub(super) used_bytes: u64,
    pub(super) unmeasured_bytes: u64,
    pub(super) dead_letters_bytes: u64,
    journal_id: String,
    identity: Identity,
}

impl Store {
    /// Opens the journal, and brings its consumers to those given: others are retired, new ones get their start. When
    /// it returns, all that can be read is durable.
    pub(super) fn open(
        data_dir: &Path,
        options: &Options,
        consumers: &[(String, Start)],
        now: Now,
    ) -> Result<Store, JournalError> {
        let (connection, path) = (database::open(data_dir)?, database::path(data_dir));
        let first_offset = database::meta_number(&connection, "first_offset")?.max(1);
        let last: Option<i64> = connection.query_row("SELECT max(offset) FROM records", [], |row| row.get(0))?;
        let next_offset = last.map_or(first_offset, |last| (last + 1).max(first_offset));
        let lines_bytes = "SELECT coalesce(sum(octet_length(line)), 0) FROM dead_letters";
        let dead_letters_bytes: i64 = connection.query_row(lines_bytes, [], |row| row.get(0))?;
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
            identity: Identity::of(&path).map_err(|source| JournalError::Io { path, source })?,
        };
        store.read_window(now)?;
        store.settle_consumers(consumers)?;
        store.measure()?;
        Ok(store)
    }

    /// Opens the same journal again from nothing but its file: the proof after a failure that it can be read and written.
    pub(super) fn reopener(&self) -> impl FnMut(Now) -> Result<Store, JournalError> + Send + use<> {
        let consumers: Vec<(String, Start)> =
            self.consumers.iter().map(|consumer| (consumer.name.clone(), Start::Now)).collect();
        let (data_dir, options) = (self.data_dir.clone(), self.options.clone());
        let (journal_id, identity) = (self.journal_id.clone(), self.identity);
        move |now| {
            // Not to be made anew where it is gone.
            check_place(&data_dir, identity)?;
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
        now: Now,
    ) -> Result<Store, JournalError> {
        let store = Store::open(data_dir, options, consumers, now)?;
        store.connection.execute("INSERT OR REPLACE INTO meta VALUES ('proven_ms', ?1)", [now.wall_ms])?;
        Ok(store)
    }

    /// That the journal is still where it was opened: a file that was removed takes all that is written, and nobody would
    /// find it.
    pub(super) fn check_place(&self) -> Result<(), JournalError> {
        check_place(&self.data_dir, self.identity)
    }

    pub(super) fn consumers(&self) -> &[StoredConsumer] {
        &self.consumers
    }

    /// How many dead letters each consumer has, in their order.
    pub(super) fn dead_letters(&self) -> Vec<i64> {
        self.consumers.iter().map(|consumer| consumer.dead_letters).collect()
    }

    pub(super) fn journal_id(&self) -> &str {
        &self.journal_id
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
        now: Now,
    ) -> Result<Vec<Result<Appended, AppendError>>, JournalError> {
        let now_secs = secs(now);
        self.window.expire(now_secs);
        let is_new = |append: &&Append| !self.window.contains(append.event.id());
        let bytes = appends.iter().filter(is_new).map(|append| stored_bytes(&append.event)).sum();
        let has_room = self.make_room(bytes)?;

        let mut outcomes = Vec::with_capacity(appends.len());
        let mut stored = 0;
        let mut removed = Vec::with_capacity(advances.len());
        let mut next_offset = self.next_offset;
        let transaction = self.connection.unchecked_transaction()?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO records (offset, id, event_type, received_ms, line) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            let mut ids = Vec::with_capacity(appends.len() * 16);
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
                    event.line()
                ])?;
                ids.extend_from_slice(&id);
                self.window.insert(event.id(), now_secs);
                stored += 1;
                next_offset += 1;
                outcomes.push(Ok(Appended::Stored));
            }
            if stored > 0 {
                transaction
                    .prepare_cached("INSERT INTO batches (last_offset, ids) VALUES (?1, ?2)")?
                    .execute(params![next_offset - 1, ids])?;
            }
            for Advance { consumer, progress, .. } in advances {
                removed.push(write_progress(&transaction, &self.consumers[*consumer].name, progress)?);
            }
        }
        if stored > 0 || !advances.is_empty() {
            transaction.commit()?
        } else {
            transaction.rollback()?
        }

        self.next_offset = next_offset;
        self.unmeasured_bytes += bytes;
        for (Advance { consumer, progress, .. }, removed) in advances.iter().zip(removed) {
            let stored = &mut self.consumers[*consumer];
            stored.cursor = stored.cursor.max(progress.cursor);
            stored.ahead.clone_from(&progress.ahead);
            stored.dead_letters += progress.dead_letters.len() as i64;
            let lines = progress.dead_letters.iter().map(|letter| letter.record.event.line().len() as u64);
            self.dead_letters_bytes += lines.sum::<u64>();
            stored.dead_letters -= removed.count;
            self.dead_letters_bytes = self.dead_letters_bytes.saturating_sub(removed.bytes.unsigned_abs());
            if progress.state.is_some() {
                stored.state.clone_from(&progress.state);
            }
        }
        Ok(outcomes)
    }

    /// Makes a part of what people change durable.
    ///
    /// # Errors
    /// As with [`Store::commit`].
    pub(super) fn alter(&mut self, slice: Slice, now: Now) -> Result<Sliced, JournalError> {
        let sliced = slice.apply(&self.connection, now.wall_ms)?;
        if sliced.letters.removed_bytes > 0 {
            self.dead_letters_bytes =
                self.dead_letters_bytes.saturating_sub(sliced.letters.removed_bytes.unsigned_abs());
            for consumer in &mut self.consumers {
                let removed = sliced.letters.changed.get(&consumer.name).copied().unwrap_or(0);
                consumer.dead_letters -= i64::try_from(removed).unwrap_or(0);
            }
        }
        Ok(sliced)
    }

    /// Remembers the ids of the newest batches as if they had just been stored: their true age cannot be told, since the
    /// wall clock may have jumped in between, and remembering for too long loses nothing.
    fn read_window(&mut self, now: Now) -> Result<(), JournalError> {
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
}

fn check_place(data_dir: &Path, identity: Identity) -> Result<(), JournalError> {
    let path = database::path(data_dir);
    if identity.is_at(&path) { Ok(()) } else { Err(JournalError::Gone(path)) }
}

/// The monotonic time in whole seconds, as the window counts.
pub(super) fn secs(now: Now) -> u32 {
    u32::try_from(now.monotonic.as_secs()).unwrap_or(u32::MAX)
}
