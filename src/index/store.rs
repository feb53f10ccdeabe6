//! The open index of its one writer: its place in the journal, and what it remembers between batches. It has neither
//! threads nor a clock.

use std::path::Path;

use hashbrown::HashMap;
use rusqlite::Connection;

use super::options::Options;
use super::pruning::{self, SLICE_ROWS};
use super::rebuilt_sessions::RebuiltSessions;
use super::sequences::{self, Sequences};
use super::settings::Settings;
use super::stored_session::OPEN_SESSIONS;
use super::{IndexError, hours, schema, session_stretches};
use crate::callback::EventId;
use crate::journal::Offset;
use crate::session::State;
use crate::storage::{FileSpace, give_back, meta, sort_in_files};

const DAY_MS: i64 = 86_400_000;

/// How many pages a slice gives back to the disk.
const GIVEN_BACK_PAGES: u32 = 64;

/// The open index.
pub struct Store {
    pub(super) connection: Connection,
    pub(super) options: Options,
    /// The last record that is in the index.
    pub(super) cursor: Offset,
    /// The last record that was counted in metrics, by this index or before it was rebuilt.
    pub(super) counted: Offset,
    /// The last record of the rebuild in progress.
    pub(super) rebuild_until: Option<Offset>,
    /// The sessions that the rebuild reads again.
    pub(super) rebuilt_sessions: RebuiltSessions,
    /// The row of the next new session.
    pub(super) next_session: i64,
    /// The rows of recent streams, by their keys.
    pub(super) streams: HashMap<String, i64>,
    /// What moves next between the tables of sequences.
    pub(super) sequences: Sequences,
}

/// The journal that an index is to follow, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalState {
    /// The journal's own id.
    pub journal_id: String,
    /// Its oldest record; `None` if it has no records.
    pub first: Option<Offset>,
    /// Its newest record, or the offset before the next one.
    pub head: Offset,
    /// The event of the record at the index's cursor; `None` without such a record.
    pub at_cursor: Option<EventId>,
}

impl JournalState {
    /// The offset before its oldest record. If all its records were pruned, its end: only new records can follow.
    fn start(&self) -> Offset {
        self.first.map_or(self.head, Offset::before)
    }
}

impl Store {
    /// Opens the index of a data directory, and makes it if there is none.
    ///
    /// # Errors
    /// The file is not an index, has a newer version, or cannot be read or written.
    pub fn open(data_dir: &Path, options: &Options) -> Result<Store, IndexError> {
        let connection = schema::open(data_dir)?;
        let transaction = connection.unchecked_transaction()?;
        Settings::of(options).write(&transaction)?;
        transaction.commit()?;
        let mut store = Store {
            connection,
            options: options.clone(),
            cursor: Offset::default(),
            counted: Offset::default(),
            rebuild_until: None,
            rebuilt_sessions: RebuiltSessions::default(),
            next_session: 1,
            streams: HashMap::new(),
            sequences: Sequences::default(),
        };
        store.reload()?;
        // What was read to open the index is not needed again.
        store.connection.release_memory()?;
        Ok(store)
    }

    /// Takes over other options, and stores the ones that readers need.
    ///
    /// # Errors
    /// The index cannot be written. It keeps its options then.
    pub(super) fn set_options(&mut self, options: Options) -> Result<(), IndexError> {
        let transaction = self.connection.unchecked_transaction()?;
        Settings::of(&options).write(&transaction)?;
        transaction.commit()?;
        self.options = options;
        Ok(())
    }

    /// Reads the state in memory from the file again, as after a transaction that failed.
    pub(super) fn reload(&mut self) -> Result<(), IndexError> {
        // It may have rows that a failed transaction had added.
        self.streams.clear();
        self.cursor = Offset(meta::number(&self.connection, "cursor")?.unwrap_or(0));
        self.counted = Offset(meta::number(&self.connection, "counted")?.unwrap_or(0));
        self.rebuild_until = meta::number(&self.connection, "rebuild_until")?.map(Offset);
        self.rebuilt_sessions = RebuiltSessions::default();
        if self.rebuild_until.is_some()
            && let Some(from) = meta::number(&self.connection, "rebuild_from")?
        {
            // The sessions that were read again were only in memory, so the rebuild starts from its beginning.
            self.cursor = Offset(from).before();
        }
        self.next_session = meta::number(&self.connection, "next_session")?.unwrap_or(1);
        self.sequences = Sequences::read(&self.connection)?;
        Ok(())
    }

