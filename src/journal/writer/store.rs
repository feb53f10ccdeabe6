//! Everything that changes the journal's file, one step at a time. Time is an argument, and nothing here starts a thread, except for
//! checkpoints, which change nothing that can be read.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction, params};

use super::super::cursors::{self, RemovedDeadLetters, StoredConsumer};
use super::super::dead_letters::table::{self as dead_letters, ChangeStep, ChangeStepResult};
use super::super::{
    AppendError, Appended, JournalError, NewReplay, Offset, Options, Progress, Record, Start, replays, schema,
};
use super::confirming::confirm;
use super::inbox::{Advance, Append};
use super::known_ids::KnownIds;
use super::now::Now;
use super::pruning::{self, Keep, Space};
use crate::storage::{Checkpoints, FileSpace, Identity, StorageError, meta};

const DAY_MS: i64 = 86_400_000;

/// The open journal.
pub(in super::super) struct Store {
    data_dir: PathBuf,
    options: Options,
    // Before the connection: the last one that is closed empties the WAL, and that is the writer's work.
    _checkpoints: Checkpoints,
    connection: Connection,
    identity: Identity,
    journal_id: String,
    ids: KnownIds,
    next_offset: Offset,
    space: Space,
    consumers: Vec<StoredConsumer>,
    dead_letters_bytes: u64,
}

/// The result of a commit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CommitReport {
    /// The result of each event, in order.
    pub(super) results: Vec<Result<Appended, AppendError>>,
    /// The records of earlier events that the commit made verified.
    pub(super) confirmed: Vec<Record>,
}

/// The result of pruning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PruningReport {
    pub(super) file: FileSpace,
    /// The part of the used bytes that cannot be pruned: dead letters, and records that a consumer has not passed. An estimate.
    pub(super) held_bytes: u64,
    /// The consumer that is furthest behind, if records that wait for it take at least a quarter of `held_bytes`.
    pub(super) slowest: Option<String>,
    /// For how long duplicates are recognised.
    pub(super) window_secs: u32,
    /// How many ids the dedupe window remembers.
    pub(super) window_ids: usize,
    /// Whether more can be pruned at once.
    pub(super) has_more: bool,
    /// Whether there is space for new events.
    pub(super) has_space: bool,
}

impl Store {
    /// Opens the journal with these consumers. Others are retired, new ones get their start. Everything that can be read is
    /// durable when this returns.
    ///
    /// # Errors
    /// The journal cannot be opened or written, or a cursor is after its end.
    pub(super) fn open(
        data_dir: &Path,
        options: &Options,
        consumers: &[(String, Start)],
        now: Now,
    ) -> Result<Store, JournalError> {
        let (mut connection, path) = (schema::open(data_dir)?, schema::path(data_dir));
        let checkpoints = Checkpoints::start(&mut connection, &path, schema::CHECKPOINT_PAGES)?;
        let first = Offset(meta::number(&connection, "first_offset")?.unwrap_or(1).max(1));
        let last: Option<i64> = connection.query_row("SELECT max(offset) FROM records", [], |row| row.get(0))?;
        // `first_offset` outlives the records: if all of them were pruned, their offsets are not used again.
        let next_offset = last.map_or(first, |last| Offset(last + 1).max(first));
        let store = Store {
            data_dir: data_dir.to_owned(),
            options: options.clone(),
            identity: Identity::of(&path).map_err(StorageError::io(&path))?,
            journal_id: schema::journal_id(&connection)?,
            ids: KnownIds::load(&connection, next_offset, options, now)?,
            next_offset,
            consumers: cursors::configure(&connection, consumers, first, next_offset.before())?,
            space: Space::measure(&connection, first)?,
            dead_letters_bytes: dead_letters::lines_bytes(&connection)?,
            connection,
            _checkpoints: checkpoints,
        };
        // What was read to open the journal is not needed again.
        store.connection.release_memory()?;
        Ok(store)
    }

    /// Opens the journal like [`Store::open`], and proves that it can be written.
    ///
    /// # Errors
    /// Like [`Store::open`].
    pub(in super::super) fn open_and_write(
        data_dir: &Path,
        options: &Options,
        consumers: &[(String, Start)],
        now: Now,
    ) -> Result<Store, JournalError> {
        let open = || {
            let store = Store::open(data_dir, options, consumers, now)?;
            // A value that means nothing: writing it proves that the disk takes a commit before an event depends on that.
            meta::store(&store.connection, "proven_ms", Some(now.wall_ms))?;
            Ok(store)
        };
        open().map_err(|error: JournalError| error.with_path(&schema::path(data_dir)))
    }

