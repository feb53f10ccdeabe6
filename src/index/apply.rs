//! Takes records into the index: what they say of sessions, and where they stand.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::database;
use super::hours::EventHours;
use super::rows::StoredSession;
use super::{IndexError, Store};
use crate::callback::{Event, EventType, ReasonCategory, recording_started_ms};
use crate::journal::{Offset, Record};
use crate::session::{Fact, Session, StreamKey};

/// How many streams' rows are remembered at most.
const STREAMS_MAX: usize = 100_000;

/// What a batch has brought, that is told in metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The sessions that have ended with it: why, and how long they lasted in ms as far as is known.
    pub ended: Vec<(ReasonCategory, Option<i64>)>,
    /// How many pushes, stops and anomalies named no push.
    pub without_sequence: u64,
}

/// A session that a batch changes.
struct Touched {
    stored: StoredSession,
    /// As it was; `None` for a new one.
    before: Option<Session>,
    /// Whether it has ended by an event that has not been counted before.
    has_newly_ended: bool,
}

#[derive(Default)]
struct Batch {
    touched: Vec<Touched>,
    places: HashMap<(i64, String), usize>,
    hours: EventHours,
    applied: Applied,
    /// Whether what is known of a session is to be found anew from its first event on.
    is_rebuilding: bool,
}

impl Store {
    /// Takes in records that follow the cursor, in one transaction with the cursor. A record that is in the index already
    /// changes nothing.
    ///
    /// # Errors
    /// Nothing of it is in the index, and it may be tried again.
    pub fn apply(&mut self, records: &[Record]) -> Result<Applied, IndexError> {
        let result = self.try_apply(records);
        if result.is_err() {
            self.recall()?;
        }
        result
    }

    fn try_apply(&mut self, records: &[Record]) -> Result<Applied, IndexError> {
        let Some(last) = records.last() else { return Ok(Applied::default()) };
        let Store { connection, streams, next_session, counted, rebuild_until, .. } = self;
        if streams.len() > STREAMS_MAX {
            streams.clear();
        }
        let transaction = connection.unchecked_transaction()?;
        let is_rebuilding = rebuild_until.is_some();
        let mut batch = Batch { is_rebuilding, ..Batch::default() };
        for Record { offset, event } in records {
            let is_news = *offset > *counted;
            let key = StreamKey::of(event.partition_key());
            let stream = stream_number(&transaction, streams, &key)?;
            let mut session = None;
            if let Some(fact) = Fact::of(event) {
                session = Some(batch.take(&transaction, stream, &fact, *offset, is_news, next_session)?);
            } else if is_news && Fact::is_expected_of(event.event_type()) {
                batch.applied.without_sequence += 1;
            }
            if insert_event(&transaction, *offset, event, stream, session)? {
                batch.hours.add(event);
            }
        }
        for touched in &batch.touched {
            touched.stored.write(&transaction, touched.before.as_ref())?;
        }
        batch.hours.write(&transaction)?;
        let counted = last.offset.max(*counted);
        let rebuild_until = rebuild_until.filter(|until| *until > last.offset);
        database::keep(&transaction, "rebuild_until", rebuild_until.map(|until| until.0))?;
        database::keep(&transaction, "cursor", Some(last.offset.0))?;
        database::keep(&transaction, "cursor_id", Some(last.event.id().to_string()))?;
        database::keep(&transaction, "counted", Some(counted.0))?;
        database::keep(&transaction, "next_session", Some(*next_session))?;
        transaction.commit()?;
        self.cursor = last.offset;
        self.counted = counted;
        self.rebuild_until = rebuild_until;
        batch.note_ends();
        Ok(batch.applied)
    }
}

impl Batch {
    /// Adds a fact to its session, and gives the session's row.
    fn take(
        &mut self,
        connection: &Connection,
        stream: i64,
        fact: &Fact,
        offset: Offset,
        is_news: bool,
        next_session: &mut i64,
    ) -> rusqlite::Result<i64> {
        let key = (stream, fact.sequence.clone());
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None => {
                let found = StoredSession::find(connection, stream, &fact.sequence)?;
                let before = found.as_ref().map(|stored| stored.session.clone());
                let stored = found.unwrap_or_else(|| {
                    let number = *next_session;
                    *next_session += 1;
                    let (sequence, session) = (fact.sequence.clone(), Session::default());
                    StoredSession { number, stream, sequence, first_offset: offset.0, session }
                });
                self.touched.push(Touched { stored, before, has_newly_ended: false });
                self.places.insert(key, self.touched.len() - 1);
                self.touched.len() - 1
            }
        };
        let touched = &mut self.touched[place];
        let Touched { stored, before, has_newly_ended } = touched;
        if self.is_rebuilding && stored.first_offset == offset.0 {
            // The journal has every event of it, and this is the first.
            stored.session = Session::default();
        }
        let has_ended = stored.session.stop.is_some() || before.as_ref().is_some_and(|before| before.stop.is_some());
        stored.session.apply(fact);
        *has_newly_ended |= is_news && !has_ended && stored.session.stop.is_some();
        stored.first_offset = stored.first_offset.min(offset.0);
        Ok(touched.stored.number)
    }

    fn note_ends(&mut self) {
        let ended = self.touched.iter().filter(|touched| touched.has_newly_ended).filter_map(|touched| {
            let session = &touched.stored.session;
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

/// Notes where an event stands, and tells whether it is new. One that stands there already, under the same id or at the same
/// place, makes room; where it was under the same id is kept too, since the journal has it there.
fn insert_event(
    connection: &Connection,
    offset: Offset,
    event: &Event,
    stream: i64,
    session: Option<i64>,
) -> rusqlite::Result<bool> {
    let id = event.id().to_bytes();
    // One that does not say when it began is of the moment when it was done.
    let begins_ms = (event.event_type() == EventType::Recording)
        .then(|| recording_started_ms(event).unwrap_or(event.id().time_ms()));
    let row = params![offset.0, id, event.event_type().number(), stream, session, begins_ms];
    let insert = "INSERT OR IGNORE INTO events (offset, id, event_type, stream, session, begins_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    // Nearly all are new, and that a row was made says so without another look into the table.
    if connection.prepare_cached(insert)?.execute(row)? > 0 {
        return Ok(true);
    }
    let is_known = connection.prepare_cached("SELECT 1 FROM events WHERE id = ?1")?.exists([id])?;
    let repeat = "INSERT OR IGNORE INTO repeats SELECT offset, stream FROM events WHERE id = ?1 AND offset <> ?2";
    connection.prepare_cached(repeat)?.execute(params![id, offset.0])?;
    let replace = "INSERT OR REPLACE INTO events (offset, id, event_type, stream, session, begins_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    connection.prepare_cached(replace)?.execute(row)?;
    Ok(!is_known)
}
