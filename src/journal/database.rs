//! The journal's file: how it is opened, what is in it, which version it has.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::JournalError;
use super::file::{self, BUSY_TIMEOUT};
use crate::storage::durable_files;

/// `lvhk` in ASCII: tells a journal from any other database.
const APPLICATION_ID: i64 = 0x6c76_686b;

/// The version of the tables below. A later one is refused, an earlier one is brought up to it.
const VERSION: i64 = 1 + MIGRATIONS.len() as i64;

/// The size of a page of a new journal.
const PAGE_BYTES: i64 = 16 * 1024;

/// After how many pages the write-ahead log is moved into the database.
const CHECKPOINT_PAGES: i64 = 1000;

/// The tables of version 1. `records` is the log. `batches` holds its newest ids once more, many to a row, so that they are read back at start
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

/// What brings each version to the next, the first one version 1. A new journal goes through all of them too, so that it is
/// the same as one that grew up.
const MIGRATIONS: [&str; 2] = [
    "
    ALTER TABLE dead_letters ADD COLUMN redriven_ms INTEGER;
    CREATE INDEX dead_letters_redriven ON dead_letters (consumer, number) WHERE redriven_ms IS NOT NULL;
    CREATE INDEX dead_letters_of_event ON dead_letters (id);
    CREATE TABLE replays (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        consumer TEXT NOT NULL,
        selection TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        cursor INTEGER NOT NULL,
        counted INTEGER NOT NULL,
        done INTEGER NOT NULL DEFAULT 0,
        failed INTEGER NOT NULL DEFAULT 0,
        last_reason TEXT,
        ended_ms INTEGER,
        is_cancelled INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX replays_running ON replays (consumer, number) WHERE ended_ms IS NULL;
",
    // Up to where a consumer has read, and what of that is not done, as `[[offset, attempts], ...]`.
    "
    ALTER TABLE consumers ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE consumers ADD COLUMN pending TEXT NOT NULL DEFAULT '[]';
    ALTER TABLE dead_letters ADD COLUMN redriven_attempts INTEGER NOT NULL DEFAULT 0;
",
];

/// Where the journal of a data directory is.
pub(super) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("journal.db")
}

/// Opens the journal for its one writer, and makes it where there is none. When it returns, all that can be read from
/// it is on disk, whatever happened before.
pub(super) fn open(data_dir: &Path) -> Result<Connection, JournalError> {
    let path = path(data_dir);
    let mut connection = Connection::open(&path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // A transaction that reads first and then needs the write lock fails at once instead of waiting for `BUSY_TIMEOUT`. Even a
    // reader takes that lock for a moment, to recover the index of the write-ahead log. So the lock is taken when a
    // transaction begins.
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
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
    keep_log(&connection, &path)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    // What a burst made of the write-ahead log is given back at the next checkpoint that empties it.
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    if is_new {
        create(&connection)?;
    } else {
        migrate(&connection)?;
    }
    sync_log(data_dir)?;
    empty_log(&connection)?;
    Ok(connection)
}

/// Has SQLite keep a write-ahead log, from which it otherwise refrains in silence: as on most network file systems.
fn keep_log(connection: &Connection, path: &Path) -> Result<(), JournalError> {
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode == "wal" { Ok(()) } else { Err(JournalError::NoLog(path.to_owned())) }
}

/// Opens the journal for reading beside its writer, or without one.
pub(super) fn open_to_read(data_dir: &Path) -> Result<Connection, JournalError> {
    let path = path(data_dir);
    let Some(connection) = file::open_to_read(&path)? else { return Err(JournalError::Absent(path)) };
    check_version(&connection, &path)?;
    Ok(connection)
}

/// That a journal that is only read has the tables of this version: what has come since it was made is not in it.
pub(super) fn check_current(connection: &Connection) -> Result<(), JournalError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found < VERSION {
        return Err(JournalError::Older { path: connection.path().unwrap_or_default().into(), known: VERSION });
    }
    Ok(())
}

/// Makes all that can be read durable.
///
/// After a kill SQLite finds frames in its log again that may never have been synced: what is read may be gone after a power
/// failure. Syncing the log is enough for that, and nobody can be in its way; so is the entry of the log in its directory,
/// which SQLite syncs only when it makes the file.
fn sync_log(data_dir: &Path) -> Result<(), JournalError> {
    let log = path(data_dir).with_extension("db-wal");
    match std::fs::File::open(&log).and_then(|file| file.sync_all()) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            return Err(JournalError::Io { path: log, source });
        }
        _ => {}
    }
    durable_files::sync(data_dir).map_err(|source| JournalError::Io { path: data_dir.to_owned(), source })
}