    /// Returns a function that opens the same journal again after a failure, from nothing but its file. Its success proves that
    /// the journal can be read and written.
    pub(super) fn reopener(&self) -> impl FnMut(Now) -> Result<Store, JournalError> + Send + use<> {
        let slots = self.consumers.clone();
        // The start does not matter, because each of these consumers has a cursor.
        let consumers: Vec<(String, Start)> =
            self.active_consumers().map(|consumer| (consumer.name.clone(), Start::Now)).collect();
        let (data_dir, options) = (self.data_dir.clone(), self.options.clone());
        let (journal_id, identity) = (self.journal_id.clone(), self.identity);
        move |now| {
            // Opening would create a missing file.
            check_place(&data_dir, identity)?;
            let mut store = Store::open_and_write(&data_dir, &options, &consumers, now)?;
            // The consumers in memory go on with cursors that only fit this journal.
            if store.journal_id != journal_id {
                return Err(JournalError::Replaced(data_dir.clone()));
            }
            // They go on with their indexes, too, and those count retired ones.
            for (index, slot) in slots.iter().enumerate().filter(|(_, slot)| slot.is_retired) {
                store.consumers.insert(index, slot.clone());
            }
            Ok(store)
        }
    }

    /// Adds a consumer, or lets a retired one go on at its cursor. One that is active stays as it is. Returns its index and its
    /// stored state.
    ///
    /// # Errors
    /// Its cursor is after the end of the journal, and nothing has changed. Otherwise like [`Store::commit`].
    pub(super) fn add_consumer(&mut self, name: &str, start: Start) -> Result<(usize, StoredConsumer), JournalError> {
        let known = self.consumers.iter().position(|consumer| consumer.name == name);
        if let Some(index) = known
            && !self.consumers[index].is_retired
        {
            return Ok((index, self.consumers[index].clone()));
        }
        let (first, head) = (self.space.first(), self.head());
        let transaction = self.connection.transaction()?;
        let consumer = cursors::add(&transaction, name, start, first, head)?;
        transaction.commit()?;
        let index = known.unwrap_or(self.consumers.len());
        match self.consumers.get_mut(index) {
            Some(slot) => slot.clone_from(&consumer),
            None => self.consumers.push(consumer.clone()),
        }
        Ok((index, consumer))
    }

    /// Retires a consumer: its cursor and its dead letters stay, and no record waits for it. Without an active consumer of this
    /// name, nothing happens.
    ///
    /// # Errors
    /// Like [`Store::commit`].
    pub(super) fn retire_consumer(&mut self, name: &str) -> Result<(), JournalError> {
        let head = self.head();
        let active = |consumer: &&mut StoredConsumer| consumer.name == name && !consumer.is_retired;
        let Some(consumer) = self.consumers.iter_mut().find(active) else { return Ok(()) };
        let transaction = self.connection.transaction()?;
        cursors::retire(&transaction, name, consumer.cursor, head)?;
        transaction.commit()?;
        consumer.is_retired = true;
        Ok(())
    }

    /// Keeps to other limits from now on. A longer dedupe window grows with time, because it has forgotten older ids.
    pub(super) fn set_options(&mut self, options: Options) {
        self.ids.set_options(&options);
        self.options = options;
    }

    /// The consumers in the order given to [`Store::open`].
    pub(in super::super) fn consumers(&self) -> &[StoredConsumer] {
        &self.consumers
    }

    /// How many dead letters each consumer has.
    pub(in super::super) fn dead_letters(&self) -> Vec<i64> {
        self.consumers.iter().map(|consumer| consumer.dead_letters).collect()
    }

    /// The unique id of the journal.
    pub(in super::super) fn journal_id(&self) -> &str {
        &self.journal_id
    }

    /// The limits of the journal.
    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// The offset of the newest record, or the one before the first.
    pub(in super::super) fn head(&self) -> Offset {
        self.next_offset.before()
    }

    /// How many ids the dedupe window remembers.
    pub(super) fn remembered_ids(&self) -> usize {
        self.ids.window().len()
    }

