//! Opens the journal of a data directory, and joins its two halves: the writer, and the consumers that read.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use async_trait::async_trait;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::consumer::{Shared, SqliteConsumer};
use super::dead_letters::table::ChangeStep;
use super::tail::Tail;
use super::writer::{Append, Availability, Clocks, Edit, Inbox, Links, Store, Wakeups, Writer};
use super::{
    AppendError, ChangedDeadLetters, Consumer, DeadLetterAction, DeadLetterSelection, Health, Journal, JournalError,
    NewReplay, Offset, Options, PendingAppend, Reader, Start,
};
use crate::callback::Event;
use crate::clock::Clock;
use crate::storage::{Lock, StorageError, make_data_dir};
use crate::telemetry::Metrics;

/// How many commits may wait to be reported before the writer waits.
const COMMITTED_MAX: usize = 64;

/// The open journal of a data directory.
pub struct SqliteJournal {
    pub(super) inbox: Arc<Inbox>,
    appended: Arc<Notify>,
    availability: Availability,
    head: watch::Receiver<Offset>,
    generation: String,
    data_dir: PathBuf,
    shared: Shared,
    is_closing: Arc<AtomicBool>,
    writer: Mutex<Option<JoinHandle<()>>>,
    _lock: Lock,
}

/// An opened journal and its parts.
pub struct Opened {
    /// The journal.
    pub journal: Arc<SqliteJournal>,
    /// A consumer for each name, in the given order.
    pub consumers: Vec<Box<dyn Consumer>>,
    /// Must be run as a task.
    pub wakeups: Wakeups,
}

impl SqliteJournal {
    /// Opens the journal of a data directory, creates both if they do not exist, and starts the writer. Everything in the
    /// journal is durable when this returns. Retires consumers that are not named. Blocks.
    ///
    /// # Errors
    /// Another process has the journal open, a newer livehook made it, or the disk reports an error.
    pub fn open(
        data_dir: &Path,
        options: &Options,
        consumers: &[(String, Start)],
        metrics: Arc<Metrics>,
        clock: Clock,
    ) -> Result<Opened, JournalError> {
        make_data_dir(data_dir)?;
        // Before anything is opened: opening the journal already writes to it.
        let lock = Lock::take(data_dir)?;
        SqliteJournal::open_locked(lock, data_dir, options, consumers, metrics, clock)
    }

    /// Like [`SqliteJournal::open`], with the lock on the data directory already taken.
    ///
    /// # Errors
    /// A newer livehook made the journal, or the disk reports an error.
    pub fn open_locked(
        lock: Lock,
        data_dir: &Path,
        options: &Options,
        consumers: &[(String, Start)],
        metrics: Arc<Metrics>,
        clock: Clock,
    ) -> Result<Opened, JournalError> {
        let clocks = Clocks::start(clock);
        let store = Store::open_and_write(data_dir, options, consumers, clocks.now())?;

        let inbox = Arc::new(Inbox::new(options.queue_events_max as usize, options.batch_events_max as usize));
        let generation = Reader::open(data_dir)?.generation()?;
        let (head_sender, head) = watch::channel(store.head());
        let (dead_letters_sender, dead_letters) = watch::channel(store.dead_letters());
        let tail = Arc::new(Tail::default());
        let shared = Shared {
            journal_id: store.journal_id().to_owned(),
            tail: Arc::clone(&tail),
            commits: Arc::clone(&inbox) as _,
            head: head.clone(),
            dead_letters,
        };
        let consumers = open_consumers(data_dir, &store, &shared)?;

        let (committed_sender, committed) = mpsc::channel(COMMITTED_MAX);
        let availability = Availability::default();
        let writer = Writer::new(
            store,
            Links {
                inbox: Arc::clone(&inbox),
                committed: committed_sender,
                availability: availability.clone(),
                dead_letters: dead_letters_sender,
                metrics,
                clocks,
            },
        );
        let thread = std::thread::Builder::new().name("journal".to_owned());
        let writer = thread.spawn(move || writer.run()).map_err(StorageError::io(data_dir))?;
        let (appended, is_closing) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let wakeups = Wakeups {
            inbox: Arc::clone(&inbox),
            appended: Arc::clone(&appended),
            committed,
            tail,
            head: head_sender,
            is_closing: Arc::clone(&is_closing),
        };
        let journal = SqliteJournal {
            inbox,
            appended,
            availability,
            head,
            generation,
            data_dir: data_dir.to_owned(),
            shared,
            is_closing,
            writer: Mutex::new(Some(writer)),
            _lock: lock,
        };
        Ok(Opened { journal: Arc::new(journal), consumers, wakeups })
    }

