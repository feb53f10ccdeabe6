//! Why an event is not stored, after which its sender tries again, and why the journal otherwise fails. The two are separate
//! types, because only the first decides an answer to CSS.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Offset;
use crate::storage::{StorageError, is_damage, is_database_full};

/// How long a commit may take before no further event is accepted. CSS waits 20 s for an answer: an event that arrives during
/// a stall is better off with an answer at once and a retry later.
const STALL: Duration = Duration::from_secs(5);

/// Why an event could not be made durable. The sender should try again after each of them.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum AppendError {
    /// Too many events wait for the writer.
    #[error("too many events are waiting to be stored (`journal.queue_events_max`)")]
    Overloaded,
    /// The size limit is reached, and nothing can be pruned: a consumer still needs the oldest record, or dead letters take
    /// all the space.
    #[error(
        "the journal has reached `journal.size_bytes_max` and nothing can be pruned: repair the sink or the index that is behind, or redrive or drop dead letters"
    )]
    Full,
    /// A commit failed, and none has succeeded since.
    #[error("the journal cannot write: {0}")]
    Broken(String),
    /// A commit failed because the disk is full, and none has succeeded since.
    #[error("the journal cannot write: {0}")]
    DiskFull(String),
    /// The current commit has taken this many seconds.
    #[error("the disk has not finished a commit for {0} s: it hangs or is overloaded")]
    Stalled(u64),
    /// The journal is closed.
    #[error("the journal is closed")]
    Closed,
}

impl AppendError {
    /// Returns why nothing can be stored after the journal failed.
    pub(super) fn of_failure(error: &JournalError) -> AppendError {
        let reason = error.to_string();
        if error.is_disk_full() { AppendError::DiskFull(reason) } else { AppendError::Broken(reason) }
    }

    /// Whether a commit failed, and none has succeeded since.
    pub(super) fn is_failure(&self) -> bool {
        matches!(self, AppendError::Broken(_) | AppendError::DiskFull(_))
    }

    /// Returns `Stalled` if the writer has worked on its current batch for longer than a slow disk takes.
    pub(super) fn of_stall(busy_for: Duration) -> Option<AppendError> {
        (busy_for >= STALL).then_some(AppendError::Stalled(busy_for.as_secs()))
    }
}

/// Why the journal cannot be opened, read or changed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A later version of livehook made the file.
    #[error(
        "{path}: the journal has version {found}, made by a newer livehook; this one reads up to version {known}: run the newer one, or restore a backup from before the upgrade"
    )]
    Newer {
        /// The journal's file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// An earlier version of livehook made the file, and a reader cannot upgrade it.
    #[error(
        "{path}: an older livehook made this journal; start `livehook serve` of this version with it once, to upgrade it to version {known}"
    )]
    Older {
        /// The journal's file.
        path: PathBuf,
        /// The version that this program reads.
        known: i64,
    },
    /// The file is not a journal.
    #[error(
        "{0}: this is not a livehook journal, or its beginning is damaged; if it was one, stop livehook, move the data directory away, and put a backup in its place (see `livehook backup`); otherwise choose another `data_dir`"
    )]
    Foreign(PathBuf),
    /// The file does not exist.
    #[error(
        "{0}: there is no journal here; start `livehook serve` with this data directory first, or check --data-dir"
    )]
    Absent(PathBuf),
    /// The file is empty or absent, although another file shows that there was a journal.
    #[error(
        "{path}: the journal is empty or missing, although {trace} shows that there was one: move the data directory away, and put a backup in its place (see `livehook backup`); to start with an empty journal, move {trace} away"
    )]
    Lost {
        /// The journal's file.
        path: PathBuf,
        /// The file that shows it.
        trace: PathBuf,
    },
    /// The tables are not the ones of the journal's version.
    #[error(
        "{path}: the journal has version {version}, but {difference}: livehook leaves it as it is; run the livehook that wrote it, or move the data directory away and put a backup in its place (see `livehook backup`)"
    )]
    Different {
        /// The journal's file.
        path: PathBuf,
        /// Its version.
        version: i64,
        /// The first difference, as part of a sentence.
        difference: String,
    },
    /// The file is damaged.
    #[error(
        "{path}: the journal is damaged: {cause}; stop livehook, move the data directory away, and put a backup in its place (see `livehook backup`); without a backup, `livehook doctor --repair` saves what is readable"
    )]
    Damaged {
        /// The journal's file.
        path: PathBuf,
        /// SQLite's error.
        cause: rusqlite::Error,
    },
    /// Another error of the data directory.
    #[error(transparent)]
    Storage(StorageError),
    /// SQLite reported an error.
    #[error("{}", database_text(.0))]
    Database(rusqlite::Error),
    /// A cursor is after the newest record, so it belongs to another journal.
    #[error(
        "the cursor of the sink `{sink}` is {cursor}, but the journal ends at {head}: the cursor belongs to another journal; restore the right journal, or rename the sink so that it starts over"
    )]
    Cursor {
        /// The sink's name.
        sink: String,
        /// Its cursor.
        cursor: Offset,
        /// The newest record.
        head: Offset,
    },
    /// The open file was removed or moved.
    #[error(
        "{0}: this file was removed or replaced while livehook ran, so new events would be lost: restore the data directory, or restart livehook"
    )]
    Gone(PathBuf),
    /// Another journal has taken the place of the open one.
    #[error("{0}: another journal was put here while livehook ran; restore the right one, or restart livehook")]
    Replaced(PathBuf),
    /// A commit failed, and none has succeeded since.
    #[error("the journal cannot write: {0}")]
    Broken(String),
    /// A stored record cannot be read.
    #[error(
        "the record {0} of the journal is damaged; stop livehook, move the data directory away, and put a backup in its place (see `livehook backup`); without a backup, `livehook doctor --repair` saves what is readable"
    )]
    Corrupt(Offset),
    /// The journal is closed, or its writer died.
    #[error("the journal is closed")]
    Closed,
}

