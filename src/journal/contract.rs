//! What the rest of livehook may assume of a journal: the traits, and the values that go through them.
//!
//! Neither that the journal is a SQLite database nor that offsets are dense is part of the contract, so another backend can
//! take its place.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use tokio::sync::watch;

use super::{
    AppendError, ChangedDeadLetters, DeadLetter, DeadLetterAction, DeadLetterSelection, JournalError, NewDeadLetter,
    NewReplay, Offset, PendingAppend, Record, RedriveAttempt, Replay, ReplayProgress,
};
use crate::callback::Event;

/// Stores events, and changes dead letters and replays.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Stores an event. The result arrives once the event, or the one that it duplicates, is durable. An error does not prove that
    /// the event is not stored.
    fn append(&self, event: Event) -> PendingAppend;

    /// Redrives or drops the selected dead letters. Returns once that is durable. Their consumers notice.
    ///
    /// # Errors
    /// None or only some of the dead letters are changed. The same call may be repeated.
    async fn change_dead_letters(
        &self,
        action: DeadLetterAction,
        selection: DeadLetterSelection,
    ) -> Result<ChangedDeadLetters, JournalError>;

    /// Begins a replay. Returns its number once it is durable, or `None` if too many replays are running.
    ///
    /// # Errors
    /// The replay may have begun nevertheless.
    async fn begin_replay(&self, replay: NewReplay) -> Result<Option<i64>, JournalError>;

    /// Ends a replay by its number. Returns whether it was running.
    ///
    /// # Errors
    /// The replay may have ended nevertheless.
    async fn cancel_replay(&self, number: i64) -> Result<bool, JournalError>;

    /// The state of the journal. Does not touch the disk.
    fn health(&self) -> Health;

    /// The generation of the journal, see [`Reader::generation`](super::Reader::generation).
    fn generation(&self) -> &str;

    /// Watches the offset of the newest record.
    fn head(&self) -> watch::Receiver<Offset>;
}

/// The state of the journal at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Why no event can be stored now; `None` if one can.
    pub unavailable: Option<AppendError>,
    /// How long the writer has been working on its current batch; zero while it waits for one.
    pub busy_for: Duration,
    /// The offset of the newest record.
    pub head: Offset,
}

/// The start of a consumer that is new to the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// After the newest record.
    #[default]
    Now,
    /// At the oldest record.
    Earliest,
}

/// Reads records in order. A reader needs no cursor.
#[async_trait]
pub trait Records: Send + Sync {
    /// Returns the records after `after`, oldest first: at most `limit`, and of bounded size together. Empty at the end of the
    /// journal. Does not wait.
    ///
    /// # Errors
    /// The journal cannot be read.
    async fn read(&self, after: Offset, limit: usize) -> Result<Vec<Record>, JournalError>;
}

/// A named reader with a durable cursor.
#[async_trait]
pub trait Consumer: Records {
    /// The name.
    fn name(&self) -> &str;

    /// The unique id of the journal. An offset of another journal means nothing here.
    fn journal_id(&self) -> &str;

    /// Every record up to this one is finished.
    fn cursor(&self) -> Offset;

    /// The finished records after the cursor.
    fn ahead(&self) -> &Ahead;

    /// The sink's own state, stored with the cursor.
    fn state(&self) -> Option<&[u8]>;

    /// The offset of the newest record. Does not touch the disk.
    fn head(&self) -> Offset;

    /// The number of its dead letters.
    fn dead_letters(&self) -> i64;

    /// Whether its dead letters or replays may have changed since the last call.
    fn take_news(&mut self) -> bool;

    /// Returns its redriven dead letters with a number above `after`, lowest first: at most `limit`, and of bounded size
    /// together.
    ///
    /// # Errors
    /// The journal cannot be read.
    async fn redriven(&self, after: i64, limit: usize) -> Result<Vec<DeadLetter>, JournalError>;

    /// Returns the oldest of its running replays.
    ///
    /// # Errors
    /// The journal cannot be read.
    async fn replay(&self) -> Result<Option<Replay>, JournalError>;

    /// Waits until there may be a record after `after`, or until there is news.
    ///
    /// # Errors
    /// The journal is closed.
    async fn wait(&mut self, after: Offset) -> Result<(), JournalError>;

    /// Stores progress. Returns once it is durable.
    ///
    /// # Errors
    /// The progress is not durable. The same progress may be given again.
    async fn advance(&mut self, progress: Progress) -> Result<(), JournalError>;
}

/// The progress of a consumer. One transaction stores all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Every record up to this one is finished.
    pub cursor: Offset,
    /// The finished records after the cursor.
    pub ahead: Ahead,
    /// The sink's own state, for its next start; `None` keeps the stored one.
    pub state: Option<Vec<u8>>,
    /// Records that were given up. They are copied, so the cursor may pass them.
    pub dead_letters: Vec<NewDeadLetter>,
    /// Attempts of redriven dead letters.
    pub redrive_attempts: Vec<RedriveAttempt>,
    /// The progress of the consumer's replay.
    pub replay: Option<ReplayProgress>,
    /// Whether the consumer waits for this to do more. Otherwise it may wait for the next commit of events.
    pub urgent: bool,
}

/// The finished records after a cursor: the cursor stops at the first unfinished record, and later ones may be finished.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ahead {
    /// Every record up to this one is finished, except the pending ones and the ones of held streams. Means nothing unless it is
    /// after the cursor.
    pub position: Offset,
    /// The unfinished records in order, each with the number of its attempts.
    pub pending: Vec<(Offset, u32)>,
    /// The held streams: the partition key of each, and the offset from which on every record of it is unfinished, up to
    /// `position`.
    pub held: Vec<(String, Offset)>,
}

/// Makes the progress of consumers durable. The committing half of a journal implements this for its consumers.
#[async_trait]
pub(super) trait CommitProgress: Send + Sync {
    /// Stores the progress of the consumer with this index. Returns once it is durable.
    ///
    /// # Errors
    /// The progress is not durable. The same progress may be given again.
    async fn commit(&self, consumer: usize, progress: Progress) -> Result<(), JournalError>;
}