    /// Makes events and progress durable in one transaction.
    ///
    /// # Errors
    /// Nothing of it is proven to be stored, and the memory no longer matches the file: the journal must be opened again.
    pub(super) fn commit(
        &mut self,
        appends: &[Append],
        advances: &[Advance],
        now: Now,
    ) -> Result<CommitReport, JournalError> {
        check_place(&self.data_dir, self.identity)?;
        self.ids.forget(now);
        let is_known = |append: &Append| self.ids.contains(&self.connection, append.event.id(), Offset(0));
        let known: Vec<bool> = appends.iter().map(is_known).collect::<Result<_, _>>()?;
        let new = appends.iter().zip(&known).filter(|(_, is_known)| !**is_known);
        let bytes = new.map(|(append, _)| pruning::stored_bytes(&append.event)).sum();
        // First, because transactions don't nest. Each step of pruning commits on its own, so that the memory knows which records
        // are left even if the batch is rolled back.
        let (limit, passed) = (self.options.size_bytes_max, self.passed());
        let has_space = self.space.free_up(&self.connection, self.ids.stored(), bytes, limit, passed)?;

        let transaction = self.connection.transaction()?;
        let results = if has_space {
            insert(&transaction, appends, &known, self.next_offset, &mut self.ids, now)?
        } else {
            let result = |is_known| if is_known { Ok(Appended::Duplicate) } else { Err(AppendError::Full) };
            known.into_iter().map(result).collect()
        };
        let name = |advance: &Advance| &self.consumers[advance.consumer].name;
        let removed: Vec<RemovedDeadLetters> = advances
            .iter()
            .map(|advance| cursors::store_progress(&transaction, name(advance), &advance.progress))
            .collect::<Result<_, _>>()?;
        let stored = results.iter().filter(|result| **result == Ok(Appended::Stored)).count();
        let next_offset = Offset(self.next_offset.0 + stored as i64);
        let confirmed = confirm(&transaction, appends, &results, &self.ids)?;
        if stored > 0 || !advances.is_empty() || !confirmed.is_empty() {
            transaction.commit()?;
        } else {
            // Nothing is to be stored, so a batch of duplicates costs no sync.
            transaction.rollback()?;
        }

        // Not sooner: a signed copy was a duplicate before this batch, and its event must be found.
        self.ids.forget(now);
        // The memory changes only now, because it must match the file.
        self.next_offset = next_offset;
        self.space.add(bytes);
        for (Advance { consumer, progress, .. }, removed) in advances.iter().zip(removed) {
            self.remember(*consumer, progress, &removed);
        }
        Ok(CommitReport { results, confirmed: confirmed.records })
    }

    fn remember(&mut self, consumer: usize, progress: &Progress, removed: &RemovedDeadLetters) {
        let consumer = &mut self.consumers[consumer];
        consumer.cursor = consumer.cursor.max(progress.cursor);
        consumer.ahead.clone_from(&progress.ahead);
        if progress.state.is_some() {
            consumer.state.clone_from(&progress.state);
        }
        consumer.dead_letters += progress.dead_letters.len() as i64 - removed.count;
        let added: u64 = progress.dead_letters.iter().map(|new| new.record.event.line().len() as u64).sum();
        self.dead_letters_bytes = (self.dead_letters_bytes + added).saturating_sub(removed.bytes.unsigned_abs());
    }

    /// Makes one step of a change of dead letters durable.
    ///
    /// # Errors
    /// Like [`Store::commit`].
    pub(super) fn change_dead_letters(&mut self, step: ChangeStep, now: Now) -> Result<ChangeStepResult, JournalError> {
        let result = step.run(&self.connection, now.wall_ms)?;
        self.dead_letters_bytes = self.dead_letters_bytes.saturating_sub(result.removed_bytes);
        for consumer in &mut self.consumers {
            consumer.dead_letters -= result.removed.get(&consumer.name).copied().unwrap_or(0);
        }
        Ok(result)
    }

    /// Makes the beginning of a replay durable. Returns its number, or `None` if too many are running.
    ///
    /// # Errors
    /// Like [`Store::commit`].
    pub(super) fn begin_replay(&mut self, replay: &NewReplay, now: Now) -> Result<Option<i64>, JournalError> {
        Ok(replays::begin(&self.connection, replay, now.wall_ms)?)
    }

    /// Makes the end of a replay durable. Returns whether it was running.
    ///
    /// # Errors
    /// Like [`Store::commit`].
    pub(super) fn cancel_replay(&mut self, number: i64, now: Now) -> Result<bool, JournalError> {
        Ok(replays::cancel(&self.connection, number, now.wall_ms)?)
    }

