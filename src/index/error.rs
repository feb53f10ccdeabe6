//! The errors of the index. The cures differ from the journal's, because a lost index can be built again from the journal.

use std::path::PathBuf;

use rusqlite::{ErrorCode, ffi};

use crate::journal::JournalError;
use crate::storage::{StorageError, is_damage};

/// Why the index cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The file does not exist.
    #[error(
        "{0}: there is no index here; start `livehook serve` with this data directory first (and `index.enabled`), or check --data-dir"
    )]
    Absent(PathBuf),
    /// The file is not an index.
    #[error(
        "{0}: this is not a livehook index, or its beginning is damaged; start `livehook serve`, or run `livehook rebuild-index`: both move it away, and build a new one from the journal"
    )]
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
    /// The tables are not the ones of the index's version.
    #[error(
        "{path}: the index has version {version}, but {difference}; start `livehook serve`, or run `livehook rebuild-index`: both build a new index from the journal"
    )]
    Different {
        /// The index's file.
        path: PathBuf,
        /// Its version.
        version: i64,
        /// The first difference, as part of a sentence.
        difference: String,
    },
    /// The open file was removed or replaced.
    #[error(
        "{0}: this file was removed or replaced while livehook ran: restart livehook, which builds a missing index from the journal"
    )]
    Gone(PathBuf),
    /// The file is damaged.
    #[error(
        "the index `index.db` in the data directory is damaged: {0}; start `livehook serve`, or run `livehook rebuild-index`: both build a new index from the journal, but sessions older than the journal are lost unless a backup has them"
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
    /// Whether a new index would not fail in this way. A full disk, a lock or an interrupted call is not a fault of the file.
    pub(super) fn is_cured_by_rebuild(&self) -> bool {
        match self {
            IndexError::Foreign(_) | IndexError::Different { .. } | IndexError::Damaged(_) => true,
            IndexError::Database(error) => is_fault_of_file(error),
            _ => false,
        }
    }

    /// Whether a call was interrupted, see [`super::Reader::give_up_when`].
    pub fn is_given_up(&self) -> bool {
        match self {
            IndexError::Database(error) => error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted),
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
            StorageError::Different { path, version, difference } => {
                IndexError::Different { path, version, difference }
            }
            StorageError::Damaged { cause, .. } => IndexError::Damaged(cause),
            StorageError::Older { path, known } => IndexError::Older { path, known },
            StorageError::Database(error) => error.into(),
            other => IndexError::Storage(other),
        }
    }
}

impl From<rusqlite::Error> for IndexError {
    fn from(error: rusqlite::Error) -> IndexError {
        if is_damage(&error) { IndexError::Damaged(error) } else { IndexError::Database(error) }
    }
}

/// Whether the content of the file is the cause: a table or a column is missing, or a row holds what livehook never writes.
fn is_fault_of_file(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(failure, text) => match failure.extended_code {
            // Only another program makes a trigger that refuses, and only it can remove the cause.
            ffi::SQLITE_CONSTRAINT_TRIGGER => false,
            ffi::SQLITE_ERROR => {
                text.as_deref().is_some_and(|text| text.starts_with("no such ") || text.contains(" has no column "))
            }
            _ => failure.code == ErrorCode::ConstraintViolation || failure.code == ErrorCode::TypeMismatch,
        },
        rusqlite::Error::SqlInputError { msg, .. } => msg.starts_with("no such ") || msg.contains(" has no column "),
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::Utf8Error(..) => true,
        _ => false,
    }
}