    /// Binds the index to the journal that it is to follow, before anything is applied. If the index was made from another
    /// journal, all records are applied: they complete the sessions that the index has, and nothing is counted twice.
    ///
    /// # Errors
    /// The index cannot be read or written.
    pub fn follow(&mut self, journal: &JournalState) -> Result<(), IndexError> {
        let known = meta::text(&self.connection, "journal_id")?;
        let cursor_id = meta::text(&self.connection, "cursor_id")?;
        let cursor = self.cursor;
        match known {
            Some(known) if known != journal.journal_id => {
                tracing::warn!(
                    "the index was made from another journal: it keeps its sessions, and reads all records of this journal"
                );
                self.fold_events_after(i64::MIN)?;
                self.start_over(journal, true)?;
            }
            Some(_)
                if cursor > journal.head
                    || journal.at_cursor.is_some_and(|id| cursor_id.is_some_and(|kept| kept != id.to_string())) =>
            {
                tracing::warn!(%cursor, head = %journal.head, "an earlier copy of the journal took its place, for example from a backup: the index reads all its records again");
                self.fold_events_after(journal.head.0)?;
                self.start_over(journal, true)?;
            }
            Some(_) => {
                let start = journal.start();
                let missed = start.0 - cursor.0;
                // A rebuild misses nothing: the index had read the pruned records before it.
                if missed > 0 && self.rebuild_until.is_none() {
                    tracing::warn!(
                        records = missed,
                        "records were pruned from the journal before the index had read them: the index lacks their events"
                    );
                    let transaction = self.connection.unchecked_transaction()?;
                    meta::store(&transaction, "cursor", Some(start.0))?;
                    meta::store(&transaction, "cursor_id", None::<String>)?;
                    transaction.commit()?;
                    self.reload()?;
                }
            }
            None => self.start_over(journal, false)?,
        }
        Ok(())
    }

    /// Sets the cursor before the journal's first record. `offsets_are_void`: the offsets in the index stand for other
    /// events now.
    fn start_over(&mut self, journal: &JournalState, offsets_are_void: bool) -> Result<(), IndexError> {
        let transaction = self.connection.unchecked_transaction()?;
        if offsets_are_void {
            transaction.execute("DELETE FROM repeats WHERE offset > ?1", [journal.head.0])?;
            // No record has offset 0, so a rebuild adds to these sessions and does not replace them: the journal may
            // lack their events.
            transaction.execute("UPDATE sessions SET first_offset = 0", [])?;
        }
        meta::store(&transaction, "journal_id", Some(&journal.journal_id))?;
        meta::store(&transaction, "cursor", Some(journal.start().0))?;
        meta::store(&transaction, "cursor_id", None::<String>)?;
        // Metrics count what happens from now on, not the past.
        meta::store(&transaction, "counted", Some(journal.head.0))?;
        transaction.commit()?;
        self.reload()
    }

    /// Removes the events after an offset, and keeps their numbers in their sessions.
    fn fold_events_after(&mut self, after: i64) -> Result<(), IndexError> {
        // The time is not known here, so no session without a stop counts as stale.
        loop {
            let events = pruning::fold_events(&self.connection, after, i64::MAX, i64::MIN)?;
            self.streams.clear();
            if events < SLICE_ROWS {
                return Ok(());
            }
        }
    }

