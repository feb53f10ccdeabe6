//! Lets go of what is too old, in slices, so that no step takes long.
//!
//! Where an event stands is known as long as the journal has it. What is counted of events goes into their sessions before
//! the events go. Sessions that have ended, or are stale, go [`super::Options::retention_days`] after their last event; so do
//! the hours in which things were counted.

use rusqlite::{Connection, params};

use super::database::{self, Settings};
use super::rows::read_event_id;
use super::{IndexError, Store, hours};
use crate::journal::Offset;
use crate::session::State;

/// How many rows one slice looks at.
const SLICE_ROWS: i64 = 2000;

/// How far beyond the end of a recording's session its file may be finished, in ms: files are closed after some hours.
pub(super) const RECORDING_MS_MAX: i64 = 48 * 3_600_000;

impl Store {
    /// Forgets some of what the journal's records before `first` said where they stand, and some old sessions. Whether
    /// there is more to do.
    ///
    /// # Errors
    /// The disk does not do as asked.
    pub fn prune(&mut self, first: Offset, now_ms: i64) -> Result<bool, IndexError> {
        hours::prune(&self.connection, self.oldest_ms(now_ms))?;
        let has_more_events = self.fold_slice(Some(first))?;
        let has_more_sessions = self.prune_sessions(now_ms)?;
        Ok(has_more_events || has_more_sessions)
    }

    /// As [`Store::prune`] of events, to the end. `None` is all of them.
    pub(super) fn fold_events(&mut self, before: Option<Offset>) -> Result<(), IndexError> {
        while self.fold_slice(before)? {}
        Ok(())
    }

