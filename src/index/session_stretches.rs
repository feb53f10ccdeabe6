//! Stretches of sessions: 65,536 sessions each, in the order of their numbers.
//!
//! The sessions of one stream are spread over all sessions, so an index by stream alone would change another page for nearly each
//! new session. That is why the index by stream is sorted by stretch first: new sessions change pages of their own stretch. A
//! query for a stream looks into each stretch with sessions of its time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use rusqlite::Connection;

use crate::moment::TimeRange;

/// The sessions, for a query that names their stretches and their streams. SQLite might prefer an index that is sorted as the result,
/// and then read far more rows.
pub(super) const SESSIONS_OF_STREAM: &str = "sessions INDEXED BY sessions_of_stream";

/// Fills the table of stretches again from the sessions. The migration does the same, and must never change.
pub(super) const FILL_AGAIN: &str = "
    DELETE FROM session_stretches;
    INSERT INTO session_stretches SELECT number >> 16, min(started_ms), max(started_ms) FROM sessions GROUP BY number >> 16;
";

/// Returns a condition that names the stretches with the sessions that started in a time. They have others, too.
pub(super) fn stretches_of(connection: &Connection, time: TimeRange) -> rusqlite::Result<String> {
    let started = (time.since_ms.unwrap_or(i64::MIN), time.until_ms.unwrap_or(i64::MAX));
    let stretches = newest_first(connection, started)?;
    let stretches: Vec<String> = stretches.iter().map(|(stretch, _)| stretch.to_string()).collect();
    Ok(format!("number >> 16 IN ({})", stretches.join(", ")))
}

/// Returns the stretches with sessions that started in a time, from the first of two moments (Unix ms) until before the second. Each
/// has the time of its newest start. The one with the newest comes first.
pub(super) fn newest_first(connection: &Connection, started: (i64, i64)) -> rusqlite::Result<Vec<(i64, i64)>> {
    let query = "SELECT stretch, last_ms FROM session_stretches WHERE last_ms >= ?1 AND first_ms < ?2
        ORDER BY last_ms DESC";
    let mut statement = connection.prepare_cached(query)?;
    statement.query_map([started.0, started.1], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Removes the stretches that had these sessions, and have none any more.
pub(super) fn prune(connection: &Connection, removed: impl Iterator<Item = i64>) -> rusqlite::Result<()> {
    let delete = "DELETE FROM session_stretches WHERE stretch = ?1
        AND NOT EXISTS (SELECT 1 FROM sessions WHERE number BETWEEN ?1 << 16 AND (?1 << 16) + 65535)";
    let mut delete = connection.prepare_cached(delete)?;
    for stretch in removed.map(|number| number >> 16).collect::<BTreeSet<i64>>() {
        delete.execute([stretch])?;
    }
    Ok(())
}

/// The times at which the sessions of a batch start, by stretch.
#[derive(Default)]
pub(super) struct Starts(BTreeMap<i64, RangeInclusive<i64>>);

impl Starts {
    /// Adds a session that starts at a time, in Unix ms.
    pub(super) fn add(&mut self, number: i64, started_ms: i64) {
        let times = self.0.entry(number >> 16).or_insert(started_ms..=started_ms);
        *times = started_ms.min(*times.start())..=started_ms.max(*times.end());
    }

    /// Adds these times to the ones in the table.
    pub(super) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        let write = "INSERT INTO session_stretches VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE
            SET first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms)";
        let mut write = connection.prepare_cached(write)?;
        for (stretch, times) in &self.0 {
            write.execute([stretch, times.start(), times.end()])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
