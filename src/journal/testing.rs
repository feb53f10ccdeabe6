//! For tests: a journal in memory, events, and running journals.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::{
    AppendError, Appended, ChangedDeadLetters, Consumer, DeadLetterAction, DeadLetterSelection, Health, Journal,
    JournalError, NewDeadLetter, NewReplay, Offset, Opened, Options, PendingAppend, Progress, Reader, SqliteJournal,
    Start, WriterDied,
};
use crate::callback::{Event, testing};
use crate::clock::system_clock;

/// When dead letter number 0 fails, in Unix ms.
pub(super) const FAILED_AT_MS: i64 = 1_700_000_000_000;

/// An event that differs from others by its number.
pub(super) fn event(number: u32) -> Event {
    event_at(number, testing::RECEIVED_MS)
}

/// The same with so many bytes more.
pub(super) fn large_event(number: u32, bytes: usize) -> Event {
    testing::event("push").stream(&format!("s{number}")).member("padding", "x".repeat(bytes)).build()
}

/// The same, received at a moment (Unix ms).
pub(super) fn event_at(number: u32, received_ms: i64) -> Event {
    let push = testing::event("push").stream_key(&format!("d.com/live/s{number}"));
    push.happened_secs(1_700_000_000).at_ms(received_ms).build()
}

/// The offsets of all records.
pub(super) fn offsets(data_dir: &Path) -> Vec<i64> {
    let reader = Reader::open(data_dir).unwrap();
    let mut offsets = Vec::new();
    loop {
        let records = reader.read(Offset(offsets.last().copied().unwrap_or(0)), 1000).unwrap();
        if records.is_empty() {
            return offsets;
        }
        offsets.extend(records.iter().map(|record| record.offset.0));
    }
}

/// Options with a retention that is longer than the events of these tests are old.
pub(crate) fn options() -> Options {
    Options { retention_days: 36_500, ..Options::default() }
}

/// A journal with its thread, in a directory of its own.
pub(crate) struct Running {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) journal: Arc<SqliteJournal>,
    pub(crate) consumers: Vec<Box<dyn Consumer>>,
    pub(super) wakeups: JoinHandle<Result<(), WriterDied>>,
}

impl Running {
    /// Starts a new journal with these consumers, each at the earliest record.
    pub(crate) fn start(consumers: &[&str]) -> Running {
        Running::open(tempfile::tempdir().unwrap(), &options(), consumers)
    }

    /// Starts the journal of a directory with these consumers, the new ones at the earliest record.
    pub(crate) fn open(directory: tempfile::TempDir, options: &Options, consumers: &[&str]) -> Running {
        let names: Vec<_> = consumers.iter().map(|name| ((*name).to_owned(), Start::Earliest)).collect();
        let opened = SqliteJournal::open(directory.path(), options, &names, Arc::default(), system_clock).unwrap();
        let Opened { journal, consumers, wakeups } = opened;
        Running { directory, journal, consumers, wakeups: tokio::spawn(wakeups.run()) }
    }

    /// Closes the journal, and returns its directory.
    pub(crate) async fn stop(self) -> tempfile::TempDir {
        drop(self.consumers);
        self.journal.close();
        self.wakeups.await.unwrap().unwrap();
        self.journal.join();
        self.directory
    }

    /// Closes the journal, and opens it with other consumers.
    pub(super) async fn restart(self, consumers: &[&str]) -> Running {
        Running::open(self.stop().await, &options(), consumers)
    }

    pub(super) fn reader(&self) -> Reader {
        Reader::open(self.directory.path()).unwrap()
    }

    /// Appends the events of these numbers, all at once.
    pub(super) async fn append(&self, numbers: Range<u32>) -> Vec<Result<Appended, AppendError>> {
        append(&self.journal, numbers.map(event)).await
    }

    /// Has a consumer pass its cursor and store this progress.
    pub(super) async fn advance(&mut self, consumer: usize, progress: Progress) {
        self.consumers[consumer].advance(Progress { urgent: true, ..progress }).await.unwrap();
    }

    /// Has a consumer give up new events of these numbers, each one second after the one before.
    pub(super) async fn give_up(&mut self, consumer: usize, numbers: Range<u32>) {
        let mut dead_letters = Vec::new();
        for number in numbers {
            self.journal.append(event(number)).await.unwrap();
            let record = self.reader().read(self.journal.health().head.before(), 1).unwrap().remove(0);
            let failed_at_ms = FAILED_AT_MS + i64::from(number) * 1000;
            dead_letters.push(NewDeadLetter { record, attempts: 3, failure: format!("poison {number}"), failed_at_ms });
        }
        let cursor = self.journal.health().head;
        self.advance(consumer, Progress { cursor, dead_letters, ..Progress::default() }).await;
    }
}

/// Appends events, all at once.
pub(super) async fn append(
    journal: &Arc<SqliteJournal>,
    events: impl Iterator<Item = Event>,
) -> Vec<Result<Appended, AppendError>> {
    let append = |event| {
        let journal = Arc::clone(journal);
        tokio::spawn(async move { journal.append(event).await })
    };
    let tasks: Vec<_> = events.map(append).collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

/// Stores events in memory. A test can make it refuse them, or answer late.
#[derive(Default)]
pub(crate) struct MemoryJournal {
    state: Mutex<State>,
    head: watch::Sender<Offset>,
}

#[derive(Default)]
struct State {
    events: Vec<Event>,
    error: Option<AppendError>,
    pause: Duration,
}

impl MemoryJournal {
    /// Makes every append fail with an error, or succeed again.
    pub(crate) fn refuse(&self, error: Option<AppendError>) {
        self.state().error = error;
    }

    /// Makes the journal look as if it had this many records.
    pub(crate) fn set_head(&self, head: i64) {
        self.head.send_replace(Offset(head));
    }

    /// Makes every append answer after `pause`.
    pub(crate) fn pause(&self, pause: Duration) {
        self.state().pause = pause;
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.state().events.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    fn append(&self, event: Event) -> PendingAppend {
        let (result, pause) = {
            let mut state = self.state();
            let is_known = state.events.iter().any(|known| known.id() == event.id());
            let result = match &state.error {
                Some(error) => Err(error.clone()),
                None if is_known => Ok(Appended::Duplicate),
                None => Ok(Appended::Stored),
            };
            if result == Ok(Appended::Stored) {
                state.events.push(event);
                self.head.send_replace(Offset(state.events.len() as i64));
            }
            (result, state.pause)
        };
        let (reply, stored) = oneshot::channel();
        if pause.is_zero() {
            reply.send(result).unwrap();
        } else {
            tokio::spawn(async move {
                tokio::time::sleep(pause).await;
                let _ = reply.send(result);
            });
        }
        PendingAppend::waiting(stored)
    }

    async fn change_dead_letters(
        &self,
        _: DeadLetterAction,
        _: DeadLetterSelection,
    ) -> Result<ChangedDeadLetters, JournalError> {
        Err(JournalError::Closed)
    }

    async fn begin_replay(&self, _: NewReplay) -> Result<Option<i64>, JournalError> {
        Err(JournalError::Closed)
    }

    async fn cancel_replay(&self, _: i64) -> Result<bool, JournalError> {
        Err(JournalError::Closed)
    }

    fn health(&self) -> Health {
        let state = self.state();
        Health { unavailable: state.error.clone(), busy_for: Duration::ZERO, head: *self.head.borrow() }
    }

    fn generation(&self) -> &str {
        "5d0c1f7a9be2440d"
    }

    fn head(&self) -> watch::Receiver<Offset> {
        self.head.subscribe()
    }
}
