//! The events of one session.

use rusqlite::{Row, params};

use super::Reader;
use super::media::{RECORDINGS, SCREENSHOTS};
use super::open::limit_of;
use crate::callback::{EventId, EventType};
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
        let Some(stretches) = schema::stretches(&transaction)? else { return Ok(Vec::new()) };
        let query = format!("SELECT {SESSION_COLUMNS} FROM sessions WHERE sequence = ?1");
        let mut statement = self.connection.prepare_cached(&query)?;
        let stored =
            statement.query_map([id.sequence()], StoredSession::read)?.collect::<rusqlite::Result<Vec<_>>>()?;
        let mut events: Vec<(i64, i8, EventId, Offset)> = Vec::new();
        for stored in stored {
            if self.stream_key(stored.stream)?.session(&stored.sequence) != *id {
                continue;
            }
            let mut read = |row: &Row<'_>| -> rusqlite::Result<()> {
                let id = read_event_id(row, 1)?.unwrap_or(EventId::first_of(0));
                let rank = match EventType::from_number(row.get(2)?) {
                    EventType::Push => 0,
                    EventType::SessionEnded => 2,
                    EventType::Stop => 3,
                    _ => 1,
                };
                events.push((id.time_ms(), rank, id, Offset(row.get(0)?)));
                Ok(())
            };
            // If there are too many, the push and the ends are returned in any case, so they are read first.
            let mut left = SESSION_EVENTS_MAX;
            let (first, last) = stored.offsets;
            for stretch in (first >> 16).max(*stretches.start())..=(last >> 16).min(*stretches.end()) {
                let own = "SELECT offset, id, event_type FROM events
                    WHERE offset >> 16 = ?1 AND stream = ?2 AND offset >= ?3 AND offset <= ?4 AND session = ?5
                        AND event_type <> 321 LIMIT ?6";
                let mut statement = self.connection.prepare_cached(own)?;
                let arguments = params![stretch, stored.stream, first, last, stored.number, limit_of(left)];
                let mut rows = statement.query(arguments)?;
                while let Some(row) = rows.next()? {
                    read(row)?;
                    left -= 1;
                }
            }
            let anomalies = "SELECT offset, id, event_type FROM events WHERE session = ?1 AND event_type = 321
                ORDER BY offset LIMIT ?2";
            let mut statement = self.connection.prepare_cached(anomalies)?;
            let mut rows = statement.query(params![stored.number, limit_of(left)])?;
            while let Some(row) = rows.next()? {
                read(row)?;
            }
            let media = format!(
                "SELECT offset, id, event_type FROM {RECORDINGS}
                 UNION ALL SELECT offset, id, event_type FROM {SCREENSHOTS} LIMIT ?5"
            );
            let mut statement = self.connection.prepare_cached(&media)?;
            let (begin, end, recordings_end, until_ms) = self.media_bounds(&stored, now_ms);
            let mut rows = statement.query(params![
                stored.stream,
                begin,
                end,
                recordings_end,
                limit_of(SESSION_EVENTS_MAX),
                until_ms
            ])?;
            while let Some(row) = rows.next()? {
                read(row)?;
            }
        }
        drop(statement);
        transaction.commit()?;
        events.sort_unstable();
        Ok(events.into_iter().map(|(_, _, _, offset)| offset).collect())
    }
}

#[cfg(test)]
mod tests;