    /// Adds a consumer while the journal is open, or lets a retired one go on at its cursor. If one of this name is active, the
    /// result takes its place: both must not be used at the same time.
    ///
    /// # Errors
    /// Its cursor is after the end of the journal, or the journal cannot be read or written.
    pub async fn add_consumer(&self, name: &str, start: Start) -> Result<Box<dyn Consumer>, JournalError> {
        let (index, stored) = self.edit(|reply| Edit::AddConsumer(name.to_owned(), start, reply)).await?;
        let data_dir = self.data_dir.clone();
        let reader = tokio::task::spawn_blocking(move || Reader::open(&data_dir)).await;
        let reader = reader.map_err(|_| JournalError::Closed)??;
        Ok(Box::new(SqliteConsumer::new(index, stored, reader, self.shared.clone())))
    }

    /// Retires a consumer while the journal is open: its cursor and its dead letters stay, and no record waits for it. It must not
    /// be used any more. Without an active consumer of this name, nothing happens.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub async fn retire_consumer(&self, name: &str) -> Result<(), JournalError> {
        self.edit(|reply| Edit::RetireConsumer(name.to_owned(), reply)).await
    }

    /// Keeps to other limits from now on.
    ///
    /// # Errors
    /// The journal cannot be written, and keeps to its old limits.
    pub async fn set_options(&self, options: &Options) -> Result<(), JournalError> {
        self.edit(|reply| Edit::SetOptions(options.clone(), reply)).await?;
        self.inbox.set_limits(options.queue_events_max as usize, options.batch_events_max as usize);
        Ok(())
    }

    /// Stops accepting. Entries that wait are committed and reported; then [`Wakeups::run`] ends.
    pub fn close(&self) {
        // Before the inbox closes, or the end of the writer would look like its death.
        self.is_closing.store(true, Ordering::SeqCst);
        self.inbox.close();
    }

    /// After [`SqliteJournal::close`], waits until the writer has closed the files. Blocks.
    pub fn join(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        // `Wakeups::run` reports a panic of the writer as `WriterDied`.
        let _ = writer.map(JoinHandle::join);
    }

    async fn edit<T>(
        &self,
        edit: impl FnOnce(oneshot::Sender<Result<T, JournalError>>) -> Edit,
    ) -> Result<T, JournalError> {
        let (reply, committed) = oneshot::channel();
        self.inbox.edit(edit(reply))?;
        committed.await.map_err(|_| JournalError::Closed)?
    }
}

fn open_consumers(data_dir: &Path, store: &Store, shared: &Shared) -> Result<Vec<Box<dyn Consumer>>, JournalError> {
    let mut consumers: Vec<Box<dyn Consumer>> = Vec::new();
    for (index, stored) in store.consumers().iter().enumerate() {
        let reader = Reader::open(data_dir)?;
        consumers.push(Box::new(SqliteConsumer::new(index, stored.clone(), reader, shared.clone())));
    }
    Ok(consumers)
}

#[async_trait]
impl Journal for SqliteJournal {
    fn append(&self, event: Event) -> PendingAppend {
        // The writer would refuse too, but only after its current batch. `Full` may end with the next batch.
        if let Some(error) = self.availability.error()
            && error.is_failure()
        {
            return PendingAppend::refused(error);
        }
        let (reply, committed) = oneshot::channel();
        match self.inbox.append(Append { event, reply }, Instant::now()) {
            Ok(()) => {
                self.appended.notify_one();
                PendingAppend::waiting(committed)
            }
            Err(error) => PendingAppend::refused(error),
        }
    }

    async fn change_dead_letters(
        &self,
        action: DeadLetterAction,
        selection: DeadLetterSelection,
    ) -> Result<ChangedDeadLetters, JournalError> {
        let mut changed = ChangedDeadLetters::default();
        let mut next = Some(ChangeStep::first(action, selection));
        while let Some(step) = next {
            let result = self.edit(|reply| Edit::DeadLetters(step, reply)).await?;
            changed.add(result.changed);
            next = result.next;
        }
        Ok(changed)
    }

    async fn begin_replay(&self, replay: NewReplay) -> Result<Option<i64>, JournalError> {
        self.edit(|reply| Edit::BeginReplay(replay, reply)).await
    }

    async fn cancel_replay(&self, number: i64) -> Result<bool, JournalError> {
        self.edit(|reply| Edit::CancelReplay(number, reply)).await
    }

    fn health(&self) -> Health {
        let busy_for = self.inbox.busy_for(Instant::now());
        let unavailable = self.availability.error().or_else(|| AppendError::of_stall(busy_for));
        Health { unavailable, busy_for, head: *self.head.borrow() }
    }

    fn generation(&self) -> &str {
        &self.generation
    }

    fn head(&self) -> watch::Receiver<Offset> {
        self.head.clone()
    }
}

#[cfg(test)]
mod tests;
