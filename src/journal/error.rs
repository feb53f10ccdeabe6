//! Why the journal does not do as asked, each text with its cure. No storage is known here but for what it says itself.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::Offset;

/// How long a batch may take before no further event is taken. CSS waits for 20 s, and whoever comes later had better come
/// again than wait in a line that does not move.
const STALL: Duration = Duration::from_secs(5);

/// Why an event could not be made durable. Each is worth another try by the sender.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum AppendError {
    /// The queue before the writer is full.
    #[error("the queue before the journal is full")]
    Overloaded,
    /// The size limit is reached, and nothing may go: a consumer has not passed the oldest record, or all is dead letters.
    #[error(
        "the journal has reached `journal.size_bytes_max` and may drop nothing: see to the sink or the index that is behind, or to the dead letters"
    )]
    Full,
    /// The last commit failed, and the journal has not proven itself since.
    #[error("the journal cannot write: {0}")]
    Broken(String),
    /// The disk has had an event for so many seconds and has not answered.
    #[error("the journal has not answered for {0} s: see to the disk, which hangs or is overloaded")]
    Stalled(u64),
    /// The journal is being closed.
    #[error("the journal is closed")]
    Closed,
}

impl AppendError {
    /// What it means that the writer has been at one batch for so long; `None` for a time that a slow disk may take.
    pub(super) fn of_stall(unanswered: Duration) -> Option<AppendError> {
        (unanswered >= STALL).then_some(AppendError::Stalled(unanswered.as_secs()))
    }
}

/// Why the journal cannot be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process holds the data directory.
    #[error("{0}: another livehook serves this data directory; stop it or choose another `data_dir`")]
    Locked(PathBuf),
    /// The file is of a later version of livehook.
    #[error(
        "{path}: the journal has version {found}, made by a newer livehook; this one knows version {known}: run that newer one, or restore a backup made before the upgrade"
    )]
    Newer {
        /// The journal's file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The file is of an earlier version of livehook, and is only to be read.
    #[error(
        "{path}: the journal was made by an older livehook: start `livehook serve` of this one with it once, which brings it up to version {known}"
    )]
    Older {
        /// The journal's file.
        path: PathBuf,
        /// The version that this program reads.
        known: i64,
    },
    /// The file is no journal.
    #[error("{0}: this is not a livehook journal; move it away, or choose another `data_dir`")]
    Foreign(PathBuf),
    /// There is no journal.
    #[error(
        "{0}: there is no journal here; start `livehook serve` with this data directory first, or check --data-dir"
    )]
    Absent(PathBuf),
    /// SQLite keeps no write-ahead log for the file.
    #[error(
        "{0}: SQLite can keep no write-ahead log here, without which nothing is stored; choose a `data_dir` on a local file system"
    )]
    NoLog(PathBuf),
    /// The file system does not do as asked.
    #[error("{path}: {source}")]
    Io {
        /// What was asked for.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// This user may not read a file of the data directory.
    #[error("{0}: permission denied; run this as the user that livehook runs as")]
    Denied(PathBuf),
    /// To read a database whose writer runs, or was killed, files are written beside it, and this user may not.
    #[error(
        "{0}: its writer has not closed it, and to read it then takes files beside it that this user cannot write; run this as the user that livehook runs as, on a file system that is not read-only"
    )]
    Unwritable(PathBuf),
    /// The database does not do as asked.
    #[error("the journal's database: {0}")]
    Database(rusqlite::Error),
    /// A cursor stands where no record has been yet: the journal is not the one that it was kept for.
    #[error(
        "the cursor of the sink `{sink}` is {cursor}, but the journal ends at {head}: it is not the journal that the cursor was kept for; restore the right one, or give the sink another name to start anew"
    )]
    Cursor {
        /// The sink's name.
        sink: String,
        /// Its cursor.
        cursor: Offset,
        /// The newest record.
        head: Offset,
    },
    /// The file that was open has been removed or put elsewhere.
    #[error(
        "{0}: this file was removed or replaced while livehook ran, and what is stored from here on would be lost: put the data directory back as it was, or start livehook anew"
    )]
    Gone(PathBuf),
    /// Another journal has been put in the place of the one that was open.
    #[error(
        "{0}: another journal has been put here while livehook ran; put the right one back, or start livehook anew"
    )]
    Replaced(PathBuf),
    /// The last commit failed, and the journal has not proven itself since.
    #[error("the journal cannot write: {0}")]
    Broken(String),
    /// What was stored cannot be read back.
    #[error("record {0} of the journal cannot be read back")]
    Corrupt(Offset),
    /// The journal is being closed, or its writer has died.
    #[error("the journal is closed")]
    Closed,
}

/// Not as its source: the text has all of it.
impl From<rusqlite::Error> for JournalError {
    fn from(error: rusqlite::Error) -> JournalError {
        JournalError::Database(error)
    }
}

impl JournalError {
    /// Whether a call was given up because it was told to, see [`Reader::give_up_when`](super::Reader::give_up_when).
    pub fn is_given_up(&self) -> bool {
        let interrupted = Some(rusqlite::ErrorCode::OperationInterrupted);
        matches!(self, JournalError::Database(error) if error.sqlite_error_code() == interrupted)
    }
}