    fn fold_slice(&mut self, before: Option<Offset>) -> Result<bool, IndexError> {
        let bound = before.map_or(i64::MAX, |before| before.0);
        let transaction = self.connection.unchecked_transaction()?;
        let slice =
            "SELECT max(offset), count(*) FROM (SELECT offset FROM events WHERE offset < ?1 ORDER BY offset LIMIT ?2)";
        let (last, count): (Option<i64>, i64) =
            transaction.prepare_cached(slice)?.query_row([bound, SLICE_ROWS], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let Some(last) = last else { return Ok(false) };
        // Each statement looks at the slice alone. Left to itself, SQLite would go through all of an index for the order.
        transaction
            .prepare_cached(
                "UPDATE sessions SET anomalies = anomalies + gone.count FROM
                    (SELECT session, count(*) AS count FROM events NOT INDEXED
                     WHERE offset <= ?1 AND event_type = 321 AND session IS NOT NULL GROUP BY session) AS gone
                 WHERE number = gone.session",
            )?
            .execute([last])?;
        fold_media(&transaction, last)?;
        let streams = numbers(&transaction, "SELECT DISTINCT stream FROM events NOT INDEXED WHERE offset <= ?1", last)?;
        transaction.prepare_cached("DELETE FROM events WHERE offset <= ?1")?.execute([last])?;
        transaction.prepare_cached("DELETE FROM repeats WHERE offset <= ?1")?.execute([last])?;
        forget_streams(&transaction, &streams)?;
        transaction.commit()?;
        // One that was forgotten may be remembered there.
        self.streams.clear();
        Ok(count == SLICE_ROWS)
    }

    /// What is older than this goes, in Unix ms.
    fn oldest_ms(&self, now_ms: i64) -> i64 {
        let day_ms = 86_400_000;
        now_ms.saturating_sub(i64::from(self.options.retention_days) * day_ms)
    }

    fn prune_sessions(&mut self, now_ms: i64) -> Result<bool, IndexError> {
        let oldest_ms = self.oldest_ms(now_ms);
        let live_since_ms = State::live_since_ms(now_ms, Settings::of(&self.options).stale_after_ms);
        let transaction = self.connection.unchecked_transaction()?;
        let (gone, streams): (Vec<i64>, Vec<i64>) = transaction
            .prepare_cached(
                "SELECT number, stream FROM sessions
                 WHERE started_ms < ?1 AND last_ms < ?1 AND (ended_ms IS NOT NULL OR last_ms < ?2)
                 ORDER BY started_ms LIMIT ?3",
            )?
            .query_map(params![oldest_ms, live_since_ms, SLICE_ROWS], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<Vec<(i64, i64)>>>()?
            .into_iter()
            .unzip();
        if gone.is_empty() {
            return Ok(false);
        }
        for number in &gone {
            transaction.prepare_cached("DELETE FROM sessions WHERE number = ?1")?.execute([number])?;
        }
        forget_streams(&transaction, &streams)?;
        transaction.commit()?;
        self.streams.clear();
        Ok(gone.len() as i64 == SLICE_ROWS)
    }
}

/// A recording or a screenshot.
struct Media {
    stream: i64,
    is_recording: bool,
    begins_ms: i64,
    ends_ms: i64,
}

/// Counts the recordings and screenshots up to an offset in the sessions that they fall into.
fn fold_media(connection: &Connection, last: i64) -> rusqlite::Result<()> {
    let media = connection
        .prepare_cached(
            "SELECT stream, event_type, id, begins_ms FROM events NOT INDEXED
             WHERE offset <= ?1 AND event_type IN (100, 200) ORDER BY stream",
        )?
        .query_map([last], |row| {
            let ends_ms = read_event_id(row, 2)?.map_or(0, |id| id.time_ms());
            let begins_ms = row.get::<_, Option<i64>>(3)?.unwrap_or(ends_ms);
            Ok(Media { stream: row.get(0)?, is_recording: row.get::<_, i64>(1)? == 100, begins_ms, ends_ms })
        })?
        .collect::<rusqlite::Result<Vec<Media>>>()?;
    for of_stream in media.chunk_by(|one, next| one.stream == next.stream) {
        let stream = of_stream[0].stream;
        let begins_ms = of_stream.iter().map(|media| media.begins_ms).min().unwrap_or(0);
        let ends_ms = of_stream.iter().map(|media| media.ends_ms).max().unwrap_or(0);
        let mut sessions = connection.prepare_cached(
            "SELECT number, started_ms, coalesce(ended_ms, 9223372036854775807) AS until_ms FROM sessions
             WHERE stream = ?1 AND started_ms <= ?2 AND until_ms >= ?3",
        )?;
        let mut rows = sessions.query([stream, ends_ms, begins_ms])?;
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

/// Forgets those of the streams of which nothing is known any more.
fn forget_streams(connection: &Connection, streams: &[i64]) -> rusqlite::Result<()> {
    let stretches = database::stretches(connection)?;
    let mut has_session = connection.prepare_cached("SELECT 1 FROM sessions WHERE stream = ?1")?;
    let mut has_event = connection.prepare_cached("SELECT 1 FROM events WHERE offset >> 16 = ?1 AND stream = ?2")?;
    for stream in streams {
        if has_session.exists([stream])? {
            continue;
        }
        let mut is_known = false;
        // From the newest on, since those that are busy have events there.
        for stretch in stretches.iter().flat_map(|stretches| stretches.clone().rev()) {
            is_known = has_event.exists([&stretch, stream])?;
            if is_known {
                break;
            }
        }
        if !is_known {
            connection.prepare_cached("DELETE FROM streams WHERE number = ?1")?.execute([stream])?;
        }
    }
    Ok(())
}

fn numbers(connection: &Connection, query: &str, argument: i64) -> rusqlite::Result<Vec<i64>> {
    connection.prepare_cached(query)?.query_map([argument], |row| row.get(0))?.collect()
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn a_stream_is_forgotten_only_when_no_session_and_no_event_is_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let connection: Connection = database::open(directory.path()).unwrap();
        connection
            .execute_batch(
                "INSERT INTO streams VALUES (1, 'd/a/1', '1'), (2, 'd/a/2', '2'), (3, 'd/a/3', '3');
                 INSERT INTO events VALUES (5, x'05', 1, 1, NULL, NULL), (900000, x'09', 1, 9, NULL, NULL);
                 INSERT INTO sessions (number, stream, sequence, first_offset, first_ms, last_ms, started_ms)
                    VALUES (1, 2, '1', 5, 0, 0, 0);",
            )
            .unwrap();
        forget_streams(&connection, &[1, 2, 3]).unwrap();
        let left: String =
            connection.query_row("SELECT group_concat(number) FROM streams", [], |row| row.get(0)).unwrap();
        assert_eq!(left, "1,2");
    }
}