impl From<StorageError> for JournalError {
    fn from(error: StorageError) -> JournalError {
        match error {
            StorageError::Newer { path, found, known } => JournalError::Newer { path, found, known },
            StorageError::Older { path, known } => JournalError::Older { path, known },
            StorageError::Foreign(path) => JournalError::Foreign(path),
            StorageError::Absent(path) => JournalError::Absent(path),
            StorageError::Lost { path, trace } => JournalError::Lost { path, trace },
            StorageError::Different { path, version, difference } => {
                JournalError::Different { path, version, difference }
            }
            StorageError::Damaged { path, cause } => JournalError::Damaged { path, cause },
            StorageError::Database(error) => JournalError::Database(error),
            other => JournalError::Storage(other),
        }
    }
}

// Not a `source`, because the text already has all of it: a chain of errors would repeat it.
impl From<rusqlite::Error> for JournalError {
    fn from(error: rusqlite::Error) -> JournalError {
        JournalError::Database(error)
    }
}

impl JournalError {
    /// Returns why nothing can be changed while no event can be stored.
    pub(super) fn of_failure(error: &AppendError) -> JournalError {
        match error {
            AppendError::Broken(reason) | AppendError::DiskFull(reason) => JournalError::Broken(reason.clone()),
            other => JournalError::Broken(other.to_string()),
        }
    }

    /// Whether the disk is full.
    pub fn is_disk_full(&self) -> bool {
        match self {
            JournalError::Storage(error) => error.is_disk_full(),
            JournalError::Database(error) => is_database_full(error),
            _ => false,
        }
    }

    /// Whether a part of the file is damaged, so that another try fails, too.
    pub fn is_damage(&self) -> bool {
        match self {
            JournalError::Damaged { .. } | JournalError::Corrupt(_) => true,
            JournalError::Database(error) => is_damage(error),
            _ => false,
        }
    }

    /// Names the journal at `path` if the error says that the disk is full or the file is damaged: SQLite's own text has no path.
    pub(super) fn with_path(self, path: &Path) -> JournalError {
        match self {
            JournalError::Database(error) => StorageError::Database(error).with_path(path).into(),
            other => other,
        }
    }

    /// Whether a call was interrupted, see [`Reader::give_up_when`](super::Reader::give_up_when).
    pub fn is_given_up(&self) -> bool {
        let interrupted = Some(rusqlite::ErrorCode::OperationInterrupted);
        matches!(self, JournalError::Database(error) if error.sqlite_error_code() == interrupted)
    }
}

fn database_text(error: &rusqlite::Error) -> String {
    match is_damage(error) {
        true => format!(
            "the journal `journal.db` in the data directory is damaged: {error}; stop livehook, move the data directory away, and put a \
             backup in its place (see `livehook backup`)"
        ),
        false => format!("the journal's database: {error}"),
    }
}
