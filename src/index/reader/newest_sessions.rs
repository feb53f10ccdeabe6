//! The newest sessions of one stream.

use std::cmp::Reverse;

use rusqlite::params;

use super::Reader;
use super::open::limit_of;
use crate::index::session_stretches::{self, SESSIONS_OF_STREAM};
use crate::index::stored_session::{SESSION_COLUMNS, StoredSession};

impl Reader {
    /// The sessions of a stream that started in a time, from the first of two moments (Unix ms) until before the second. The newest
    /// comes first; of sessions with the same start, the one that became known last. The caller holds a transaction.
    pub(super) fn newest_sessions(
        &self,
        stream: i64,
        started: (i64, i64),
        limit: usize,
    ) -> rusqlite::Result<Vec<StoredSession>> {
        let query = format!(
            "SELECT {SESSION_COLUMNS} FROM {SESSIONS_OF_STREAM}
             WHERE number >> 16 = ?1 AND stream = ?2 AND started_ms >= ?3 AND started_ms < ?4
             ORDER BY started_ms DESC, number DESC LIMIT ?5"
        );
        let mut statement = self.connection.prepare_cached(&query)?;
        let mut newest: Vec<StoredSession> = Vec::new();
        for (stretch, last_ms) in session_stretches::newest_first(&self.connection, started)? {
            let is_full = newest.len() == limit;
            if is_full && newest.last().is_none_or(|oldest| oldest.session.started_ms() > last_ms) {
                // Every session of this stretch and of the next ones is older.
                break;
            }
            let arguments = params![stretch, stream, started.0, started.1, limit_of(limit)];
            for stored in statement.query_map(arguments, StoredSession::read)? {
                newest.push(stored?);
            }
            newest.sort_unstable_by_key(|stored| Reverse((stored.session.started_ms(), stored.number)));
            newest.truncate(limit);
        }
        Ok(newest)
    }
}

#[cfg(test)]
mod tests;
