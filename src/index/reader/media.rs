//! Recordings and screenshots. Their events don't name a session, so their times say which sessions they belong to.

use rusqlite::{OptionalExtension, params};

use super::Reader;
use crate::callback::{EventId, EventType};
use crate::index::IndexError;
use crate::index::schema::RECORDING_MS_MAX;
use crate::index::stored_session::{StoredSession, read_event_id};
use crate::journal::Offset;
use crate::session::SessionId;

/// The parameters 2, 3, 4 and 6 of [`RECORDINGS`] and [`SCREENSHOTS`] for a session.
pub(super) struct MediaBounds {
    pub(super) begin: [u8; 16],
    pub(super) end: [u8; 16],
    pub(super) recordings_end: [u8; 16],
    pub(super) until_ms: i64,
}

/// How many sessions are compared with one recording or screenshot: the last ones of its stream that started before its end.
const SESSIONS_MAX: usize = 10;

/// The recordings of a stream (?1) that overlap a time: finished at ?2 or later and before ?4, begun by ?6.
pub(super) const RECORDINGS: &str = "events INDEXED BY media_of_stream
    WHERE stream = ?1 AND event_type = 100 AND id >= ?2 AND id < ?4 AND begins_ms <= ?6";

/// The screenshots of a stream (?1) in a time: at ?2 or later, and before ?3.
pub(super) const SCREENSHOTS: &str = "events INDEXED BY media_of_stream
    WHERE stream = ?1 AND event_type = 200 AND id >= ?2 AND id < ?3";

impl Reader {
    /// The sessions that a recording or a screenshot at an offset counts towards, as they are at `now_ms` (Unix ms); none for an
    /// event of another type. If one recording spans very many sessions, the newest.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn sessions_of_media(&self, offset: Offset, now_ms: i64) -> Result<Vec<SessionId>, IndexError> {
        let transaction = self.connection.unchecked_transaction()?;
        let query = "SELECT stream, id, event_type, coalesce(begins_ms, 0) FROM events
            WHERE offset = ?1 AND (event_type = 100 OR event_type = 200)";
        let mut statement = self.connection.prepare_cached(query)?;
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, read_event_id(row, 1)?, row.get(2)?, row.get(3)?));
        let found: Option<(i64, Option<EventId>, i64, i64)> = statement.query_row([offset.0], read).optional()?;
        let Some((stream, Some(id), event_type, begins_ms)) = found else { return Ok(Vec::new()) };
        let until_its_end = (i64::MIN, id.time_ms().saturating_add(1));
        let mut sessions = self.newest_sessions(stream, until_its_end, SESSIONS_MAX)?;
        sessions.retain(|stored| {
            let MediaBounds { begin, end, recordings_end, until_ms } = self.media_bounds(stored, now_ms);
            let id = id.to_bytes();
            match EventType::from_number(event_type) {
                EventType::Recording => begin <= id && id < recordings_end && begins_ms <= until_ms,
                _ => begin <= id && id < end,
            }
        });
        let key = self.stream_key(stream)?;
        transaction.commit()?;
        Ok(sessions.iter().map(|stored| key.session(&stored.sequence)).collect())
    }

    /// How many recordings and screenshots a session has.
    pub(super) fn media(&self, stored: &StoredSession, now_ms: i64) -> Result<(i64, i64), IndexError> {
        let query = format!(
            "SELECT recordings + (SELECT count(*) FROM {RECORDINGS}),
                    screenshots + (SELECT count(*) FROM {SCREENSHOTS})
             FROM sessions WHERE number = ?5"
        );
        let MediaBounds { begin, end, recordings_end, until_ms } = self.media_bounds(stored, now_ms);
        let arguments = params![stored.stream, begin, end, recordings_end, stored.number, until_ms];
        let mut statement = self.connection.prepare_cached(&query)?;
        Ok(statement.query_row(arguments, |row| Ok((row.get(0)?, row.get(1)?)))?)
    }

    /// Where the recordings and screenshots of a session may be.
    pub(super) fn media_bounds(&self, stored: &StoredSession, now_ms: i64) -> MediaBounds {
        // An event id begins with the event's time, so a range of ids is a range of times.
        let bound = |time_ms: i64| EventId::first_of(time_ms).to_bytes();
        let until_ms = stored.session.until_ms(now_ms, self.settings.stale_after_ms);
        MediaBounds {
            begin: bound(stored.session.started_ms()),
            end: bound(until_ms.saturating_add(1)),
            recordings_end: bound(until_ms.saturating_add(RECORDING_MS_MAX)),
            until_ms,
        }
    }
}
