//! Replaces an index that cannot be used by a new one. The old file stays next to it, because it may hold sessions that are older
//! than the journal.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, ffi};

use super::options::Options;
use super::{IndexError, Store, hours, schema, sequences, session_stretches};
use crate::storage::{StorageError, meta, resolved, sort_in_files};

/// The directory in which the new index is made. Until it is complete, the old one stays in its place.
const STAGING: &str = "index.part";

/// What became of the old index.
pub(super) struct Replaced {
    /// Where the old file is now.
    pub(super) old_path: PathBuf,
    /// How many sessions the new index has from the old one; `None` if the old one could not be read.
    pub(super) kept_sessions: Option<usize>,
}

/// Makes a new index with the sessions of the old one, if they can be read, and moves the old one aside. The new one follows no
/// journal yet, and a rebuild must follow. Nothing may have the index open to write.
///
/// # Errors
/// The new index cannot be made, for example because the disk is full, or a file cannot be moved.
pub(super) fn replace(data_dir: &Path, options: &Options) -> Result<Replaced, IndexError> {
    let (path, staging) = (schema::path(data_dir), data_dir.join(STAGING));
    // An attempt that was killed left it.
    remove_directory(&staging)?;
    fs::DirBuilder::new().mode(0o700).create(&staging).map_err(StorageError::io(&staging))?;
    let made = make(&staging, options, &path).and_then(|kept_sessions| {
        let old_path = move_aside(&path)?;
        fs::rename(schema::path(&staging), &path).map_err(StorageError::io(&path))?;
        Ok(Replaced { old_path, kept_sessions })
    });
    // What stays here is removed by the next attempt.
    let _ = remove_directory(&staging);
    made
}

fn remove_directory(directory: &Path) -> Result<(), StorageError> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(StorageError::io(directory)(error)),
        _ => Ok(()),
    }
}

/// Makes an index in a directory, with the sessions of an old one, and closes it. Returns the number of these sessions.
fn make(directory: &Path, options: &Options, old: &Path) -> Result<Option<usize>, IndexError> {
    let Store { connection, .. } = Store::open(directory, options)?;
    let kept_sessions = copy_sessions(&connection, old)?;
    // The file must be complete without its WAL.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(kept_sessions)
}

/// Moves an index to a name that says that it cannot be used. There are two such names, so that it takes no more space each time.
/// The file at the first one is never replaced, because it may be the only one with the oldest sessions.
fn move_aside(path: &Path) -> Result<PathBuf, StorageError> {
    let first = with_suffix(path, ".unusable");
    let aside = if first.exists() { with_suffix(path, ".unusable-2") } else { first };
    // The WAL goes first: SQLite would play the old WAL into a new database.
    for suffix in ["-wal", "-shm", ""] {
        let (from, to) = (with_suffix(path, suffix), with_suffix(&aside, suffix));
        match fs::rename(&from, &to) {
            // Of an earlier replacement. Its WAL does not belong to this file.
            Err(error) if error.kind() == ErrorKind::NotFound => drop(fs::remove_file(&to)),
            Err(error) => return Err(StorageError::io(&from)(error)),
            Ok(()) => {}
        }
    }
    Ok(aside)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(path);
    path.push(suffix);
    path.into()
}

/// Copies streams and sessions from another index, whatever its version. Returns the number of sessions; `None` if the other index
/// cannot be read.
///
/// # Errors
/// Another attempt may succeed: the disk is full, for example.
fn copy_sessions(connection: &Connection, from: &Path) -> Result<Option<usize>, StorageError> {
    let from = resolved(from)?;
    let copied = connection.execute("ATTACH ?1 AS old", [from.to_string_lossy()]).and_then(|_| {
        let copied = sort_in_files(connection, || copy_attached(connection));
        connection.execute_batch("DETACH old")?;
        copied
    });
    match copied {
        Ok(count) => Ok(Some(count)),
        Err(error) if can_pass(&error) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// Whether an error of the copy can pass, since its cause is not the content of the old file.
fn can_pass(error: &rusqlite::Error) -> bool {
    use ErrorCode::{CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, ReadOnly, SystemIoFailure};
    // The disk can't return a part of the old file.
    let unreadable = [ffi::SQLITE_IOERR_READ, ffi::SQLITE_IOERR_SHORT_READ, ffi::SQLITE_IOERR_CORRUPTFS];
    let Some(failure) = error.sqlite_error() else { return false };
    match failure.code {
        SystemIoFailure => !unreadable.contains(&failure.extended_code),
        code => [CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, ReadOnly].contains(&code),
    }
}

fn copy_attached(connection: &Connection) -> rusqlite::Result<usize> {
    let transaction = connection.unchecked_transaction()?;
    let common = "SELECT name FROM pragma_table_info('sessions', 'main') AS new
        WHERE EXISTS (SELECT 1 FROM pragma_table_info('sessions', 'old') WHERE name = new.name)";
    let columns: Vec<String> =
        transaction.prepare(common)?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let columns = columns.join(", ");
    transaction.execute("INSERT INTO streams (number, key, stream) SELECT number, key, stream FROM old.streams", [])?;
    let insert = format!("INSERT INTO sessions ({columns}) SELECT {columns} FROM old.sessions");
    let count = transaction.execute(&insert, [])?;
    transaction.execute_batch(sequences::FILL_AGAIN)?;
    transaction.execute_batch(session_stretches::FILL_AGAIN)?;
    hours::count_ends_again(&transaction)?;
    // No record has offset 0, so the rebuild adds to these sessions and does not replace them: the journal may lack their events.
    transaction.execute("UPDATE sessions SET first_offset = 0", [])?;
    let next: i64 = transaction.query_row("SELECT coalesce(max(number), 0) + 1 FROM sessions", [], |row| row.get(0))?;
    meta::store(&transaction, "next_session", Some(next))?;
    transaction.commit()?;
    Ok(count)
}

#[cfg(test)]
mod tests;
