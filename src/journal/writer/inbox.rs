//! The inbox of the writer thread: events, the progress of consumers, and edits of dead letters and replays.
//!
//! It is a lock with a condition variable rather than a channel: the writer takes everything at once, and progress may wait a
//! moment for events to share their sync.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::super::contract::CommitProgress;
use super::super::cursors::StoredConsumer;
use super::super::dead_letters::table::{ChangeStep, ChangeStepResult};
use super::super::{AppendError, Appended, JournalError, NewReplay, Options, Progress, Start};
use crate::callback::Event;

/// How long progress that isn't urgent waits for events, before it gets a sync of its own.
const PROGRESS_WAIT_MAX: Duration = Duration::from_millis(50);

/// Receives the result of an entry once it is durable.
pub(in super::super) type Reply<T, E = JournalError> = oneshot::Sender<Result<T, E>>;

/// An event to store. Its caller may have stopped waiting for the reply; the writer stores the event even so.
pub(in super::super) struct Append {
    pub(in super::super) event: Event,
    pub(in super::super) reply: Reply<Appended, AppendError>,
}

/// Progress of the consumer with this index.
pub(super) struct Advance {
    pub(super) consumer: usize,
    pub(super) progress: Progress,
    pub(super) reply: Reply<()>,
}

/// A change of dead letters, replays, consumers or limits that a person requested.
pub(in super::super) enum Edit {
    DeadLetters(ChangeStep, Reply<ChangeStepResult>),
    BeginReplay(NewReplay, Reply<Option<i64>>),
    CancelReplay(i64, Reply<bool>),
    /// Adds a consumer, see [`Store::add_consumer`](super::store::Store::add_consumer).
    AddConsumer(String, Start, Reply<(usize, StoredConsumer)>),
    RetireConsumer(String, Reply<()>),
    SetOptions(Options, Reply<()>),
}

/// The entries that the writer takes in one turn. Empty if it is time to prune.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) appends: Vec<Append>,
    pub(super) advances: Vec<Advance>,
    pub(super) edits: Vec<Edit>,
    /// The inbox is closed, and this is the rest.
    pub(super) is_last: bool,
}

/// The entries that the writer has not taken. Everything that changes the journal goes through here.
pub(in super::super) struct Inbox {
    entries: Mutex<Entries>,
    changed: Condvar,
}

#[derive(Default)]
struct Entries {
    /// The most events that may wait, and the most that a batch gets.
    appends_max: usize,
    batch_max: usize,
    appends: VecDeque<Append>,
    /// How many of `appends`, from the front, the writer may take. [`Wakeups`](super::Wakeups) raises it when no request is about
    /// to add another event, so that events share a sync.
    handed_over: usize,
    advances: Vec<Advance>,
    edits: Vec<Edit>,
    /// When the first of `advances` came. It waits up to [`PROGRESS_WAIT_MAX`] for events.
    progress_since: Option<Instant>,
    /// Whether any of `advances` must not wait for events.
    is_urgent: bool,
    is_closed: bool,
    /// Since when the writer has been working on its batch; `None` while it waits for one.
    busy_since: Option<Instant>,
}

impl Entries {
    fn busy_for(&self, now: Instant) -> Duration {
        self.busy_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }
}

impl Inbox {
    /// Makes an inbox for `appends_max` events. A batch gets at most `batch_max` of them.
    pub(in super::super) fn new(appends_max: usize, batch_max: usize) -> Inbox {
        let entries = Entries { appends_max, batch_max, ..Entries::default() };
        Inbox { entries: Mutex::new(entries), changed: Condvar::new() }
    }

    /// Keeps to other limits from now on. Events that wait already stay.
    pub(in super::super) fn set_limits(&self, appends_max: usize, batch_max: usize) {
        let mut entries = self.lock();
        (entries.appends_max, entries.batch_max) = (appends_max, batch_max);
    }

    /// How long the writer has been working on its current batch.
    pub(in super::super) fn busy_for(&self, now: Instant) -> Duration {
        self.lock().busy_for(now)
    }

