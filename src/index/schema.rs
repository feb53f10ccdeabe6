//! The index's file: its tables and their version, and how it is opened.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{IndexError, hours};
use crate::storage::Database;

/// The database of the index.
pub(super) const DATABASE: Database = Database {
    file_name: "index.db",
    application_id: 0x6c76_6978, // `lvix` in ASCII
    tables: &[TABLES, hours::TABLES],
    migrations: &[MANUAL_ENDS, ENDS, FEWER_WRITES, SHARED_PAGES],
    // The journal has everything that the index needs.
    followers: &[],
    page_bytes: 4096,
    settings: &[
        // NORMAL: a commit is not synced.
        ("synchronous", 1),
        // How much of the database the writer keeps in memory. A negative number is in KiB. Four times as much saves no time.
        ("cache_size", -4 * 1024),
        // A checkpoint after this many pages, 32 MiB: a page that several batches change is copied once.
        ("wal_autocheckpoint", 8000),
    ],
};

/// Version 1.
///
/// `events` has the offset of each event for as long as the journal has its record. If the journal has an event more than
/// once, `events` has the newest offset and `repeats` the others. `begins_ms` is when a recording began.
///
/// `sessions` holds what the events of a session say together, as [`crate::session::Session`] does. The columns below the line
/// are derived from that, for queries. `anomalies`, `recordings` and `screenshots` count only events that the journal no longer
/// has; the others are counted by each query.
///
/// Events of one stream are spread over the journal, so an index by stream alone would dirty another page for nearly each
/// event. That is why events are indexed by [`stretches`]: a batch writes to the pages of its own stretch.
const TABLES: &str = "
    CREATE TABLE streams (
        number INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        stream TEXT NOT NULL
    );
    CREATE INDEX streams_by_name ON streams (stream);
    CREATE TABLE events (
        offset INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE,
        event_type INTEGER NOT NULL,
        stream INTEGER NOT NULL,
        session INTEGER,
        begins_ms INTEGER
    );
    CREATE INDEX events_of_stream ON events (offset >> 16, stream);
    -- Not `IN`: SQLite would not see that the index covers a query for one of the two.
    CREATE INDEX media_of_stream ON events (stream, event_type, id, begins_ms) WHERE event_type = 100 OR event_type = 200;
    CREATE INDEX events_of_session ON events (session, event_type) WHERE session IS NOT NULL;
    CREATE TABLE repeats (offset INTEGER PRIMARY KEY, stream INTEGER NOT NULL);
    CREATE INDEX repeats_of_stream ON repeats (offset >> 16, stream);
    CREATE TABLE sessions (
        number INTEGER PRIMARY KEY,
        stream INTEGER NOT NULL,
        sequence TEXT NOT NULL,
        first_offset INTEGER NOT NULL,
        last_offset INTEGER NOT NULL,
        first_ms INTEGER NOT NULL,
        last_ms INTEGER NOT NULL,
        push_id BLOB,
        push_appid INTEGER,
        push_node TEXT,
        push_user_address TEXT,
        push_width INTEGER,
        push_height INTEGER,
        stop_id BLOB,
        stop_appid INTEGER,
        stop_node TEXT,
        stop_user_address TEXT,
        stop_width INTEGER,
        stop_height INTEGER,
        stop_duration_ms INTEGER,
        stop_errcode INTEGER,
        stop_errmsg TEXT,
        -- derived from the above
        started_ms INTEGER NOT NULL,
        ended_ms INTEGER,
        duration_ms INTEGER,
        reason_category TEXT,
        anomalies INTEGER NOT NULL DEFAULT 0,
        recordings INTEGER NOT NULL DEFAULT 0,
        screenshots INTEGER NOT NULL DEFAULT 0
    );
    CREATE UNIQUE INDEX sessions_by_sequence ON sessions (sequence, stream);
    CREATE INDEX sessions_by_start ON sessions (started_ms);
    CREATE INDEX sessions_by_reason ON sessions (reason_category, started_ms) WHERE reason_category IS NOT NULL;
    CREATE INDEX sessions_of_stream ON sessions (stream, started_ms);
    CREATE INDEX open_sessions ON sessions (started_ms, last_ms, stream, ended_ms) WHERE ended_ms IS NULL;
";

/// Version 2 stores the ends that persons set.
const MANUAL_ENDS: &str = "
    ALTER TABLE sessions ADD COLUMN manual_end_id BLOB;
    ALTER TABLE sessions ADD COLUMN manual_end_why TEXT;
";

/// Version 3 finds sessions by their ends. The index has all that a count of reasons reads, because a lookup of each row would take
/// several times as long.
const ENDS: &str = "
    CREATE INDEX sessions_by_end ON sessions (ended_ms, started_ms, stream, reason_category, stop_errcode, push_node)
        WHERE ended_ms IS NOT NULL;
";

