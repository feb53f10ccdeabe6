//! The errors of the index. The cures differ from the journal's, because a lost index can be built again from the journal.

use std::path::PathBuf;

use crate::journal::JournalError;
use crate::storage::StorageError;

/// Why the index cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The file does not exist.
    #[error(
        "{0}: there is no index here; start `livehook serve` with this data directory first (and `index.enabled`), or check --data-dir"
    )]
    Absent(PathBuf),
    /// The file is not an index.
    #[error("{0}: this is not a livehook index; move it away, and livehook builds a new one from the journal")]
    Foreign(PathBuf),
    /// The file was made by a later version of livehook.
    #[error(
        "{path}: the index has version {found}, made by a newer livehook; this one reads up to version {known}: run the newer one, or move the file away, and livehook builds a new one from the journal"
    )]
    Newer {
        /// The index's file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// An earlier version of livehook made the file, and a reader cannot upgrade it.
    #[error(
        "{path}: an older livehook made this index; start `livehook serve` of this version with it once, or run `livehook rebuild-index`, to upgrade it to version {known}"
    )]
    Older {
        /// The index's file.
        path: PathBuf,
        /// The version that this program reads.
        known: i64,
    },
    /// The open file was removed or replaced.
    #[error(
        "{0}: this file was removed or replaced while livehook ran: restart livehook, which builds a missing index from the journal"
    )]
    Gone(PathBuf),
    /// The file is damaged.
    #[error(
        "the index is damaged: {0}; stop livehook, move `index.db`, `index.db-wal` and `index.db-shm` out of the data directory, and start it again: it builds a new index from the journal, but sessions older than the journal are lost unless a backup has them"
    )]
    Damaged(rusqlite::Error),
    /// The database failed.
    #[error("the index's database: {0}")]
    Database(rusqlite::Error),
    /// Another error of the data directory.
    #[error(transparent)]
    Storage(StorageError),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The thread that writes has ended.
    #[error("the index's thread has died")]
    Died,
    /// The system refuses to start a thread.
    #[error("no thread can be started: {0}")]
    Thread(std::io::Error),
}

impl IndexError {
    /// Whether a call was interrupted, see [`super::Reader::give_up_when`].
    pub fn is_given_up(&self) -> bool {
        match self {
            IndexError::Database(error) => error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted),
            IndexError::Journal(error) => error.is_given_up(),
            _ => false,
        }
    }
}

impl From<StorageError> for IndexError {
    fn from(error: StorageError) -> IndexError {
        match error {
            StorageError::Absent(path) => IndexError::Absent(path),
            StorageError::Foreign(path) => IndexError::Foreign(path),
            StorageError::Newer { path, found, known } => IndexError::Newer { path, found, known },
            StorageError::Older { path, known } => IndexError::Older { path, known },
            StorageError::Database(error) => error.into(),
            other => IndexError::Storage(other),
        }
    }
}

impl From<rusqlite::Error> for IndexError {
    fn from(error: rusqlite::Error) -> IndexError {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseCorrupt) => IndexError::Damaged(error),
            _ => IndexError::Database(error),
        }
    }
}
