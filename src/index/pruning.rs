//! Removes old events and sessions in slices, so that a step is never long.
//!
//! The index has an event for as long as the journal has its record. Before events are removed, their numbers are added to
//! their sessions. Ended and stale sessions are removed [`super::Options::retention_days`] after their last event.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::IndexError;
use super::hours::{End, HourCounts};
use super::schema::{self, RECORDING_MS_MAX};
use super::sequences::{self, Sequences};
use super::session_stretches::{self, SESSIONS_OF_STREAM};
use super::stored_session::read_event_id;
use crate::moment::TimeRange;

/// How many rows one slice has at most.
pub(super) const SLICE_ROWS: i64 = 2000;

/// Removes the oldest events after one offset and up to another, and adds their numbers to their sessions. A session without
/// a stop counts as live if its latest event is at `live_since_ms` or later. Returns how many were removed; fewer than
/// [`SLICE_ROWS`] if none are left.
pub(super) fn fold_events(
    connection: &Connection,
    after: i64,
    until: i64,
    live_since_ms: i64,
) -> Result<i64, IndexError> {
    let transaction = connection.unchecked_transaction()?;
    let slice = "SELECT max(offset), count(*) FROM
        (SELECT offset FROM events WHERE offset > ?1 AND offset <= ?2 ORDER BY offset LIMIT ?3)";
    let (last, count): (Option<i64>, i64) = transaction
        .prepare_cached(slice)?
        .query_row([after, until, SLICE_ROWS], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some(last) = last else { return Ok(0) };
    // `NOT INDEXED`: each statement reads the slice alone. SQLite would choose to go through a whole index for its order.
    transaction
        .prepare_cached(
            "UPDATE sessions SET anomalies = anomalies + gone.count FROM
                (SELECT session, count(*) AS count FROM events NOT INDEXED
                 WHERE offset > ?1 AND offset <= ?2 AND event_type = 321 AND session IS NOT NULL
                 GROUP BY session) AS gone
             WHERE number = gone.session",
        )?
        .execute([after, last])?;
    fold_media(&transaction, after, last, live_since_ms)?;
    let streams = transaction
        .prepare_cached("SELECT DISTINCT stream FROM events NOT INDEXED WHERE offset > ?1 AND offset <= ?2")?
        .query_map([after, last], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    for table in ["events", "repeats"] {
        let delete = format!("DELETE FROM {table} WHERE offset > ?1 AND offset <= ?2");
        transaction.prepare_cached(&delete)?.execute([after, last])?;
    }
    remove_unused(&transaction, &streams)?;
    transaction.commit()?;
    Ok(count)
}

/// A session that is past its retention.
struct OldSession {
    number: i64,
    stream: i64,
    sequence: String,
    end: Option<End>,
}

/// Removes sessions that are not live and whose latest event is before `oldest_ms`. Returns how many; fewer than
/// [`SLICE_ROWS`] if none are left.
pub(super) fn prune_sessions(
    connection: &Connection,
    sequences: &mut Sequences,
    oldest_ms: i64,
    live_since_ms: i64,
) -> Result<i64, IndexError> {
    let transaction = connection.unchecked_transaction()?;
    let old = transaction
        .prepare_cached(
            "SELECT number, stream, ended_ms, reason_category, sequence FROM sessions
             WHERE started_ms < ?1 AND last_ms < ?1 AND (ended_ms IS NOT NULL OR last_ms < ?2)
             ORDER BY started_ms LIMIT ?3",
        )?
        .query_map(params![oldest_ms, live_since_ms, SLICE_ROWS], |row| {
            let (number, stream, sequence) = (row.get(0)?, row.get(1)?, row.get(4)?);
            Ok(OldSession { number, stream, sequence, end: End::read(row, 2)? })
        })?
        .collect::<rusqlite::Result<Vec<OldSession>>>()?;
    if old.is_empty() {
        return Ok(0);
    }
    let mut ends = HourCounts::default();
    let mut delete = transaction.prepare_cached("DELETE FROM sessions WHERE number = ?1")?;
    for OldSession { number, end, .. } in &old {
        delete.execute([number])?;
        end.iter().for_each(|end| ends.remove_end(*end));
    }
    drop(delete);
    let gone = old.iter().map(|old| (old.sequence.as_str(), old.stream, old.number));
    let recent = sequences::remove(&transaction, gone)?;
    session_stretches::prune(&transaction, old.iter().map(|old| old.number))?;
    ends.write_ends(&transaction)?;
    remove_unused(&transaction, &old.iter().map(|old| old.stream).collect::<Vec<_>>())?;
    transaction.commit()?;
    sequences.recent_are_gone(recent);
    Ok(old.len() as i64)
}

/// A recording or a screenshot.
struct Media {
    stream: i64,
    is_recording: bool,
    begins_ms: i64,
    ends_ms: i64,
}

/// Adds the recordings and screenshots between two offsets to the numbers of the sessions whose time they overlap. A session
/// lasts as long as [`crate::session::Session::until_ms`] says.
fn fold_media(connection: &Connection, after: i64, last: i64, live_since_ms: i64) -> rusqlite::Result<()> {
    let media = connection
        .prepare_cached(
            "SELECT stream, event_type, id, begins_ms FROM events NOT INDEXED
             WHERE offset > ?1 AND offset <= ?2 AND event_type IN (100, 200) ORDER BY stream",
        )?
        .query_map([after, last], |row| {
            let ends_ms = read_event_id(row, 2)?.map_or(0, |id| id.time_ms());
            let begins_ms = row.get::<_, Option<i64>>(3)?.unwrap_or(ends_ms);
            Ok(Media { stream: row.get(0)?, is_recording: row.get::<_, i64>(1)? == 100, begins_ms, ends_ms })
        })?
        .collect::<rusqlite::Result<Vec<Media>>>()?;
    for of_stream in media.chunk_by(|one, next| one.stream == next.stream) {
        let stream = of_stream[0].stream;
        // One query finds the sessions of all files of a stream. Each file is compared with each session below.
        let begins_ms = of_stream.iter().map(|media| media.begins_ms).min().unwrap_or(0);
        let ends_ms = of_stream.iter().map(|media| media.ends_ms).max().unwrap_or(0);
        let before = TimeRange { since_ms: None, until_ms: Some(ends_ms.saturating_add(1)) };
        let stretches = session_stretches::stretches_of(connection, before)?;
        let mut sessions = connection.prepare_cached(&format!(
            "SELECT number, started_ms,
                coalesce(ended_ms, CASE WHEN last_ms < ?4 THEN last_ms ELSE 9223372036854775807 END) AS until_ms
             FROM {SESSIONS_OF_STREAM} WHERE {stretches} AND stream = ?1 AND started_ms <= ?2 AND until_ms >= ?3"
        ))?;
        let mut rows = sessions.query([stream, ends_ms, begins_ms, live_since_ms])?;
        while let Some(row) = rows.next()? {
            let (number, started_ms, until_ms): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let recordings_until_ms = until_ms.saturating_add(RECORDING_MS_MAX);
            let within = of_stream.iter().filter(|media| {
                media.ends_ms >= started_ms && media.begins_ms <= until_ms && media.ends_ms < recordings_until_ms
            });
            let (mut recordings, mut screenshots) = (0, 0);
            for media in within {
                *(if media.is_recording { &mut recordings } else { &mut screenshots }) += 1;
            }
            connection
                .prepare_cached(
                    "UPDATE sessions SET recordings = recordings + ?2, screenshots = screenshots + ?3 WHERE number = ?1",
                )?
                .execute([number, recordings, screenshots])?;
        }
    }
    Ok(())
}

/// Removes the streams without a session and without an event.
fn remove_unused(connection: &Connection, streams: &[i64]) -> rusqlite::Result<()> {
    // From the newest stretch on, because busy streams are there.
    let sessions = session_stretches::newest_first(connection, (i64::MIN, i64::MAX))?;
    let sessions: Vec<i64> = sessions.into_iter().map(|(stretch, _)| stretch).collect();
    let events: Vec<i64> = schema::stretches(connection)?.into_iter().flatten().rev().collect();
    let has_session = format!("SELECT 1 FROM {SESSIONS_OF_STREAM} WHERE number >> 16 = ?1 AND stream = ?2");
    let has_event = "SELECT 1 FROM events WHERE offset >> 16 = ?1 AND stream = ?2";
    // Each stretch is searched for all streams in order, because these searches share pages.
    let mut unused: Vec<i64> = BTreeSet::from_iter(streams).into_iter().copied().collect();
    for (stretches, query) in [(sessions, has_session.as_str()), (events, has_event)] {
        let mut query = connection.prepare_cached(query)?;
        for stretch in stretches {
            let mut left = Vec::new();
            for stream in unused {
                if !query.exists([stretch, stream])? {
                    left.push(stream);
                }
            }
            unused = left;
        }
    }
    let mut delete = connection.prepare_cached("DELETE FROM streams WHERE number = ?1")?;
    for stream in unused {
        delete.execute([stream])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::index::testing::statements;

    #[test]
    fn stream_in_use_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let mut connection: Connection = schema::open(directory.path()).unwrap();
        connection
            .execute_batch(
                "INSERT INTO streams VALUES (1, 'd/a/1', '1'), (2, 'd/a/2', '2'), (3, 'd/a/3', '3');
                 INSERT INTO events VALUES (5, x'05', 1, 1, NULL, NULL), (900000, x'09', 1, 9, NULL, NULL);
                 INSERT INTO sessions (number, stream, sequence, first_offset, last_offset, first_ms, last_ms, started_ms)
                    VALUES (1, 2, '1', 5, 5, 0, 0, 0);
                 INSERT INTO session_stretches VALUES (0, 0, 0);",
            )
            .unwrap();
        let remove = |connection: &mut Connection| remove_unused(connection, &[3, 2, 1, 2, 3]).unwrap();
        let texts = statements(&mut connection, |connection| connection, remove);
        // Two of the streams are searched for in all 14 stretches of events, and all three in the one of sessions.
        assert_eq!(texts.iter().filter(|text| text.contains("AND stream = ?2")).count(), 2 * 14 + 3);
        let left: String =
            connection.query_row("SELECT group_concat(number) FROM streams", [], |row| row.get(0)).unwrap();
        assert_eq!(left, "1,2");
    }
}
