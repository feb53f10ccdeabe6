//! The file of a database in the data directory, as the system sees it. For the index too, which is such a file beside the
//! journal's. Nothing here knows what is in it.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::fs::{Access, access};
use rustix::io::Errno;

use super::JournalError;

/// How long a connection waits for another one's lock.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Which file a path led to when it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// That of the file at a path.
    ///
    /// # Errors
    /// There is none, or it cannot be told.
    pub(crate) fn of(path: &Path) -> io::Result<Identity> {
        let metadata = path.metadata()?;
        Ok(Identity { device: metadata.dev(), inode: metadata.ino() })
    }

    /// Whether the file is still at the path, so that what is written to it will be found. Where that cannot be told, it
    /// counts as there.
    pub(crate) fn is_at(self, path: &Path) -> bool {
        match Identity::of(path) {
            Ok(found) => found == self,
            Err(error) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
        }
    }
}

/// Whether there is a file, which may be read then.
///
/// It is not opened for that: closing a file gives up the locks that the process has on it, those of its database too.
///
/// # Errors
/// There is one that this user may not read, or that cannot be told.
pub(crate) fn is_there(path: &Path) -> Result<bool, JournalError> {
    match access(path, Access::READ_OK) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(Errno::ACCESS) => Err(JournalError::Denied(path.to_owned())),
        Err(error) => Err(JournalError::Io { path: path.to_owned(), source: error.into() }),
    }
}

/// Opens a database for reading beside its writer, or without one; `None` where there is no file.
///
/// # Errors
/// This user cannot read it. That it is no database shows later.
pub(crate) fn open_to_read(path: &Path) -> Result<Option<Connection>, JournalError> {
    if !is_there(path)? {
        return Ok(None);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = if is_at_rest(path)? {
        let path = std::path::absolute(path).map_err(|source| JournalError::Io { path: path.to_owned(), source })?;
        let encoded = percent_encode(path.as_os_str().as_bytes(), NON_ALPHANUMERIC);
        let uri = format!("file://{}?immutable=1", encoded.to_string().replace("%2F", "/"));
        Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?
    } else {
        Connection::open_with_flags(path, flags)?
    };
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let looked = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    match looked.map_err(|error| error.sqlite_error_code()) {
        Err(Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen)) => Err(JournalError::Unwritable(path.to_owned())),
        _ => Ok(Some(connection)),
    }
}

/// Whether a database was closed in order, and is where this process could not even make the files that a reader has beside
/// a writer: then it is read as it is. A writer would have left its write-ahead log.
fn is_at_rest(path: &Path) -> Result<bool, JournalError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let is_writable = !matches!(access(directory, Access::WRITE_OK), Err(Errno::ACCESS | Errno::ROFS));
    Ok(!is_writable && !is_there(&path.with_extension("db-wal"))?)
}
