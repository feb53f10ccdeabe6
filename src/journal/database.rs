//! The journal's file: how it is opened, what is in it, which version it has.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::JournalError;

/// `lvhk` in ASCII: tells a journal from any other database.
const APPLICATION_ID: i64 = 0x6c76_686b;

/// The version of the tables below. A later one is refused, an earlier one is brought up to it.
const VERSION: i64 = 1;

/// The size of a page of a new journal.
const PAGE_BYTES: i64 = 16 * 1024;

/// After how many pages the write-ahead log is moved into the database.
const CHECKPOINT_PAGES: i64 = 1000;

/// How long a connection waits for another one's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// `records` is the log. `batches` holds its newest ids once more, many to a row, so that they are read back at start
/// without the bodies. A retired consumer keeps its row, so that it can be told apart from a new one.
const TABLES: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE records (
        offset INTEGER PRIMARY KEY,
        id BLOB NOT NULL,
        event_type INTEGER NOT NULL,
        received_ms INTEGER NOT NULL,
        line TEXT NOT NULL
    );
    CREATE TABLE batches (last_offset INTEGER PRIMARY KEY, ids BLOB NOT NULL);
    CREATE TABLE consumers (
        name TEXT PRIMARY KEY,
        cursor INTEGER NOT NULL,
        state BLOB,
        is_retired INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE TABLE dead_letters (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        consumer TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        reason TEXT NOT NULL,
        failed_ms INTEGER NOT NULL,
        offset INTEGER NOT NULL,
        id BLOB NOT NULL,
        event_type INTEGER NOT NULL,
        received_ms INTEGER NOT NULL,
        line TEXT NOT NULL
    );
    CREATE INDEX dead_letters_of_consumer ON dead_letters (consumer, number);
";

/// Where the journal of a data directory is.
pub(super) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("journal.db")
}

/// Opens the journal for its one writer, and makes it where there is none. When it returns, all that can be read from
/// it is on disk, whatever happened before.
pub(super) fn open(data_dir: &Path) -> Result<Connection, JournalError> {
    let path = path(data_dir);
    let connection = Connection::open(&path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let is_new = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)).map_err(
        |error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => JournalError::Foreign(path.clone()),
            _ => error.into(),
        },
    )? == 0;
    if !is_new {
        check_version(&connection, &path)?;
    }
    // Counts for a new file only. Measured: larger pages than SQLite's default save system calls in a batch's commit.
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    // What a burst made of the write-ahead log is given back at the next checkpoint that empties it.
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    if is_new {
        create(&connection)?;
        sync_directory(data_dir)?;
    }
    checkpoint(&connection)?;
    Ok(connection)
}

/// Opens the journal for reading beside its writer, or without one.
pub(super) fn open_to_read(data_dir: &Path) -> Result<Connection, JournalError> {
    let path = path(data_dir);
    if !path.exists() {
        return Err(JournalError::Absent(path));
    }
    let connection =
        Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    check_version(&connection, &path)?;
    Ok(connection)
}

/// Moves everything from the write-ahead log into the database and syncs both.
///
/// After a kill SQLite finds frames again that may never have been synced: what is read may be gone after a power
/// failure. A checkpoint syncs the log before it copies, so once it has succeeded all that can be read is durable.
pub(super) fn checkpoint(connection: &Connection) -> Result<(), JournalError> {
    let is_busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if is_busy != 0 {
        let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        let text = "another program keeps the journal open in a long transaction; end it, then start again";
        return Err(rusqlite::Error::SqliteFailure(busy, Some(text.to_owned())).into());
    }
    Ok(())
}

fn create(connection: &Connection) -> Result<(), JournalError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| JournalError::Io {
        path: PathBuf::from("the system's randomness"),
        source: std::io::Error::other(error.to_string()),
    })?;
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.execute("INSERT INTO meta VALUES ('journal_id', ?1), ('first_offset', 1)", [hex::encode(id)])?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(())
}

fn check_version(connection: &Connection, path: &Path) -> Result<(), JournalError> {
    let application_id: i64 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(|error| {
            match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::NotADatabase) => JournalError::Foreign(path.to_owned()),
                _ => error.into(),
            }
        })?;
    if application_id != APPLICATION_ID {
        return Err(JournalError::Foreign(path.to_owned()));
    }
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > VERSION {
        return Err(JournalError::Newer { path: path.to_owned(), found, known: VERSION });
    }
    Ok(())
}

/// A number kept under a name.
pub(super) fn meta_number(connection: &Connection, name: &str) -> Result<i64, JournalError> {
    let number = connection.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0)).optional()?;
    Ok(number.unwrap_or(0))
}

/// Makes the entries of a directory durable.
pub(super) fn sync_directory(directory: &Path) -> Result<(), JournalError> {
    std::fs::File::open(directory)
        .and_then(|file| file.sync_all())
        .map_err(|source| JournalError::Io { path: directory.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_version_is_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        open(directory.path()).unwrap().pragma_update(None, "user_version", VERSION + 1).unwrap();
        for error in [open(directory.path()).unwrap_err(), open_to_read(directory.path()).unwrap_err()] {
            assert!(
                error.to_string().contains("journal.db: the journal has version 2, made by a newer livehook"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_is_no_journal_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(path(directory.path()), "a text of somebody's own, long enough to have a header of its own")
            .unwrap();
        assert!(matches!(open(directory.path()), Err(JournalError::Foreign(_))));
        std::fs::remove_file(path(directory.path())).unwrap();
        Connection::open(path(directory.path())).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
        assert!(matches!(open(directory.path()), Err(JournalError::Foreign(_))));
        assert!(matches!(open_to_read(directory.path()), Err(JournalError::Foreign(_))));
    }

    #[test]
    fn the_settings_that_durability_rests_on() {
        let directory = tempfile::tempdir().unwrap();
        let connection = open(directory.path()).unwrap();
        let setting = |name: &str| {
            connection.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0)).unwrap()
        };
        assert_eq!(setting("journal_mode"), "wal".to_owned().into());
        assert_eq!(setting("synchronous"), 2.into(), "FULL");
    }
}