    /// Adds an event. The writer gets it after the next [`Inbox::hand_over`].
    ///
    /// # Errors
    /// The inbox is full or closed, or the writer is stalled.
    pub(in super::super) fn append(&self, append: Append, now: Instant) -> Result<(), AppendError> {
        let mut entries = self.lock();
        // An event that is refused now is sent again soon. One that waits behind a hanging disk gets no answer in time.
        if let Some(stalled) = AppendError::of_stall(entries.busy_for(now)) {
            return Err(stalled);
        }
        if entries.is_closed {
            return Err(AppendError::Closed);
        }
        if entries.appends.len() >= entries.appends_max {
            return Err(AppendError::Overloaded);
        }
        entries.appends.push_back(append);
        Ok(())
    }

    /// Whether an event waits for the writer.
    pub(super) fn has_events(&self) -> bool {
        !self.lock().appends.is_empty()
    }

    /// How many events are not handed over yet. While this number grows, requests are still adding events.
    pub(super) fn gathered(&self) -> usize {
        let entries = self.lock();
        entries.appends.len() - entries.handed_over
    }

    /// Lets the writer take all events, and wakes it.
    pub(super) fn hand_over(&self) {
        let mut entries = self.lock();
        entries.handed_over = entries.appends.len();
        // The writer must not wake up only to wait for the lock.
        drop(entries);
        self.changed.notify_one();
    }

    /// Adds progress. Each consumer waits for its reply, so their number bounds this.
    fn advance(&self, advance: Advance) -> Result<(), JournalError> {
        let mut entries = self.lock();
        if entries.is_closed {
            return Err(JournalError::Closed);
        }
        entries.is_urgent |= advance.progress.urgent;
        // The first progress sets the time, so that later progress does not delay it.
        entries.progress_since.get_or_insert_with(Instant::now);
        entries.advances.push(advance);
        drop(entries);
        self.changed.notify_one();
        Ok(())
    }

    /// Adds an edit. Each request waits for its reply, so the number of requests bounds this.
    ///
    /// # Errors
    /// The inbox is closed.
    pub(in super::super) fn edit(&self, edit: Edit) -> Result<(), JournalError> {
        let mut entries = self.lock();
        if entries.is_closed {
            return Err(JournalError::Closed);
        }
        entries.edits.push(edit);
        drop(entries);
        self.changed.notify_one();
        Ok(())
    }

    /// Refuses further entries. The writer still gets the ones that are here.
    pub(in super::super) fn close(&self) {
        self.lock().is_closed = true;
        // Nothing hands the last events over after this.
        self.hand_over();
    }

    /// Waits for entries, for `wait_max` at most, and returns them.
    pub(super) fn take(&self, wait_max: Duration) -> Batch {
        let wait_ends = Instant::now() + wait_max;
        let mut entries = self.lock();
        // The writer asks for more, so it has finished its last batch.
        entries.busy_since = None;
        loop {
            let now = Instant::now();
            let progress_wait_ends = entries.progress_since.map(|since| since + PROGRESS_WAIT_MAX);
            let is_due = entries.is_closed
                || entries.is_urgent
                || entries.handed_over > 0
                // A person waits for an edit.
                || !entries.edits.is_empty()
                || now >= wait_ends
                || progress_wait_ends.is_some_and(|ends| now >= ends);
            if is_due {
                return self.batch(&mut entries, now);
            }
            let wake = progress_wait_ends.map_or(wait_ends, |ends| ends.min(wait_ends));
            entries = self.changed.wait_timeout(entries, wake - now).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn batch(&self, entries: &mut Entries, now: Instant) -> Batch {
        let count = entries.handed_over.min(entries.batch_max);
        let appends = entries.appends.drain(..count).collect();
        entries.handed_over -= count;
        entries.progress_since = None;
        entries.is_urgent = false;
        entries.busy_since = Some(now);
        Batch {
            appends,
            advances: std::mem::take(&mut entries.advances),
            edits: std::mem::take(&mut entries.edits),
            is_last: entries.is_closed && entries.appends.is_empty(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl CommitProgress for Inbox {
    async fn commit(&self, consumer: usize, progress: Progress) -> Result<(), JournalError> {
        let (reply, committed) = oneshot::channel();
        self.advance(Advance { consumer, progress, reply })?;
        committed.await.map_err(|_| JournalError::Closed)?
    }
}

#[cfg(test)]
mod tests;
