//! The durable log of events, and the only code that knows how it is stored.
//!
//! An event is appended once and answered for only when it is synced to disk. A consumer reads the records in the order
//! of their offsets and keeps its place, the cursor, here. What is above knows [`Journal`] and [`Consumer`] and must not
//! assume how they are made, nor that offsets are dense.

mod backup;
mod change;
mod consumer;
mod database;
mod error;
mod exchange;
pub(crate) mod file;
mod letters;
#[cfg(test)]
mod letters_tests;
mod lock;
mod progress;
mod pruning;
mod queue;
mod reader;
mod replays;
mod sqlite;
#[cfg(test)]
mod sqlite_tests;
mod store;
#[cfg(test)]
mod store_tests;
mod tail;
#[cfg(test)]
pub(crate) mod testing;
mod window;
mod writer;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use tokio::sync::watch;

use crate::callback::Event;

pub use backup::Backup;
pub use change::{Change, Changed, change_unserved};
pub use error::{AppendError, JournalError};
pub use exchange::{Exchange, WriterDied};
pub use letters::{LetterAction, LetterFailure, LetterPage, LetterSelection, NumberedLetter, SettledLetter};
pub use lock::Lock;
pub use reader::Reader;
pub use replays::{NewReplay, Replay, ReplayProgress};
pub use sqlite::{Opened, SqliteJournal};

/// The place of a record. Offsets grow, have gaps, and are never used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub i64);

impl Offset {
    /// A place before this one, and not before any record that stands before this one.
    pub fn before(self) -> Offset {
        Offset(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The permissions of directories that are made for a journal or its copy: what is in them is nobody else's.
const DIRECTORY_MODE: u32 = 0o700;

/// How far a clock that was set back may have displaced the times of records among their offsets, in ms: so much farther
/// does whoever looks for a time.
pub const CLOCK_SLACK_MS: i64 = 3_600_000;

/// A stored event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it stands.
    pub offset: Offset,
    /// What was stored.
    pub event: Event,
}

/// What became of an event that is durable now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It was new.
    Stored,
    /// One of the same id is durable already.
    Duplicate,
}

/// Where a consumer that the journal does not know yet starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// After everything that is there.
    #[default]
    Now,
    /// At the oldest record that is there.
    Earliest,
}

/// The journal as those see it that write to it.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Stores an event, and returns once it, or the one that it duplicates, is durable.
    ///
    /// # Errors
    /// It may be stored nevertheless: only `Ok` proves anything.
    async fn append(&self, event: Event) -> Result<Appended, AppendError>;

    /// What can be said of the journal now, without asking its storage.
    fn health(&self) -> Health;

    /// What tells the journal from all others and from its copies, see [`Reader::generation`].
    fn generation(&self) -> &str;

    /// The offset of the newest record, to be watched.
    fn head(&self) -> watch::Receiver<Offset>;

    /// Changes dead letters or replays, and returns once that is durable. Those of a sink learn of it.
    ///
    /// # Errors
    /// It is not durable, or a part of it is; the same change may be asked for again.
    async fn change(&self, change: Change) -> Result<Changed, JournalError>;
}

/// The state of the journal at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Why an event would be refused now; `None` when one would be stored.
    pub refuses: Option<AppendError>,
    /// How long the disk has been at what it was given last; zero where nothing is asked of it.
    pub unanswered: Duration,
    /// The offset of the newest record.
    pub head: Offset,
}

/// Reads records in order. It needs no cursor, so anybody may.
#[async_trait]
pub trait Records: Send + Sync {
    /// The records after `after`, oldest first, at most `limit` of them and of bounded size together; none when there
    /// are no more. Does not wait.
    ///
    /// # Errors
    /// The journal cannot be read.
    async fn read(&self, after: Offset, limit: usize) -> Result<Vec<Record>, JournalError>;
}

/// How far a consumer is beyond its cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ahead {
    /// Every record up to here is done but the pending ones. Where it is not beyond the cursor, it says nothing.
    pub position: Offset,
    /// The records that are not done, in order: where each is, and how often it was tried.
    pub pending: Vec<(Offset, u32)>,
}

