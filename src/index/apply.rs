//! Writes a batch of records to the index: the changes of sessions, and the offsets of events.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::hours::EventHours;
use super::rebuilt_sessions::RebuiltSessions;
use super::stored_session::{SessionTable, StoredSession};
use super::{IndexError, Store};
use crate::callback::{Event, EventType, ReasonCategory, recording_started_ms};
use crate::journal::{Offset, Record};
use crate::session::{Fact, Session, StreamKey};
use crate::storage::meta;

/// How many rows of streams are remembered at most.
const STREAMS_MAX: usize = 100_000;

/// The part of a batch that metrics report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The sessions that ended with it: the reason, and the duration in ms if it is known.
    pub ended: Vec<(ReasonCategory, Option<i64>)>,
    /// How many pushes, stops and anomalies have no sequence.
    pub without_sequence: u64,
}

/// A session that the batch changes.
struct ChangedSession {
    stored: StoredSession,
    /// The session before the batch; `None` for a new one.
    before: Option<Session>,
    /// Whether it ended by an event that metrics haven't counted before.
    is_end_new: bool,
}

#[derive(Default)]
struct Batch<'s> {
    sessions: Vec<ChangedSession>,
    /// Their positions, by stream and sequence.
    positions: HashMap<(i64, String), usize>,
    hours: EventHours,
    applied: Applied,
    /// The sessions that a rebuild reads again; `None` without a rebuild.
    rebuilt_sessions: Option<&'s mut RebuiltSessions>,
}

impl Store {
    /// Writes the records after the cursor and the new cursor, in one transaction. A record that is in the index already
    /// changes nothing.
    ///
    /// # Errors
    /// The index cannot be read or written. Nothing of the batch is in it, and you can try again.
    pub fn apply(&mut self, records: &[Record]) -> Result<Applied, IndexError> {
        let result = self.try_apply(records);
        if result.is_err() {
            // The file has nothing of the batch, but the memory may have.
            self.reload()?;
        }
        result
    }

    fn try_apply(&mut self, records: &[Record]) -> Result<Applied, IndexError> {
        let Some(last) = records.last() else { return Ok(Applied::default()) };
        let Store { connection, streams, next_session, counted, rebuild_until, rebuilt_sessions, .. } = self;
        if streams.len() > STREAMS_MAX {
            // Rows that are forgotten here are found in the table again.
            streams.clear();
        }
        let transaction = connection.unchecked_transaction()?;
        let mut events = EventTable::prepare(&transaction)?;
        let mut sessions = SessionTable::prepare(&transaction)?;
        let mut batch = Batch { rebuilt_sessions: rebuild_until.map(|_| rebuilt_sessions), ..Batch::default() };
        for Record { offset, event } in records {
            // Metrics count each record once, even if a rebuild reads it again.
            let is_uncounted = *offset > *counted;
            let (stream, session) = match Fact::of(event) {
                Some(fact) => {
                    let stream = stream_number(&transaction, streams, &fact.stream)?;
                    let session = batch.add(&mut sessions, stream, fact, *offset, is_uncounted, next_session)?;
                    (stream, Some(session))
                }
                None => {
                    let is_missing = is_uncounted && Fact::is_expected_of(event.event_type());
                    batch.applied.without_sequence += u64::from(is_missing);
                    (stream_number(&transaction, streams, &StreamKey::of(event.partition_key()))?, None)
                }
            };
            if events.insert(*offset, event, stream, session)? {
                batch.hours.add(event);
            }
        }
        // Each session is written once for all its events in the batch.
        for session in &batch.sessions {
            sessions.write(&session.stored, session.before.as_ref())?;
        }
        // A transaction ends after its statements.
        drop((events, sessions));
        batch.hours.write(&transaction)?;
        let counted = last.offset.max(*counted);
        let rebuild_until = rebuild_until.filter(|until| *until > last.offset);
        meta::store(&transaction, "rebuild_until", rebuild_until.map(|until| until.0))?;
        meta::store(&transaction, "cursor", Some(last.offset.0))?;
        // The id shows later whether the journal still has the same event at this offset.
        meta::store(&transaction, "cursor_id", Some(last.event.id().to_string()))?;
        meta::store(&transaction, "counted", Some(counted.0))?;
        meta::store(&transaction, "next_session", Some(*next_session))?;
        transaction.commit()?;
        batch.collect_ends();
        let applied = batch.applied;
        self.cursor = last.offset;
        self.counted = counted;
        self.rebuild_until = rebuild_until;
        if rebuild_until.is_none() {
            self.rebuilt_sessions = RebuiltSessions::default();
        }
        Ok(applied)
    }
}