    /// Prunes records that are old or too much, and gives free space back to the disk, slice by slice until `is_enough` returns
    /// true. Measures the journal.
    ///
    /// # Errors
    /// The file was moved or replaced, or cannot be read or written.
    pub(super) fn prune(
        &mut self,
        now: Now,
        mut is_enough: impl FnMut() -> bool,
    ) -> Result<PruningReport, JournalError> {
        self.measure_again(now)?;
        let keep = Keep {
            received_since_ms: now.wall_ms.saturating_sub(i64::from(self.options.retention_days) * DAY_MS),
            size_bytes_max: self.options.size_bytes_max,
            unpassed_after: self.passed(),
            remembered_from: self.ids.window().first(),
        };
        let mut has_more = true;
        while has_more {
            // First, so that the list of free pages stays short: SQLite searches it for each page that it moves.
            has_more = self.space.give_back(&self.connection, now)
                || self.space.prune_slice(&self.connection, self.ids.stored(), &keep)?;
            if is_enough() {
                break;
            }
        }
        Ok(self.report(now, has_more))
    }

    /// Measures the journal, and prunes nothing.
    ///
    /// # Errors
    /// The file was moved or replaced, or cannot be read.
    pub(super) fn measure(&mut self, now: Now) -> Result<PruningReport, JournalError> {
        self.measure_again(now)?;
        Ok(self.report(now, false))
    }

    fn measure_again(&mut self, now: Now) -> Result<(), JournalError> {
        check_place(&self.data_dir, self.identity)?;
        self.ids.forget(now);
        self.space.measure_again(&self.connection)
    }

    fn report(&self, now: Now, has_more: bool) -> PruningReport {
        let file = self.space.file();
        let used_bytes = file.used_bytes();
        let records = self.next_offset.0 - self.space.first().0;
        let slowest = self.active_consumers().min_by_key(|consumer| consumer.cursor);
        let pending = slowest.map_or(0, |consumer| (self.head().0 - consumer.cursor.0).clamp(0, records));
        let records_bytes = used_bytes.saturating_sub(self.dead_letters_bytes);
        let pending_bytes = records_bytes as f64 * pending as f64 / records.max(1) as f64;
        let held_bytes = (self.dead_letters_bytes + pending_bytes as u64).min(used_bytes);
        let takes_a_quarter = pending > 0 && pending_bytes as u64 >= held_bytes / 4;
        PruningReport {
            file,
            held_bytes,
            slowest: slowest.filter(|_| takes_a_quarter).map(|consumer| consumer.name.clone()),
            window_secs: self.ids.window().true_span_secs(now.monotonic_secs()),
            window_ids: self.remembered_ids(),
            has_more,
            // If every consumer has passed some record, pruning can free space.
            has_space: pending < records || self.space.is_surely_below(self.options.size_bytes_max),
        }
    }

    /// Every consumer has passed the records up to this one.
    fn passed(&self) -> Offset {
        // Without a consumer, no record has to wait.
        self.active_consumers().map(|consumer| consumer.cursor).min().unwrap_or(self.head())
    }

    fn active_consumers(&self) -> impl Iterator<Item = &StoredConsumer> {
        self.consumers.iter().filter(|consumer| !consumer.is_retired)
    }
}

/// Inserts each event that is not known, once, the first at `next_offset`. Returns a result for each event.
fn insert(
    transaction: &Transaction<'_>,
    appends: &[Append],
    known: &[bool],
    next_offset: Offset,
    ids: &mut KnownIds,
    now: Now,
) -> rusqlite::Result<Vec<Result<Appended, AppendError>>> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO records (offset, id, event_type, received_ms, line) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let mut offset = next_offset.0;
    let mut results = Vec::with_capacity(appends.len());
    for (Append { event, .. }, is_known) in appends.iter().zip(known) {
        if *is_known || ids.contains(transaction, event.id(), next_offset)? {
            results.push(Ok(Appended::Duplicate));
            continue;
        }
        let (id, event_type) = (event.id().to_bytes(), event.event_type().number());
        insert.execute(params![offset, id, event_type, event.received_ms(), event.line()])?;
        // Not after the commit, because one batch can hold the same event twice. If the commit fails, the journal is opened
        // again and loads the ids.
        ids.add(Offset(offset), event.id(), now);
        offset += 1;
        results.push(Ok(Appended::Stored));
    }
    ids.stored().store_full_rows(transaction)?;
    Ok(results)
}

/// Checks that the journal is still at its path. A removed file still takes everything that is written, and all of it would be
/// lost.
fn check_place(data_dir: &Path, identity: Identity) -> Result<(), JournalError> {
    let path = schema::path(data_dir);
    if identity.is_at(&path) { Ok(()) } else { Err(JournalError::Gone(path)) }
}

#[cfg(test)]
mod tests;