/// Version 4 writes less for each event. It counts ends without triggers: a trigger makes SQLite copy each page that the statement
/// changes, in case a later part of it fails. Only anomalies are indexed by session, because their number is read most often. One
/// index finds streams by key and by name.
const FEWER_WRITES: &str = "
    DROP TRIGGER end_added;
    DROP TRIGGER end_changed_to;
    DROP TRIGGER end_changed_from;
    DROP TRIGGER end_removed;
    DROP INDEX events_of_session;
    CREATE INDEX anomalies_of_session ON events (session) WHERE event_type = 321;
    CREATE TABLE streams_4 (number INTEGER PRIMARY KEY, key TEXT NOT NULL, stream TEXT NOT NULL);
    INSERT INTO streams_4 SELECT number, key, stream FROM streams;
    DROP TABLE streams;
    ALTER TABLE streams_4 RENAME TO streams;
    CREATE UNIQUE INDEX streams_by_name ON streams (stream, key);
";

/// Version 5 lets new sessions share pages, however many sessions there are: see [`super::sequences`] and
/// [`super::session_stretches`].
const SHARED_PAGES: &str = "
    CREATE TABLE sequences (
        tail TEXT NOT NULL,
        stream INTEGER NOT NULL,
        number INTEGER NOT NULL,
        PRIMARY KEY (tail, stream, number)
    ) WITHOUT ROWID;
    CREATE TABLE recent_sequences (
        tail TEXT NOT NULL,
        stream INTEGER NOT NULL,
        number INTEGER NOT NULL,
        PRIMARY KEY (tail, stream, number)
    ) WITHOUT ROWID;
    INSERT INTO sequences SELECT substr(sequence, -6), stream, number FROM sessions ORDER BY 1, 2, 3;
    DROP INDEX sessions_by_sequence;
    DROP INDEX sessions_of_stream;
    CREATE INDEX sessions_of_stream ON sessions (number >> 16, stream, started_ms);
    CREATE TABLE session_stretches (stretch INTEGER PRIMARY KEY, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL);
    INSERT INTO session_stretches SELECT number >> 16, min(started_ms), max(started_ms) FROM sessions GROUP BY number >> 16;
";

/// A recording counts towards a session only if its file was finished at most this long after the session's end, in ms: files
/// are closed after some hours.
pub(super) const RECORDING_MS_MAX: i64 = 48 * 3_600_000;

/// Returns the path of a data directory's index.
pub(super) fn path(data_dir: &Path) -> PathBuf {
    DATABASE.path(data_dir)
}

/// Opens the index for its one writer, and makes it if there is none.
///
/// A commit is not synced: after a power failure the newest commits may be missing, but not parts of one. Only a
/// [`checkpoint`] makes them durable, and the journal keeps its records until then.
pub(super) fn open(data_dir: &Path) -> Result<Connection, IndexError> {
    Ok(DATABASE.open(data_dir, |_| Ok(()))?)
}

/// Opens the index for reading. A writer may have it open at the same time.
pub(super) fn open_to_read(data_dir: &Path) -> Result<Connection, IndexError> {
    Ok(DATABASE.open_to_read(data_dir)?)
}

/// Checks that an index opened for reading has every table and column of this version.
///
/// # Errors
/// An older livehook made it, and none has upgraded it since.
pub(super) fn check_is_current(connection: &Connection) -> Result<(), IndexError> {
    Ok(DATABASE.check_is_current(connection)?)
}

/// Makes all commits so far durable. Returns whether it could: a reader in a long transaction prevents it.
pub(super) fn checkpoint(connection: &Connection) -> Result<bool, IndexError> {
    // PASSIVE waits for no reader, so a long query does not stop the index.
    let left: (i64, i64, i64) = connection
        .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let (is_busy, in_wal, copied) = left;
    Ok(is_busy == 0 && in_wal == copied)
}

/// Returns the stretches of the journal, of 65,536 offsets each, in which the index knows events; `None` if it knows none.
pub(super) fn stretches(connection: &Connection) -> rusqlite::Result<Option<RangeInclusive<i64>>> {
    // `coalesce`, because `min` of two values is NULL if one of them is.
    let query = "SELECT min((SELECT min(offset) FROM events), coalesce((SELECT min(offset) FROM repeats), 9223372036854775807)) >> 16,
        (SELECT max(offset) FROM events) >> 16";
    connection.prepare_cached(query)?.query_row([], |row| {
        let (first, last): (Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?);
        Ok(first.zip(last).map(|(first, last)| first..=last))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If this fails, you changed the tables of a version that has been used. Undo that, and add a migration for a new version.
    #[test]
    fn tables_of_each_version_never_change() {
        assert_eq!(
            DATABASE.fingerprints(),
            ["4477ca79d03fffe8", "890f3742d1db2b25", "6a48e1c49fed49ad", "244dbb1c9771aaca", "cc87f81d8ab8eb03"]
        );
    }
}