impl Batch<'_> {
    /// Adds a fact to its session, and returns the session's row.
    fn add(
        &mut self,
        sessions: &mut SessionTable<'_>,
        stream: i64,
        mut fact: Fact,
        offset: Offset,
        is_uncounted: bool,
        next_session: &mut i64,
    ) -> rusqlite::Result<i64> {
        let position = match self.positions.entry((stream, std::mem::take(&mut fact.sequence))) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(unknown) => {
                let sequence = &unknown.key().1;
                let found = sessions.find(stream, sequence)?;
                let before = found.as_ref().map(|stored| stored.session.clone());
                let stored = found.unwrap_or_else(|| {
                    let number = *next_session;
                    *next_session += 1;
                    let (sequence, session) = (sequence.clone(), Session::default());
                    StoredSession { number, stream, sequence, offsets: (offset.0, offset.0), session }
                });
                self.sessions.push(ChangedSession { stored, before, is_end_new: false });
                *unknown.insert(self.sessions.len() - 1)
            }
        };
        let ChangedSession { stored, before, is_end_new } = &mut self.sessions[position];
        // A rebuild begins a session without its end. `before` shows that its end was reported nevertheless.
        let has_ended = stored.session.is_ended() || before.as_ref().is_some_and(Session::is_ended);
        match &mut self.rebuilt_sessions {
            Some(rebuilt) if offset.0 <= stored.offsets.1 => rebuilt.add(stored, fact, offset.0),
            // Records after the last one that the session contains are new to it.
            _ => stored.session.apply(fact),
        }
        let (first, last) = stored.offsets;
        stored.offsets = (first.min(offset.0), last.max(offset.0));
        *is_end_new |= is_uncounted && !has_ended && stored.session.is_ended();
        Ok(stored.number)
    }

    fn collect_ends(&mut self) {
        // Only at the end of the batch, because a later event in it can change the reason or the duration.
        let ended = self.sessions.iter().filter(|session| session.is_end_new).filter_map(|changed| {
            let session = &changed.stored.session;
            Some((session.reason()?.category, session.duration_ms()))
        });
        self.applied.ended.extend(ended);
    }
}

fn stream_number(connection: &Connection, known: &mut HashMap<String, i64>, key: &StreamKey) -> rusqlite::Result<i64> {
    if let Some(number) = known.get(key.as_str()) {
        return Ok(*number);
    }
    let find = "SELECT number FROM streams WHERE key = ?1";
    let found = connection.prepare_cached(find)?.query_row([key.as_str()], |row| row.get(0)).optional()?;
    let number = match found {
        Some(number) => number,
        None => {
            let insert = "INSERT INTO streams (key, stream) VALUES (?1, ?2)";
            connection.prepare_cached(insert)?.execute(params![key.as_str(), key.stream()])?;
            connection.last_insert_rowid()
        }
    };
    known.insert(key.as_str().to_owned(), number);
    Ok(number)
}

/// The table of events, for one batch. Like [`SessionTable`], it prepares its statement once.
struct EventTable<'c> {
    connection: &'c Connection,
    insert: CachedStatement<'c>,
}

impl<'c> EventTable<'c> {
    fn prepare(connection: &'c Connection) -> rusqlite::Result<EventTable<'c>> {
        let insert = connection.prepare_cached(
            "INSERT OR IGNORE INTO events (offset, id, event_type, stream, session, begins_ms)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        Ok(EventTable { connection, insert })
    }

    /// Writes the row of an event. Returns whether the event is new. A row with the same id or the same offset is replaced. If the
    /// same event had another offset, that goes to `repeats`, because the journal has a record there, too.
    fn insert(&mut self, offset: Offset, event: &Event, stream: i64, session: Option<i64>) -> rusqlite::Result<bool> {
        let id = event.id().to_bytes();
        // A recording that doesn't say when it began counts at the time of its end.
        let begins_ms = (event.event_type() == EventType::Recording)
            .then(|| recording_started_ms(event).unwrap_or(event.id().time_ms()));
        let row = params![offset.0, id, event.event_type().number(), stream, session, begins_ms];
        // Nearly all events are new. A row that was inserted proves it without another look into the table.
        if self.insert.execute(row)? > 0 {
            return Ok(true);
        }
        let is_known = self.connection.prepare_cached("SELECT 1 FROM events WHERE id = ?1")?.exists([id])?;
        let repeat = "INSERT OR IGNORE INTO repeats SELECT offset, stream FROM events WHERE id = ?1 AND offset <> ?2";
        self.connection.prepare_cached(repeat)?.execute(params![id, offset.0])?;
        let replace = "INSERT OR REPLACE INTO events (offset, id, event_type, stream, session, begins_ms)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.connection.prepare_cached(replace)?.execute(row)?;
        Ok(!is_known)
    }
}
