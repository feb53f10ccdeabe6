//! The journal in SQLite, as those above it use it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::change::Slice;
use super::consumer::{Shared, SqliteConsumer};
use super::exchange::Exchange;
use super::lock::Lock;
use super::queue::{Alter, Append, Queue};
use super::reader::Reader;
use super::store::{Now, Store};
use super::tail::Tail;
use super::writer::{Refuses, Writer};
use super::{
    AppendError, Appended, Change, Changed, Consumer, DIRECTORY_MODE, Health, Journal, JournalError, Offset, Options,
    Start,
};
use crate::callback::Event;
use crate::storage::durable_files;
use crate::telemetry::Metrics;

/// How many settled batches may wait for [`Exchange`] before the writer waits.
const SETTLED_MAX: usize = 64;

/// The journal of one data directory, open for its lifetime.
pub struct SqliteJournal {
    pub(super) queue: Arc<Queue>,
    submitted: Arc<Notify>,
    refuses: Refuses,
    head: watch::Receiver<Offset>,
    generation: String,
    is_closing: Arc<AtomicBool>,
    writer: Mutex<Option<JoinHandle<()>>>,
    _lock: Lock,
}

/// What opening a journal gives.
pub struct Opened {
    /// To append with.
    pub journal: Arc<SqliteJournal>,
    /// One for each name that was asked for, in that order.
    pub consumers: Vec<Box<dyn Consumer>>,
    /// To be run as a task.
    pub exchange: Exchange,
}

impl SqliteJournal {
    /// Opens the journal of a data directory, makes both where there are none, and starts its writer. All that is in it
    /// is durable when this returns. Consumers that are not named are retired. Blocks.
    ///
    /// # Errors
    /// Another process has it, it is of a newer version, or the disk does not do as asked.
    pub fn open(
        data_dir: &Path,
        options: &Options,
        consumers: &[(String, Start)],
        metrics: Arc<Metrics>,
    ) -> Result<Opened, JournalError> {
        let io = |source| JournalError::Io { path: data_dir.to_owned(), source };
        durable_files::make(data_dir, DIRECTORY_MODE).map_err(io)?;
        let lock = Lock::take(data_dir)?;
        let began = Instant::now();
        let now = Now { wall_ms: jiff::Timestamp::now().as_millisecond(), monotonic: Duration::ZERO };
        let store = Store::open_and_write(data_dir, options, consumers, now)?;

        let queue = Arc::new(Queue::new(options.queue_events_max as usize, options.batch_events_max as usize));
        let generation = Reader::open(data_dir)?.generation()?;
        let (head_sender, head) = watch::channel(store.head());
        let (dead_letters_sender, dead_letters) = watch::channel(store.dead_letters());
        let tail = Arc::new(Tail::default());
        let shared = Shared {
            journal_id: store.journal_id().to_owned(),
            tail: Arc::clone(&tail),
            queue: Arc::clone(&queue),
            head: head.clone(),
            dead_letters,
        };
        let consumers = store
            .consumers()
            .iter()
            .enumerate()
            .map(|(number, stored)| {
                let reader = Reader::open(data_dir)?;
                let consumer = SqliteConsumer::new(number, stored.clone(), reader, shared.clone());
                Ok(Box::new(consumer) as Box<dyn Consumer>)
            })
            .collect::<Result<_, JournalError>>()?;

        let (settled_sender, settled) = mpsc::channel(SETTLED_MAX);
        let refuses = Refuses::default();
        let is_closing = Arc::new(AtomicBool::new(false));
        let writer = Writer::new(
            store,
            Arc::clone(&queue),
            settled_sender,
            Arc::clone(&refuses),
            metrics,
            dead_letters_sender,
            began,
        );
        let writer = std::thread::Builder::new().name("journal".to_owned()).spawn(move || writer.run()).map_err(io)?;
        let submitted = Arc::new(Notify::new());
        let exchange = Exchange {
            queue: Arc::clone(&queue),
            submitted: Arc::clone(&submitted),
            settled,
            tail,
            head: head_sender,
            is_closing: Arc::clone(&is_closing),
        };
        let writer = Mutex::new(Some(writer));
        let journal =
            Arc::new(SqliteJournal { queue, submitted, refuses, head, generation, is_closing, writer, _lock: lock });
        Ok(Opened { journal, consumers, exchange })
    }

    /// Takes nothing more. What was taken is settled still, and then [`Exchange::run`] ends.
    pub fn close(&self) {
        self.is_closing.store(true, Ordering::SeqCst);
        self.queue.close();
    }

    /// Waits until the writer has let go of the files, after [`SqliteJournal::close`]. Blocks.
    pub fn join(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A panic of the writer shows as `WriterDied` of `Exchange::run`.
        let _ = writer.map(JoinHandle::join);
    }
}

#[async_trait]
impl Journal for SqliteJournal {
    async fn append(&self, event: Event) -> Result<Appended, AppendError> {
        let broken = self.refuses.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(error @ AppendError::Broken(_)) = broken {
            return Err(error);
        }
        let (reply, settled) = oneshot::channel();
        self.queue.append(Append { event, reply }, Instant::now())?;
        self.submitted.notify_one();
        settled.await.unwrap_or(Err(AppendError::Closed))
    }

    async fn change(&self, change: Change) -> Result<Changed, JournalError> {
        let mut changed = Changed::default();
        let mut next = Some(Slice::first(change));
        while let Some(slice) = next {
            let (reply, settled) = oneshot::channel();
            self.queue.alter(Alter { slice, reply })?;
            let sliced = settled.await.map_err(|_| JournalError::Closed)??;
            changed.add(sliced.changed);
            next = sliced.next;
        }
        Ok(changed)
    }

    fn health(&self) -> Health {
        let unanswered = self.queue.unanswered(Instant::now());
        let refuses = self.refuses.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Health { refuses: refuses.or_else(|| AppendError::of_stall(unanswered)), unanswered, head: *self.head.borrow() }
    }

    fn generation(&self) -> &str {
        &self.generation
    }

    fn head(&self) -> watch::Receiver<Offset> {
        self.head.clone()
    }
}
