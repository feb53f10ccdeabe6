//! The events of one session.

use rusqlite::{Params, Transaction, params};

use super::Reader;
use super::media::{MediaBounds, RECORDINGS, SCREENSHOTS};
use super::open::limit_of;
use crate::callback::{EventId, EventType};
use crate::index::sequences::SESSIONS_OF_SEQUENCE;
use crate::index::stored_session::{SESSION_COLUMNS, StoredSession, read_event_id};
use crate::index::{IndexError, schema};
use crate::journal::Offset;
use crate::session::SessionId;

/// How many of a session's own events are returned at most, and how many of its recordings and screenshots.
pub const SESSION_EVENTS_MAX: usize = 10_000;

impl Reader {
    /// The offsets of a session's events: the ones with its sequence, and the recordings and screenshots of its stream in its
    /// time. They are in the order of their times; among equal times, a push is first and a stop last. Events that the journal
    /// has pruned are missing.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn session_events(&self, id: &SessionId, now_ms: i64) -> Result<Vec<Offset>, IndexError> {
        // A transaction, so that all statements see the index between the same two batches.
        let transaction = self.connection.unchecked_transaction()?;
        let query = format!("SELECT {SESSION_COLUMNS} FROM {SESSIONS_OF_SEQUENCE}");
        let stored: Vec<StoredSession> = transaction
            .prepare_cached(&query)?
            .query_map([id.sequence()], StoredSession::read)?
            .collect::<rusqlite::Result<_>>()?;
        let mut found = Found { transaction: &transaction, events: Vec::new() };
        for stored in stored {
            if self.stream_key(stored.stream)?.session(&stored.sequence) == *id {
                found.add_own(&stored)?;
                found.add_media(&stored, self.media_bounds(&stored, now_ms))?;
            }
        }
        let offsets = found.into_offsets();
        transaction.commit()?;
        Ok(offsets)
    }
}

/// The events that were found so far: time, rank among equal times, id, offset.
struct Found<'t> {
    transaction: &'t Transaction<'t>,
    events: Vec<(i64, i8, EventId, Offset)>,
}

impl Found<'_> {
    /// Adds the events with the session's sequence. If there are too many, the push and the ends are there in any case, so they
    /// come before the anomalies.
    fn add_own(&mut self, stored: &StoredSession) -> Result<(), IndexError> {
        let Some(stretches) = schema::stretches(self.transaction)? else { return Ok(()) };
        let (first, last) = stored.offsets;
        let mut left = SESSION_EVENTS_MAX;
        for stretch in (first >> 16).max(*stretches.start())..=(last >> 16).min(*stretches.end()) {
            let own = "SELECT offset, id, event_type FROM events
                WHERE offset >> 16 = ?1 AND stream = ?2 AND offset >= ?3 AND offset <= ?4 AND session = ?5
                    AND event_type <> 321 LIMIT ?6";
            left -= self.add(own, params![stretch, stored.stream, first, last, stored.number, limit_of(left)])?;
        }
        let anomalies = "SELECT offset, id, event_type FROM events WHERE session = ?1 AND event_type = 321
            ORDER BY offset LIMIT ?2";
        self.add(anomalies, params![stored.number, limit_of(left)])?;
        Ok(())
    }

    /// Adds the recordings and screenshots of the session's stream within these bounds.
    fn add_media(&mut self, stored: &StoredSession, bounds: MediaBounds) -> Result<(), IndexError> {
        let media = format!(
            "SELECT offset, id, event_type FROM {RECORDINGS}
             UNION ALL SELECT offset, id, event_type FROM {SCREENSHOTS} LIMIT ?5"
        );
        let MediaBounds { begin, end, recordings_end, until_ms } = bounds;
        let limit = limit_of(SESSION_EVENTS_MAX);
        self.add(&media, params![stored.stream, begin, end, recordings_end, limit, until_ms])?;
        Ok(())
    }

    /// Adds the rows of a query, and returns their number.
    fn add(&mut self, query: &str, arguments: impl Params) -> Result<usize, IndexError> {
        let before = self.events.len();
        let mut statement = self.transaction.prepare_cached(query)?;
        let mut rows = statement.query(arguments)?;
        while let Some(row) = rows.next()? {
            let id = read_event_id(row, 1)?.unwrap_or(EventId::first_of(0));
            let rank = match EventType::from_number(row.get(2)?) {
                EventType::Push => 0,
                EventType::SessionEnded => 2,
                EventType::Stop => 3,
                _ => 1,
            };
            self.events.push((id.time_ms(), rank, id, Offset(row.get(0)?)));
        }
        Ok(self.events.len() - before)
    }

    fn into_offsets(mut self) -> Vec<Offset> {
        self.events.sort_unstable();
        self.events.into_iter().map(|(_, _, _, offset)| offset).collect()
    }
}

#[cfg(test)]
mod tests;
