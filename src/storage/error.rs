//! The journal and the index share these errors, because both are files of one data directory. Most texts name the path and
//! the cure.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{ErrorCode, ffi};

/// Why a file of the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Another process holds the lock.
    #[error("{0}: another livehook uses this data directory; stop it, or choose another `data_dir`")]
    Locked(PathBuf),
    /// The database does not exist, or its making was cut short.
    #[error(
        "{0}: this file does not exist; start `livehook serve` with this data directory first, or check --data-dir"
    )]
    Absent(PathBuf),
    /// The database is empty or absent, although another file shows that it was there.
    #[error("{path}: this file is empty or missing, although {trace} shows that it was there")]
    Lost {
        /// The file.
        path: PathBuf,
        /// The file that shows it.
        trace: PathBuf,
    },
    /// The file is not a database, or not of the expected kind.
    #[error("{0}: this file is not from livehook; move it away, or choose another `data_dir`")]
    Foreign(PathBuf),
    /// A later version of livehook made the file.
    #[error("{path}: a newer livehook made this file (version {found}); this one reads up to version {known}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// An earlier version of livehook made the file, and a reader cannot upgrade it.
    #[error("{path}: an older livehook made this file; start `livehook serve` once to upgrade it to version {known}")]
    Older {
        /// The file.
        path: PathBuf,
        /// The version that this program reads.
        known: i64,
    },
    /// The tables are not the ones of the version that the file has.
    #[error("{path}: this file has version {version}, but {difference}")]
    Different {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: i64,
        /// The first difference, as part of a sentence.
        difference: String,
    },
    /// The file is damaged.
    #[error("{path}: this file is damaged: {cause}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        cause: rusqlite::Error,
    },
    /// SQLite cannot use a write-ahead log here, as on most network file systems.
    #[error("{0}: SQLite cannot use a write-ahead log (WAL) here; choose a `data_dir` on a local file system")]
    NoWal(PathBuf),
    /// This user must not read the file.
    #[error("{0}: permission denied; run this as the user that livehook runs as")]
    Denied(PathBuf),
    /// The writer runs or was killed. A reader then needs files next to the database, which this user cannot write.
    #[error(
        "{0}: the database is in use or was not closed, so reading it needs write access to its directory; run this as the user that livehook runs as, and not on a read-only file system"
    )]
    Unwritable(PathBuf),
    /// The disk, or this user's part of it, is full.
    #[error("{0}: the disk is full; free some space on its file system")]
    Full(PathBuf),
    /// The data directory doesn't exist, and this user cannot create it.
    #[error(
        "{path}: livehook cannot create this data directory: {source}; choose another `data_dir`, or let livehook's user write to its parent"
    )]
    NoDataDir {
        /// The data directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The operating system reported an error.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// SQLite reported an error.
    #[error("the database: {0}")]
    Database(rusqlite::Error),
}

impl StorageError {
    /// Whether the disk is full.
    pub(crate) fn is_disk_full(&self) -> bool {
        match self {
            StorageError::Full(_) => true,
            StorageError::NoDataDir { source, .. } | StorageError::Io { source, .. } => is_full(source),
            StorageError::Database(error) => is_database_full(error),
            _ => false,
        }
    }

    /// Names the database at `path` if the error says that the disk is full or the file is damaged: SQLite's own text has no path.
    pub(crate) fn with_path(self, path: &Path) -> StorageError {
        match self {
            error if error.is_disk_full() => StorageError::Full(path.to_owned()),
            StorageError::Database(cause) if is_damage(&cause) => {
                StorageError::Damaged { path: path.to_owned(), cause }
            }
            other => other,
        }
    }

    /// Adds the path to an error of the operating system.
    pub(crate) fn io(path: &Path) -> impl Fn(io::Error) -> StorageError {
        move |source| StorageError::Io { path: path.to_owned(), source }
    }
}

// Not a `source`, because the text already has all of it: a chain of errors would repeat it.
impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> StorageError {
        StorageError::Database(error)
    }
}

/// Whether SQLite found that the file is damaged, or is no database.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Whether SQLite found the disk full. It has a code of its own for a disk that cannot take the index of the WAL.
pub(crate) fn is_database_full(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(code, Some(ffi::SQLITE_FULL | ffi::SQLITE_IOERR_SHMSIZE))
}

/// Whether an error of the operating system means that the disk, or this user's part of it, is full.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
