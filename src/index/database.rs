//! The index's file: how it is opened, what is in it, which version it has.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::{IndexError, Options, hours};
use crate::journal::file::{self, BUSY_TIMEOUT};

/// `lvix` in ASCII: tells an index from any other database.
const APPLICATION_ID: i64 = 0x6c76_6978;

/// The version of the tables below. A later one is refused.
const VERSION: i64 = 1;

/// How much of the database the writer keeps in memory, in KiB.
const CACHE_KIB: i64 = 16 * 1024;

/// `events` tells where each event stands, as long as the journal has it; of one that the journal has more than once, the
/// newest place, and `repeats` the others. `sessions` is what the events say together, as
/// [`crate::session::Session`] has it, and below the line what follows from that, for questions. The counts are of events
/// that the journal no longer has; those that it has are counted when asked.
///
/// Streams come in no order, so an index by stream alone would have another page written for nearly each event. That of
/// events is divided by [`stretches`]: a batch writes to the pages of its own.
const TABLES: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
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
    -- Not `IN`: SQLite would not see that the index has what a question for one of them needs.
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
        -- what follows from the above
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

/// What readers in other processes must know of the service's configuration. Kept in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long after its latest event a session without a stop counts as live, in ms; `None` is for ever.
    pub stale_after_ms: Option<i64>,
    /// The longest gap between two sessions of one broadcast, in ms.
    pub bridge_gap_ms: i64,
}

impl Settings {
    /// What the index keeps.
    pub(super) fn read(connection: &Connection) -> Result<Settings, IndexError> {
        Ok(Settings {
            stale_after_ms: number(connection, "stale_after_ms")?,
            bridge_gap_ms: number(connection, "bridge_gap_ms")?.unwrap_or(0),
        })
    }

    /// What the configuration says.
    pub fn of(options: &Options) -> Settings {
        let stale_after_ms = i64::from(options.stale_after_secs) * 1000;
        Settings {
            stale_after_ms: (stale_after_ms > 0).then_some(stale_after_ms),
            bridge_gap_ms: i64::from(options.bridge_gap_secs) * 1000,
        }
    }
}

/// Where the index of a data directory is.
pub(super) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("index.db")
}

/// Opens the index for its one writer, and makes it where there is none.
///
/// A commit is not synced: after a power failure the newest ones may be missing, but not parts of one. What is durable is
/// known after a [`checkpoint`], and the journal keeps what is not.
pub(super) fn open(data_dir: &Path) -> Result<Connection, IndexError> {
    let path = path(data_dir);
    let mut connection = Connection::open(&path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // A transaction that reads first and then needs the write lock fails at once instead of waiting for `BUSY_TIMEOUT`. Even a
    // reader takes that lock for a moment, to recover the index of the write-ahead log. So the lock is taken when a
    // transaction begins.
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    let tables = "SELECT count(*) FROM sqlite_schema";
    let count: i64 = connection.query_row(tables, [], |row| row.get(0)).map_err(|error| described(&path, error))?;
    if count > 0 {
        check_version(&connection, &path)?;
    }
    keep_log(&connection, &path)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    if count == 0 {
        let transaction = connection.unchecked_transaction()?;
        transaction.execute_batch(TABLES)?;
        transaction.execute_batch(hours::TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
    }
    Ok(connection)
}

/// Has SQLite keep a write-ahead log, from which it otherwise refrains in silence: as on most network file systems.
fn keep_log(connection: &Connection, path: &Path) -> Result<(), IndexError> {
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode == "wal" { Ok(()) } else { Err(IndexError::NoLog(path.to_owned())) }
}

/// Opens the index for reading beside its writer, or without one.
pub(super) fn open_to_read(data_dir: &Path) -> Result<Connection, IndexError> {
    let path = path(data_dir);
    let Some(connection) = file::open_to_read(&path)? else { return Err(IndexError::Absent(path)) };
    let tables = "SELECT count(*) FROM sqlite_schema";
    let count: i64 = connection.query_row(tables, [], |row| row.get(0)).map_err(|error| described(&path, error))?;
    if count == 0 {
        // It was about to be made when its maker was killed.
        return Err(IndexError::Absent(path));
    }
    check_version(&connection, &path)?;
    Ok(connection)
}

/// Makes all commits so far durable. Whether it could: a reader in a long transaction may be in its way.
pub(super) fn checkpoint(connection: &Connection) -> Result<bool, IndexError> {
    let left: (i64, i64, i64) = connection
        .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let (is_busy, in_log, copied) = left;
    Ok(is_busy == 0 && in_log == copied)
}

fn check_version(connection: &Connection, path: &Path) -> Result<(), IndexError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if pragma("application_id").map_err(|error| described(path, error))? != APPLICATION_ID {
        return Err(IndexError::Foreign(path.to_owned()));
    }
    let found = pragma("user_version")?;
    if found > VERSION {
        return Err(IndexError::Newer { path: path.to_owned(), found, known: VERSION });
    }
    Ok(())
}

fn described(path: &Path, error: rusqlite::Error) -> IndexError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => IndexError::Foreign(path.to_owned()),
        _ => error.into(),
    }
}

/// The stretches of the journal that the index knows events of, each of 65,536 offsets; `None` where it knows none.
pub(super) fn stretches(connection: &Connection) -> rusqlite::Result<Option<RangeInclusive<i64>>> {
    let query = "SELECT min((SELECT min(offset) FROM events), coalesce((SELECT min(offset) FROM repeats), 9223372036854775807)) >> 16,
        (SELECT max(offset) FROM events) >> 16";
    connection.prepare_cached(query)?.query_row([], |row| {
        let (first, last): (Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?);
        Ok(first.zip(last).map(|(first, last)| first..=last))
    })
}

/// A number kept under a name.
pub(super) fn number(connection: &Connection, name: &str) -> Result<Option<i64>, IndexError> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

/// A text kept under a name.
pub(super) fn text(connection: &Connection, name: &str) -> Result<Option<String>, IndexError> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

/// Keeps a value under a name; `None` forgets it.
pub(super) fn keep(connection: &Connection, name: &str, value: Option<impl rusqlite::ToSql>) -> Result<(), IndexError> {
    match value {
        Some(value) => connection
            .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?
            .execute(params![name, value])?,
        None => connection.prepare_cached("DELETE FROM meta WHERE name = ?1")?.execute([name])?,
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_write_ahead_log_there_is_no_index() {
        // As a network file system does, one in memory has none.
        let error = keep_log(&Connection::open_in_memory().unwrap(), Path::new("data/index.db")).unwrap_err();
        assert!(error.to_string().starts_with("data/index.db: ") && error.to_string().contains("local"), "{error}");
    }
}
