//! The writer's side of the index: everything that changes its file, one step at a time, without threads or clocks.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::Connection;

use super::database::{self, Settings};
use super::rows::OPEN_SESSIONS;
use super::{IndexError, Options};
use crate::callback::EventId;
use crate::journal::Offset;
use crate::session::State;

/// The open index.
pub struct Store {
    pub(super) connection: Connection,
    pub(super) options: Options,
    /// The last record that is in the index.
    pub(super) cursor: Offset,
    /// Up to where records have been counted in metrics, in this life of the index or an earlier one.
    pub(super) counted: Offset,
    /// Up to where the index is being made anew.
    pub(super) rebuild_until: Option<Offset>,
    /// The row of the next new session.
    pub(super) next_session: i64,
    /// The rows of streams that were met of late, by their keys.
    pub(super) streams: HashMap<String, i64>,
}

/// The journal that an index is to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The journal's own id.
    pub journal_id: String,
    /// Its oldest record; `None` where it has none.
    pub first: Option<Offset>,
    /// Its newest record, or the place before the next one.
    pub head: Offset,
    /// The event of the record that the index's cursor stands at; `None` where there is no such record.
    pub at_cursor: Option<EventId>,
}

impl Source {
    /// The place before its oldest record. Where it has let go of all, its end: nothing is to come but what is new.
    fn next(&self) -> Offset {
        self.first.map_or(self.head, Offset::before)
    }
}

impl Store {
    /// Opens the index of a data directory, and makes it where there is none.
    ///
    /// # Errors
    /// The file is no index, of a newer version, or the disk does not do as asked.
    pub fn open(data_dir: &Path, options: &Options) -> Result<Store, IndexError> {
        let connection = database::open(data_dir)?;
        let settings = Settings::of(options);
        let transaction = connection.unchecked_transaction()?;
        database::keep(&transaction, "stale_after_ms", settings.stale_after_ms)?;
        database::keep(&transaction, "bridge_gap_ms", Some(settings.bridge_gap_ms))?;
        transaction.commit()?;
        let mut store = Store {
            connection,
            options: options.clone(),
            cursor: Offset::default(),
            counted: Offset::default(),
            rebuild_until: None,
            next_session: 1,
            streams: HashMap::new(),
        };
        store.recall()?;
        Ok(store)
    }

    /// Brings what is in memory to what is in the file, as after a transaction that failed.
    pub(super) fn recall(&mut self) -> Result<(), IndexError> {
        self.streams.clear();
        self.cursor = Offset(database::number(&self.connection, "cursor")?.unwrap_or(0));
        self.counted = Offset(database::number(&self.connection, "counted")?.unwrap_or(0));
        self.rebuild_until = database::number(&self.connection, "rebuild_until")?.map(Offset);
        self.next_session = database::number(&self.connection, "next_session")?.unwrap_or(1);
        Ok(())
    }

    /// Binds the index to the journal that it is to follow, before anything is applied. Of a journal that is not the one
    /// it was made of, everything is applied: sessions that it has already are filled in, not counted twice.
    ///
    /// # Errors
    /// The disk does not do as asked.
    pub fn follow(&mut self, source: &Source) -> Result<(), IndexError> {
        let known = database::text(&self.connection, "journal_id")?;
        let cursor_id = database::text(&self.connection, "cursor_id")?;
        let cursor = self.cursor;
        match known {
            Some(known) if known != source.journal_id => {
                tracing::warn!(
                    "the index was made of another journal: it keeps its sessions, and takes in all that this journal has"
                );
                self.fold_events(None)?;
                self.begin_again(source, true)?;
            }
            Some(_)
                if cursor > source.head
                    || source.at_cursor.is_some_and(|id| cursor_id.is_some_and(|kept| kept != id.to_string())) =>
            {
                tracing::warn!(%cursor, head = %source.head, "the journal is not as the index has seen it, as after a restored backup: the index takes in all of it again");
                self.begin_again(source, true)?;
            }
            Some(_) => {
                let next = source.next();
                let missed = next.0 - cursor.0;
                if missed > 0 {
                    tracing::warn!(
                        records = missed,
                        "records were pruned before the index had taken them in: it will not know them"
                    );
                    let transaction = self.connection.unchecked_transaction()?;
                    database::keep(&transaction, "cursor", Some(next.0))?;
                    database::keep(&transaction, "cursor_id", None::<String>)?;
                    transaction.commit()?;
                    self.recall()?;
                }
            }
            None => self.begin_again(source, false)?,
        }
        Ok(())
    }

    /// Sets the cursor before the journal's first record. `offsets_are_void` where offsets that the index knows no longer
    /// stand for the events that they stood for.
    fn begin_again(&mut self, source: &Source, offsets_are_void: bool) -> Result<(), IndexError> {
        let transaction = self.connection.unchecked_transaction()?;
        if offsets_are_void {
            transaction.execute("DELETE FROM events WHERE offset > ?1", [source.head.0])?;
            transaction.execute("DELETE FROM repeats WHERE offset > ?1", [source.head.0])?;
            transaction.execute("UPDATE sessions SET first_offset = 0", [])?;
        }
        database::keep(&transaction, "journal_id", Some(&source.journal_id))?;
        database::keep(&transaction, "cursor", Some(source.next().0))?;
        database::keep(&transaction, "cursor_id", None::<String>)?;
        // What has happened before the index was there is no news.
        database::keep(&transaction, "counted", Some(source.head.0))?;
        transaction.commit()?;
        self.recall()
    }

    /// The last record that is in the index. Those after it come next.
    pub fn cursor(&self) -> Offset {
        self.cursor
    }

    /// Makes all that is in the index durable, and tells up to which record that is; `None` if it could not now.
    ///
    /// # Errors
    /// The disk does not do as asked.
    pub fn checkpoint(&mut self) -> Result<Option<Offset>, IndexError> {
        Ok(database::checkpoint(&self.connection)?.then_some(self.cursor))
    }

    /// How many streams are live at `now_ms`.
    ///
    /// # Errors
    /// The disk does not do as asked.
    pub fn live_streams(&self, now_ms: i64) -> Result<i64, IndexError> {
        let live_since_ms = State::live_since_ms(now_ms, Settings::of(&self.options).stale_after_ms);
        let query =
            format!("SELECT count(DISTINCT stream) FROM {OPEN_SESSIONS} WHERE ended_ms IS NULL AND last_ms >= ?1");
        Ok(self.connection.prepare_cached(&query)?.query_row([live_since_ms], |row| row.get(0))?)
    }
}