    /// Removes some of the events before the journal's oldest record `first`, and some sessions that are past their
    /// retention. Returns whether there is more to remove.
    ///
    /// # Errors
    /// The index cannot be read or written.
    pub fn prune(&mut self, first: Offset, now_ms: i64) -> Result<bool, IndexError> {
        let oldest_ms = now_ms.saturating_sub(i64::from(self.options.retention_days) * DAY_MS);
        let live_since_ms = self.live_since_ms(now_ms);
        // Hours go before the sessions that they count.
        hours::prune(&self.connection, oldest_ms)?;
        let events = pruning::fold_events(&self.connection, i64::MIN, first.before().0, live_since_ms)?;
        // Each step commits, and streams without events and sessions go with it. A new stream can get the number of one that
        // is gone, so the numbers are forgotten before the next step can fail.
        self.streams.clear();
        let sessions = pruning::prune_sessions(&self.connection, &mut self.sequences, oldest_ms, live_since_ms)?;
        self.streams.clear();
        Ok(events == SLICE_ROWS || sessions == SLICE_ROWS)
    }

    /// Gives a slice of free pages back to the disk, if the file has more than it should keep. Returns the space before.
    ///
    /// # Errors
    /// The index cannot be read or written.
    pub(super) fn give_back(&mut self) -> Result<FileSpace, IndexError> {
        let space = FileSpace::measure(&self.connection)?;
        if space.has_surplus() {
            give_back(&self.connection, GIVEN_BACK_PAGES)?;
        }
        Ok(space)
    }

    /// Begins a rebuild from the journal, whose records from `first` to `last` must be applied next. After a crash the
    /// rebuild starts again.
    ///
    /// # Errors
    /// The index cannot be read or written.
    pub fn begin_rebuild(&mut self, first: Offset, last: Offset) -> Result<(), IndexError> {
        sort_in_files(&self.connection, || {
            let transaction = self.connection.unchecked_transaction()?;
            meta::store(&transaction, "rebuild_from", Some(first.0))?;
            // An empty journal has nothing to read again.
            meta::store(&transaction, "rebuild_until", Some(last.0).filter(|last| *last >= first.0))?;
            meta::store(&transaction, "cursor", Some(first.before().0))?;
            meta::store(&transaction, "cursor_id", None::<String>)?;
            // A session that these tables lack would be stored a second time.
            transaction.execute_batch(sequences::FILL_AGAIN)?;
            transaction.execute_batch(session_stretches::FILL_AGAIN)?;
            transaction.commit()
        })?;
        self.reload()
    }

    /// Ends the rebuild, also if some of its records are gone.
    ///
    /// # Errors
    /// The index cannot be written.
    pub fn end_rebuild(&mut self) -> Result<(), IndexError> {
        if self.rebuild_until.is_some() {
            let transaction = self.connection.unchecked_transaction()?;
            hours::count_ends_again(&transaction)?;
            meta::store(&transaction, "rebuild_until", None::<i64>)?;
            transaction.commit()?;
            self.rebuild_until = None;
            self.rebuilt_sessions = RebuiltSessions::default();
        }
        Ok(())
    }

    /// The last record of the rebuild in progress; `None` if there is none.
    pub fn rebuild_until(&self) -> Option<Offset> {
        self.rebuild_until
    }

    /// The last record that is in the index. The records after it come next.
    pub fn cursor(&self) -> Offset {
        self.cursor
    }

    /// Makes the index durable. Returns the last record that is durable in it; `None` if that was not possible now.
    ///
    /// # Errors
    /// The index cannot be written.
    pub fn checkpoint(&mut self) -> Result<Option<Offset>, IndexError> {
        Ok(schema::checkpoint(&self.connection)?.then_some(self.cursor))
    }

    /// How many streams are live at `now_ms` (Unix ms).
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn live_streams(&self, now_ms: i64) -> Result<i64, IndexError> {
        let query =
            format!("SELECT count(DISTINCT stream) FROM {OPEN_SESSIONS} WHERE ended_ms IS NULL AND last_ms >= ?1");
        Ok(self.connection.prepare_cached(&query)?.query_row([self.live_since_ms(now_ms)], |row| row.get(0))?)
    }

    /// The latest event of a session must be at least this late (Unix ms) for the session to be live at `now_ms`.
    pub(super) fn live_since_ms(&self, now_ms: i64) -> i64 {
        State::live_since_ms(now_ms, Settings::of(&self.options).stale_after_ms)
    }
}

#[cfg(test)]
mod tests;