/// Moves the write-ahead log into the database and empties it, or leaves that for later where another program, as one that
/// makes a backup, still reads from it.
fn empty_log(connection: &Connection) -> Result<(), JournalError> {
    connection.busy_timeout(Duration::ZERO)?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(())
}

fn create(connection: &Connection) -> Result<(), JournalError> {
    let id = random_id()?;
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.execute("INSERT INTO meta VALUES ('journal_id', ?1), ('first_offset', 1)", [id])?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", 1)?;
    transaction.commit()?;
    migrate(connection)
}

/// What no other journal, and no copy of one, is called by.
pub(super) fn random_id() -> Result<String, JournalError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| JournalError::Io {
        path: PathBuf::from("the system's randomness"),
        source: std::io::Error::other(error.to_string()),
    })?;
    Ok(hex::encode(id))
}

/// Brings a journal of an earlier version up to this one, at once or not at all.
fn migrate(connection: &Connection) -> Result<(), JournalError> {
    let transaction = connection.unchecked_transaction()?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let missing = MIGRATIONS.iter().skip(usize::try_from(found - 1).unwrap_or(0));
    for migration in missing {
        transaction.execute_batch(migration)?;
    }
    if found < VERSION {
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_version_is_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        open(directory.path()).unwrap().pragma_update(None, "user_version", VERSION + 1).unwrap();
        for error in [open(directory.path()).unwrap_err(), open_to_read(directory.path()).unwrap_err()] {
            assert!(
                error.to_string().contains("journal.db: the journal has version 4, made by a newer livehook"),
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

    /// The tables and indexes as they are described in the file.
    fn schema(connection: &Connection) -> Vec<String> {
        let query = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name";
        let mut statement = connection.prepare(query).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    /// A journal of an earlier version, with a dead letter and a consumer.
    fn of_version(version: usize, directory: &Path) {
        let connection = Connection::open(path(directory)).unwrap();
        connection.execute_batch(TABLES).unwrap();
        connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        connection
            .execute_batch(
                "INSERT INTO meta VALUES ('journal_id', 'x'), ('first_offset', 1);
                 INSERT INTO consumers VALUES ('archive', 4, x'07', 0);
                 INSERT INTO dead_letters VALUES (7, 'archive', 3, 'poison', 11, 5, x'00', 1, 10, '{}')",
            )
            .unwrap();
        for migration in &MIGRATIONS[..version - 1] {
            connection.execute_batch(migration).unwrap();
        }
        connection.pragma_update(None, "user_version", version as i64).unwrap();
    }

    #[test]
    fn each_earlier_version_becomes_what_a_new_journal_is_and_keeps_dead_letters_and_cursors() {
        let new = tempfile::tempdir().unwrap();
        let expected = schema(&open(new.path()).unwrap());
        for version in 1..VERSION as usize {
            let old = tempfile::tempdir().unwrap();
            of_version(version, old.path());
            let error = check_current(&open_to_read(old.path()).unwrap()).unwrap_err();
            assert!(error.to_string().contains("start `livehook serve`"), "{error}");
            for _ in 0..2 {
                let connection = open(old.path()).unwrap();
                let letter =
                    "SELECT number, consumer, attempts, reason, redriven_ms, redriven_attempts FROM dead_letters";
                let kept = connection
                    .query_row(letter, [], |row| {
                        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
                    })
                    .unwrap();
                assert_eq!(kept, (7, "archive".to_owned(), 3, "poison".to_owned(), None::<i64>, 0));
                let consumer = "SELECT cursor, state, position, pending FROM consumers";
                let kept = connection
                    .query_row(consumer, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
                    .unwrap();
                assert_eq!(kept, (4, vec![7_u8], 0, "[]".to_owned()));
                assert_eq!(schema(&connection), expected);
            }
            check_current(&open_to_read(old.path()).unwrap()).unwrap();
        }
    }

    #[test]
    fn a_migration_that_fails_leaves_version_1_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        of_version(1, directory.path());
        let connection = Connection::open(path(directory.path())).unwrap();
        connection.execute_batch("CREATE TABLE replays (theirs)").unwrap();
        let before = schema(&connection);
        open(directory.path()).unwrap_err();
        assert_eq!(schema(&connection), before);
        assert_eq!(connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap(), 1);
        connection.execute_batch("DROP TABLE replays").unwrap();
        open(directory.path()).unwrap();
    }

    #[test]
    fn without_a_write_ahead_log_there_is_no_journal() {
        // As a network file system does, one in memory has none.
        let error = keep_log(&Connection::open_in_memory().unwrap(), Path::new("data/journal.db")).unwrap_err();
        assert!(error.to_string().starts_with("data/journal.db: ") && error.to_string().contains("local"), "{error}");
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
        assert_eq!(setting("busy_timeout"), (BUSY_TIMEOUT.as_millis() as i64).into());
    }
}
