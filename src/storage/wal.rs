//! SQLite's write-ahead log (WAL), which holds commits until a checkpoint moves them into the database.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::{StorageError, durable_files, file, own_file};

/// How long a connection waits for another one's lock.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The WAL of the database at `path`.
pub(super) fn path(path: &Path) -> PathBuf {
    path.with_extension("db-wal")
}

/// The index of that WAL, which its connections share.
pub(super) fn index_path(path: &Path) -> PathBuf {
    path.with_extension("db-shm")
}

/// The files that SQLite may make next to the database at `path`: the WAL, its index, and the rollback journal of a database
/// without a WAL.
pub(super) fn companions(path: &Path) -> [PathBuf; 3] {
    ["db-wal", "db-shm", "db-journal"].map(|extension| path.with_extension(extension))
}

/// Switches the WAL on. If that is impossible, as on most network file systems, SQLite itself would go on without one.
pub(super) fn switch_on(connection: &Connection, path: &Path) -> Result<(), StorageError> {
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode == "wal" { Ok(()) } else { Err(StorageError::NoWal(path.to_owned())) }
}

/// Makes everything durable that can be read from the database at `path`.
///
/// After a kill, SQLite recovers commits from the WAL that may never have been synced: a power failure could still take
/// what was read. Syncing the WAL prevents that, and no reader can block it. Its name in the directory needs a sync too,
/// because SQLite syncs the directory only when it creates the file.
///
/// # Errors
/// The WAL or its directory cannot be synced.
pub(crate) fn sync(path: &Path) -> Result<(), StorageError> {
    let wal = self::path(path);
    match own_file::open_to_read(&wal).and_then(|file| file.sync_all()) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(StorageError::io(&wal)(error)),
        _ => {}
    }
    let directory = file::directory_of(path);
    durable_files::sync(directory).map_err(StorageError::io(directory))
}

/// Moves the WAL into the database and empties it. Leaves that to a later checkpoint while another process still reads the
/// WAL, for example to make a backup.
///
/// # Errors
/// SQLite fails.
pub(crate) fn empty(connection: &Connection) -> rusqlite::Result<()> {
    // No wait: a backup may read the WAL for minutes, and the journal must not wait for that.
    connection.busy_timeout(Duration::ZERO)?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    connection.busy_timeout(BUSY_TIMEOUT)
}