/// How far a consumer got, to be made durable in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Every record up to here is done.
    pub cursor: Offset,
    /// What is done beyond that.
    pub ahead: Ahead,
    /// What the sink wants to find beside the cursor when it starts again; `None` leaves what is there.
    pub state: Option<Vec<u8>>,
    /// Records given up on, copied before the cursor passes them.
    pub dead_letters: Vec<DeadLetter>,
    /// What became of dead letters that were sent again.
    pub settled: Vec<SettledLetter>,
    /// How far the consumer's replay got.
    pub replay: Option<ReplayProgress>,
    /// Whether the consumer has more to do and waits for this; otherwise it may ride on a later batch.
    pub urgent: bool,
}

/// A record that a consumer gave up on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The record.
    pub record: Record,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it was given up.
    pub reason: String,
    /// When, in Unix ms.
    pub failed_ms: i64,
}

/// A named reader with a durable cursor.
#[async_trait]
pub trait Consumer: Records {
    /// The name.
    fn name(&self) -> &str;

    /// The id of the journal, which no other has. Offsets of another one mean nothing here.
    fn journal_id(&self) -> &str;

    /// The place of the last record that is done.
    fn cursor(&self) -> Offset;

    /// What is done beyond that.
    fn ahead(&self) -> &Ahead;

    /// What was kept beside the cursor.
    fn state(&self) -> Option<&[u8]>;

    /// The newest record's offset, as far as is known without asking the storage.
    fn head(&self) -> Offset;

    /// How many dead letters it has.
    fn dead_letters(&self) -> i64;

    /// Whether somebody changed dead letters or replays since this was asked last.
    fn take_news(&mut self) -> bool;

    /// Its dead letters that were put back, with a number above `after`, lowest first: at most `limit`, and of bounded size
    /// together.
    ///
    /// # Errors
    /// The journal cannot be read.
    async fn redriven(&self, after: i64, limit: usize) -> Result<Vec<NumberedLetter>, JournalError>;

    /// The oldest of its replays that have not ended.
    ///
    /// # Errors
    /// The journal cannot be read.
    async fn replay(&self) -> Result<Option<Replay>, JournalError>;

    /// Returns when there may be records after `after`, or there is news.
    ///
    /// # Errors
    /// The journal is closed.
    async fn wait(&mut self, after: Offset) -> Result<(), JournalError>;

    /// Moves the cursor, and returns once that is durable.
    ///
    /// # Errors
    /// It is not durable; the same progress may be given again.
    async fn advance(&mut self, progress: Progress) -> Result<(), JournalError>;
}

/// The limits of the journal, as in the section `[journal]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Options {
    /// How long records are kept that every consumer has passed, in days.
    pub retention_days: u32,
    /// The most that may be stored, in bytes of used pages.
    pub size_bytes_max: u64,
    /// How long an id is remembered to tell a duplicate, in seconds.
    pub dedupe_window_secs: u32,
    /// How many ids are remembered at most, whatever the window.
    pub dedupe_ids_max: u32,
    /// How many events may wait for the writer.
    pub queue_events_max: u32,
    /// How many events are committed in one sync.
    pub batch_events_max: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            retention_days: 30,
            size_bytes_max: 10 * 1024 * 1024 * 1024,
            dedupe_window_secs: 3600,
            dedupe_ids_max: 1_000_000,
            queue_events_max: 4096,
            batch_events_max: 512,
        }
    }
}

#[cfg(test)]
mod test_events {
    use crate::callback::{Callback, Event, Options, Verifier};

    /// An event that is told apart by its number.
    pub(super) fn event(number: u32) -> Event {
        event_at(number, 1_700_000_000_000)
    }

    /// The same, with so many bytes more.
    pub(super) fn large_event(number: u32, bytes: usize) -> Event {
        let padding = "x".repeat(bytes);
        event_of(&format!(r#""event_type":1,"stream_id":"s{number}","padding":"{padding}""#), 1_700_000_000_000)
    }

    /// The same, received at a Unix time in ms.
    pub(super) fn event_at(number: u32, received_ms: i64) -> Event {
        let members =
            format!(r#""event_type":1,"app":"d.com","appname":"live","stream_id":"s{number}","event_time":1700000000"#);
        event_of(&members, received_ms)
    }

    fn event_of(members: &str, received_ms: i64) -> Event {
        let verifier = Verifier::new(Options { allow_unsigned: true, ..Options::default() }).unwrap();
        let body = format!("{{{members}}}");
        verifier.verify(&Callback::parse(body.as_bytes()).unwrap(), received_ms).unwrap()
    }
}
