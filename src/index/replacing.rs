//! Replaces an index that cannot be used by a new one. The old file stays next to it, because it may hold sessions that are older
//! than the journal.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::options::Options;
use super::{IndexError, Store, hours, schema, sequences, session_stretches};
use crate::storage::{StorageError, meta, resolved, sort_in_files};

/// A new index, and what it took from the old one.
pub(super) struct Replaced {
    /// The new index. It follows no journal yet.
    pub(super) store: Store,
    /// Where the old file is now.
    pub(super) old_path: PathBuf,
    /// How many sessions the new index has from the old one; `None` if the old one could not be read.
    pub(super) kept_sessions: Option<usize>,
}

/// Moves the index of a data directory aside, makes a new one, and copies the sessions of the old one if they can be read. A
/// rebuild must follow. Nothing may have the index open to write.
///
/// # Errors
/// The file cannot be moved, or the new one cannot be made.
pub(super) fn replace(data_dir: &Path, options: &Options) -> Result<Replaced, IndexError> {
    let path = schema::path(data_dir);
    let old_path = with_suffix(&path, ".unusable");
    // The WAL goes first: SQLite would play the old WAL into a new database.
    for suffix in ["-wal", "-shm", ""] {
        let (from, to) = (with_suffix(&path, suffix), with_suffix(&old_path, suffix));
        match std::fs::rename(&from, &to) {
            // Of an earlier replacement. Its WAL does not belong to this file.
            Err(error) if error.kind() == ErrorKind::NotFound => drop(std::fs::remove_file(&to)),
            Err(error) => return Err(StorageError::io(&from)(error).into()),
            Ok(()) => {}
        }
    }
    let mut store = Store::open(data_dir, options)?;
    let kept_sessions = copy_sessions(&store.connection, &old_path).ok();
    store.reload()?;
    Ok(Replaced { store, old_path, kept_sessions })
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(path);
    path.push(suffix);
    path.into()
}

/// Copies streams and sessions from another index, whatever its version. Returns the number of sessions.
fn copy_sessions(connection: &Connection, from: &Path) -> Result<usize, StorageError> {
    connection.execute("ATTACH ?1 AS old", [resolved(from)?.to_string_lossy()])?;
    let copied = sort_in_files(connection, || copy_attached(connection));
    connection.execute_batch("DETACH old")?;
    Ok(copied?)
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
