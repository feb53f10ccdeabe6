//! The layout of a database in its file: the size of its pages, and whether the file can shrink.
//!
//! SQLite can change neither in a file with a WAL. But a copy of the database gets both, and has only the used pages.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode};

use super::file::{directory_of, give_to_owner_of, make_private, resolved};
use super::file_space::FileSpace;
use super::volume::Volume;
use super::{StorageError, durable_files, own_file, wal};

/// SQLite's number for `auto_vacuum = INCREMENTAL`: the file can give back free pages, a few at a time.
const INCREMENTAL: i64 = 2;

/// A start renews a file with at most this many used bytes, which takes one or two seconds.
const RENEWED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The space that must stay free on the disk when both copies are there.
const SPARE_BYTES: u64 = 64 * 1024 * 1024;

/// Gives a database without tables its layout. It must not have a WAL yet.
pub(super) fn set(connection: &Connection, page_bytes: i64) -> rusqlite::Result<()> {
    connection.pragma_update(None, "page_size", page_bytes)?;
    connection.pragma_update(None, "auto_vacuum", INCREMENTAL)
}

/// Whether a database has the layout that [`set`] gives.
pub(super) fn is_current(connection: &Connection, page_bytes: i64) -> rusqlite::Result<bool> {
    Ok(number(connection, "page_size")? == page_bytes && number(connection, "auto_vacuum")? == INCREMENTAL)
}

/// Copies a database, as it is at this moment, into a new file with the layout that [`set`] gives. Blocks.
///
/// # Errors
/// The source cannot be read, or the copy cannot be written.
pub(super) fn copy(source: &Connection, page_bytes: i64, target: &Path) -> Result<(), StorageError> {
    // In a database with tables, these two concern only its copies.
    source.pragma_update(None, "page_size", page_bytes)?;
    if number(source, "auto_vacuum")? != INCREMENTAL {
        source.pragma_update(None, "auto_vacuum", INCREMENTAL)?;
    }
    make_private(target).map_err(StorageError::io(target))?;
    // An absolute path, because SQLite would take `file:x` for a URI.
    let target = resolved(target)?;
    let name = ToSqlOutput::Borrowed(ValueRef::Text(target.as_os_str().as_bytes()));
    source.execute("VACUUM INTO ?1", [name])?;
    Ok(())
}

/// Why a file keeps its layout.
#[derive(Debug, thiserror::Error)]
enum NotRenewed {
    #[error("it holds more than {RENEWED_BYTES_MAX} bytes")]
    Large,
    #[error("the disk has too little space for a copy")]
    NoSpace,
    #[error("another program reads it")]
    InUse,
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<rusqlite::Error> for NotRenewed {
    fn from(error: rusqlite::Error) -> NotRenewed {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => NotRenewed::InUse,
            _ => NotRenewed::Storage(error.into()),
        }
    }
}

/// Replaces the file of a database with a copy that has the current layout, if that is quick. Only the holder of the data
/// directory's lock may call this, before it opens the database.
///
/// A kill at any moment leaves the old file or the new one, whole. If the file cannot be renewed, it stays as it is.
pub(super) fn renew(connection: Connection, path: &Path, page_bytes: i64) {
    let target = path.with_extension("db.new");
    match try_renew(connection, path, page_bytes, &target) {
        Ok(()) => tracing::info!(path = %path.display(), "the file has the layout of this version now"),
        Err(reason) => {
            remove(&target);
            tracing::warn!(
                path = %path.display(),
                "the file keeps the layout of an earlier version, which gives no space back to the disk, because {reason}; \
                 a restored backup has the new one"
            );
        }
    }
}

fn try_renew(connection: Connection, path: &Path, page_bytes: i64, target: &Path) -> Result<(), NotRenewed> {
    let metadata = path.symlink_metadata().map_err(StorageError::io(path))?;
    let directory = directory_of(path);
    let used_bytes = FileSpace::measure(&connection)?.used_bytes();
    if used_bytes > RENEWED_BYTES_MAX {
        return Err(NotRenewed::Large);
    }
    if Volume::of(directory).is_none_or(|volume| volume.free_bytes < used_bytes + SPARE_BYTES) {
        return Err(NotRenewed::NoSpace);
    }
    // Moves the WAL into the database and removes it, which takes the only use of the file. A WAL that stayed would be applied
    // to the new file.
    connection.busy_timeout(Duration::ZERO)?;
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))?;
    if mode != "delete" || wal::path(path).exists() {
        return Err(NotRenewed::InUse);
    }
    let sync = || durable_files::sync(directory).map_err(StorageError::io(directory));
    sync()?;

    remove(target);
    copy(&connection, page_bytes, target)?;
    drop(connection);
    let copied = own_file::open(target, OpenOptions::new().write(true)).map_err(StorageError::io(target))?;
    take_owner_and_mode(&metadata, &copied).and_then(|()| copied.sync_all()).map_err(StorageError::io(target))?;
    std::fs::rename(target, path).map_err(StorageError::io(path))?;
    Ok(sync()?)
}

/// A command that root runs must not take the file from livehook's user.
fn take_owner_and_mode(metadata: &std::fs::Metadata, copied: &File) -> io::Result<()> {
    give_to_owner_of(metadata, copied)?;
    copied.set_permissions(metadata.permissions())
}

/// Removes an unfinished copy.
fn remove(target: &Path) {
    for file in [target.to_owned(), target.with_extension("new-journal")] {
        // Usually there is none. If it cannot be removed, the next copy fails and says so.
        let _ = std::fs::remove_file(file);
    }
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}
