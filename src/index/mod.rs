//! The read model: who is live, every session, and where each event stands in the journal.
//!
//! It is derived from the journal by a consumer of its own, and kept in `index.db` beside it. What an event changes and
//! the consumer's cursor are one transaction, so each event counts exactly once. Sessions outlive the records that they
//! were made of, by [`Options::retention_days`].
//!
//! [`Worker`] keeps it up, [`Reader`] answers questions beside it, also from another process. Nothing here decides what a
//! session is: that is [`crate::session`].

mod apply;
mod background;
mod backup;
mod database;
mod hours;
#[cfg(test)]
mod hours_tests;
mod pruning;
mod query;
mod reader;
mod rebuild;
mod rows;
mod status;
mod store;
#[cfg(test)]
mod store_tests;
#[cfg(test)]
mod testing;
mod view;
mod worker;
#[cfg(test)]
mod worker_tests;

use serde::Deserialize;

pub use backup::backup;
pub use database::Settings;
pub use query::{BroadcastQuery, Order, SessionQuery, Sort};
pub use reader::{HourCount, Reader, SESSION_EVENTS_MAX};
pub use rebuild::rebuild;
pub use status::{Status, StatusView};
pub use store::Store;
pub use view::{BroadcastView, ReasonView, SessionView, StreamView};
pub use worker::{Step, Worker};

/// The name of the index among the journal's consumers. No sink can have it.
pub const CONSUMER: &str = "livehook/index";

/// The read model, as in the section `[index]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Whether there is one.
    pub enabled: bool,
    /// How long ended and stale sessions are kept, in days.
    pub retention_days: u32,
    /// How long after its latest event a session without a stop counts as live, in seconds; 0 is for ever.
    pub stale_after_secs: u32,
    /// The longest gap between two sessions of one broadcast, in seconds.
    pub bridge_gap_secs: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options { enabled: true, retention_days: 365, stale_after_secs: 7 * 86_400, bridge_gap_secs: 70 }
    }
}

/// Why the index cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// There is none.
    #[error(
        "{0}: there is no index here; start `livehook serve` with this data directory first (and `index.enabled`), or check --data-dir"
    )]
    Absent(std::path::PathBuf),
    /// The file is no index.
    #[error("{0}: this is not an index of livehook; move it away: it is made anew from the journal")]
    Foreign(std::path::PathBuf),
    /// The file is of a later version of livehook.
    #[error(
        "{path}: the index has version {found}, made by a newer livehook; this one knows version {known}: run that newer one, or move the file away: it is made anew from the journal"
    )]
    Newer {
        /// The index's file.
        path: std::path::PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// SQLite keeps no write-ahead log for the file.
    #[error(
        "{0}: SQLite can keep no write-ahead log here, which the index needs; choose a `data_dir` on a local file system"
    )]
    NoLog(std::path::PathBuf),
    /// The file that was open has been removed or put elsewhere.
    #[error(
        "{0}: this file was removed or replaced while livehook ran: start livehook anew, which makes it anew from the journal where it is missing"
    )]
    Gone(std::path::PathBuf),
    /// The file is damaged.
    #[error(
        "the index is damaged: {0}; stop livehook, move `index.db` out of the data directory with the files whose names begin so, and start it again: it is made anew from the journal, and sessions older than that are lost unless a backup has them"
    )]
    Damaged(rusqlite::Error),
    /// The database does not do as asked.
    #[error("the index's database: {0}")]
    Database(rusqlite::Error),
    /// The journal does not do as asked.
    #[error(transparent)]
    Journal(#[from] crate::journal::JournalError),
    /// The thread that writes is gone.
    #[error("the index's thread has died")]
    Died,
    /// The system gives no thread.
    #[error("no thread can be started: {0}")]
    Thread(std::io::Error),
}

impl IndexError {
    /// Whether a call was given up because it was told to, see [`Reader::give_up_when`].
    pub fn is_given_up(&self) -> bool {
        match self {
            IndexError::Database(error) => error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted),
            IndexError::Journal(error) => error.is_given_up(),
            _ => false,
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
