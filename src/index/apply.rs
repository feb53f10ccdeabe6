//! Writes a batch of records to the index: the changes of sessions, and the offsets of events.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::event_table::{EventRow, EventTable};
use super::hours::{self, End, HourCounts};
use super::rebuilt_sessions::RebuiltSessions;
use super::session_stretches::Starts;
use super::stored_session::{SessionTable, StoredSession};
use super::stream_table::StreamTable;
use super::{IndexError, Store};
use crate::callback::ReasonCategory;
use crate::journal::{Offset, Record};
use crate::session::{Fact, Session, StreamKey};
use crate::storage::meta;

/// How many records are written with one commit. A commit writes each page that it changes once, and many records change the same
/// pages. So an index that lags behind takes many at a time.
pub(super) const BATCH_RECORDS: usize = 8192;

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
    /// Its end before the batch, as an hour counts it.
    counted_end: Option<End>,
    /// Whether it ended by an event that metrics haven't counted before.
    is_end_new: bool,
}

#[derive(Default)]
struct Batch<'s> {
    sessions: Vec<ChangedSession>,
    /// Their positions, by stream and sequence.
    positions: HashMap<(i64, String), usize>,
    event_hours: HourCounts,
    end_hours: HourCounts,
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
        let Store { connection, streams, sequences, next_session, counted, rebuild_until, rebuilt_sessions, .. } = self;
        if streams.len() > STREAMS_MAX {
            // Rows that are forgotten here are found in the table again.
            streams.clear();
        }
        let transaction = connection.unchecked_transaction()?;
        let mut streams = StreamTable::prepare(&transaction, streams)?;
        let mut events = EventTable::prepare(&transaction)?;
        let mut sessions = SessionTable::prepare(&transaction)?;
        let mut batch = Batch { rebuilt_sessions: rebuild_until.map(|_| rebuilt_sessions), ..Batch::default() };
        let mut rows = Vec::with_capacity(records.len());
        for Record { offset, event } in records {
            // Metrics count each record once, even if a rebuild reads it again.
            let is_uncounted = *offset > *counted;
            let (stream, session) = match Fact::of(event) {
                Some(fact) => {
                    let stream = streams.number(&fact.stream)?;
                    // A stream's row goes only after its last session, so the table has no session of a new one.
                    let table = (!streams.is_new(stream)).then_some(&mut sessions);
                    let session = batch.add(table, stream, fact, *offset, is_uncounted, next_session)?;
                    (stream, Some(session))
                }
                None => {
                    let is_missing = is_uncounted && Fact::is_expected_of(event.event_type());
                    batch.applied.without_sequence += u64::from(is_missing);
                    (streams.number(&StreamKey::of(event.partition_key()))?, None)
                }
            };
            rows.push(EventRow::new(*offset, event, stream, session));
        }
        streams.write()?;
        events.write(&rows, |position| batch.event_hours.add_event(&records[position].event))?;
        // Each session is written once for all its events in the batch.
        let mut new_sessions = Vec::with_capacity(batch.sessions.len());
        let mut starts = Starts::default();
        for ChangedSession { stored, before, .. } in &batch.sessions {
            starts.add(stored.number, stored.session.started_ms());
            match before {
                Some(before) => sessions.update(stored, before)?,
                None => new_sessions.push(stored),
            }
        }
        sessions.insert(&new_sessions)?;
        let new_sequences = new_sessions.iter().map(|stored| (stored.sequence.as_str(), stored.stream, stored.number));
        sequences.add(&transaction, &new_sequences.collect::<Vec<_>>())?;
        starts.write(&transaction)?;
        batch.count_ends();
        // A transaction ends after its statements.
        drop((streams, events, sessions));
        batch.event_hours.write_events(&transaction)?;
        batch.end_hours.write_ends(&transaction)?;
        let counted = last.offset.max(*counted);
        let is_rebuilding = rebuild_until.is_some();
        let rebuild_until = rebuild_until.filter(|until| *until > last.offset);
        if is_rebuilding && rebuild_until.is_none() {
            hours::count_ends_again(&transaction)?;
        }
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
    /// Adds a fact to its session, and returns the session's row. `sessions` is the table to search; `None` if it cannot have the
    /// session.
    fn add(
        &mut self,
        sessions: Option<&mut SessionTable<'_>>,
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
                let found = sessions.map_or(Ok(None), |sessions| sessions.find(stream, sequence))?;
                let changed = match found {
                    Some((stored, counted_end)) => {
                        let before = Some(stored.session.clone());
                        ChangedSession { stored, before, counted_end, is_end_new: false }
                    }
                    None => {
                        let number = *next_session;
                        *next_session += 1;
                        let (sequence, session) = (sequence.clone(), Session::default());
                        let stored = StoredSession { number, stream, sequence, offsets: (offset.0, offset.0), session };
                        ChangedSession { stored, before: None, counted_end: None, is_end_new: false }
                    }
                };
                self.sessions.push(changed);
                *unknown.insert(self.sessions.len() - 1)
            }
        };
        let ChangedSession { stored, before, is_end_new, .. } = &mut self.sessions[position];
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

    /// Counts the ends that the batch changes by their hours.
    fn count_ends(&mut self) {
        for ChangedSession { stored, counted_end, .. } in &self.sessions {
            let end = End::of(&stored.session);
            if end != *counted_end {
                counted_end.iter().for_each(|end| self.end_hours.remove_end(*end));
                end.iter().for_each(|end| self.end_hours.add_end(*end));
            }
        }
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
