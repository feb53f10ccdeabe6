//! The tables of the journal, version by version.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::JournalError;
use crate::storage::{Database, StorageError, meta, wal};

/// Version 1. `records` holds the events. `batches` holds the ids of the newest ones a second time, many to a row, so that the
/// writer can read them without the bodies: at its start, and to recognise a duplicate. Its `last_offset` is the record of the last
/// id in a row. A consumer that is retired keeps its row, so that it goes on at its cursor if it returns.
// No unique index on `id`: ids are digests, so nearly each insert would dirty another page. Measured, that costs more
// than the rest of the insert.
const TABLES: &str = "
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

/// Version 2 brought redrives and replays.
const REDRIVES_AND_REPLAYS: &str = "
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
";

/// Version 3 stores which records after a cursor are finished. `pending` is JSON: `[[offset, attempts], ...]`.
const AHEAD: &str = "
    ALTER TABLE consumers ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE consumers ADD COLUMN pending TEXT NOT NULL DEFAULT '[]';
    ALTER TABLE dead_letters ADD COLUMN redriven_attempts INTEGER NOT NULL DEFAULT 0;
";

/// Version 4 stores which streams have unfinished records beyond the pending ones. `held` is JSON: `[[partition key, offset],
/// ...]`.
const HELD_STREAMS: &str = "ALTER TABLE consumers ADD COLUMN held TEXT NOT NULL DEFAULT '[]';";

/// Version 5 doesn't write a row of `batches` with each commit: the ids of the records after its last row are read from the
/// records. An earlier version would not know them, and so would store duplicates. A journal without rows gets an empty one, or
/// all its records would count as newer.
const IDS_IN_RECORDS: &str = "
    INSERT INTO batches (last_offset, ids)
    SELECT max(offset), x'' FROM records WHERE NOT EXISTS (SELECT 1 FROM batches) HAVING max(offset) IS NOT NULL;
";

/// A checkpoint moves the WAL into the database when it has this many pages, 8 MiB.
pub(super) const CHECKPOINT_PAGES: i32 = 2000;

/// The database of the journal.
pub(super) const DATABASE: Database = Database {
    file_name: "journal.db",
    application_id: 0x6c76_686b, // `lvhk` in ASCII
    tables: &[TABLES],
    migrations: &[REDRIVES_AND_REPLAYS, AHEAD, HELD_STREAMS, IDS_IN_RECORDS],
    followers: &["index.db", "index.db-wal"],
    // A commit writes each page that it changes to the WAL as a whole, so small pages make a lone event cheap. Larger ones would
    // save some system calls under load, 1 to 2 us of CPU time for each event.
    page_bytes: 4096,
    settings: &[
        // FULL: each commit syncs the WAL before it returns.
        ("synchronous", 2),
        // For a connection without a thread for checkpoints, as in a salvage.
        ("wal_autocheckpoint", CHECKPOINT_PAGES as i64),
    ],
};

/// The path of the journal in a data directory.
pub(super) fn path(data_dir: &Path) -> PathBuf {
    DATABASE.path(data_dir)
}

/// Opens the journal for its one writer, and creates it if it does not exist. Everything that can be read from it is durable
/// when this returns, whatever happened before.
///
/// # Errors
/// The file is foreign or newer, or cannot be written.
pub(super) fn open(data_dir: &Path) -> Result<Connection, JournalError> {
    let connection = DATABASE.open(data_dir, |connection| {
        meta::store(connection, "journal_id", Some(random_id()?))?;
        Ok(meta::store(connection, "first_offset", Some(1))?)
    })?;
    // First the sync: a process that reads the WAL can keep it from being emptied, but not from being synced.
    wal::sync(&path(data_dir))?;
    wal::empty(&connection)?;
    Ok(connection)
}

/// Opens the journal for reading. A writer may have it open at the same time.
///
/// # Errors
/// The file does not exist, is foreign or newer, or this user cannot read it.
pub(super) fn open_to_read(data_dir: &Path) -> Result<Connection, JournalError> {
    Ok(DATABASE.open_to_read(data_dir)?)
}

/// Returns the unique id of the journal.
///
/// # Errors
/// The journal cannot be read.
pub(super) fn journal_id(connection: &Connection) -> Result<String, JournalError> {
    let id = meta::text(connection, "journal_id")?;
    id.ok_or(JournalError::Database(rusqlite::Error::QueryReturnedNoRows))
}

/// Returns an id that no other journal, and no copy of one, has.
///
/// # Errors
/// The system has no randomness.
pub(super) fn random_id() -> Result<String, StorageError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| {
        StorageError::io(Path::new("the system's randomness"))(std::io::Error::other(error.to_string()))
    })?;
    Ok(hex::encode(id))
}

#[cfg(test)]
mod tests;
