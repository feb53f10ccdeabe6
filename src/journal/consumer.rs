//! A consumer of the SQLite journal. It reads the newest records from memory and older ones on a connection of its own.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;

use super::contract::CommitProgress;
use super::cursors::StoredConsumer;
use super::tail::Tail;
use super::{Ahead, Consumer, DeadLetter, JournalError, Offset, Progress, Reader, Record, Records, Replay};

/// The parts that all consumers of a journal share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) journal_id: String,
    pub(super) tail: Arc<Tail>,
    pub(super) commits: Arc<dyn CommitProgress>,
    pub(super) head: watch::Receiver<Offset>,
    /// How many dead letters each consumer has. Also sent when a redrive or a replay changed no number.
    pub(super) dead_letters: watch::Receiver<Vec<i64>>,
}

pub(super) struct SqliteConsumer {
    index: usize,
    stored: StoredConsumer,
    reader: Arc<Mutex<Reader>>,
    shared: Shared,
    has_news: bool,
}

impl SqliteConsumer {
    /// Makes the consumer with this index among those of the journal.
    pub(super) fn new(index: usize, stored: StoredConsumer, reader: Reader, shared: Shared) -> SqliteConsumer {
        // Dead letters that were redriven before the start are news too.
        SqliteConsumer { index, stored, reader: Arc::new(Mutex::new(reader)), shared, has_news: true }
    }

    async fn with_reader<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let reader = Arc::clone(&self.reader);
        let read = move || read(&reader.lock().unwrap_or_else(PoisonError::into_inner));
        // A read waits for the disk, so it must not run on a thread that answers requests.
        tokio::task::spawn_blocking(read).await.map_err(|_| JournalError::Closed)?
    }
}

#[async_trait]
impl Records for SqliteConsumer {
    async fn read(&self, after: Offset, limit: usize) -> Result<Vec<Record>, JournalError> {
        // Nothing is after the head, and a worker without work asks again and again.
        if after >= self.head() {
            return Ok(Vec::new());
        }
        if let Some(records) = self.shared.tail.read(after, limit) {
            return Ok(records);
        }
        self.with_reader(move |reader| reader.read(after, limit)).await
    }
}

#[async_trait]
impl Consumer for SqliteConsumer {
    fn name(&self) -> &str {
        &self.stored.name
    }

    fn journal_id(&self) -> &str {
        &self.shared.journal_id
    }

    fn cursor(&self) -> Offset {
        self.stored.cursor
    }

    fn ahead(&self) -> &Ahead {
        &self.stored.ahead
    }

    fn state(&self) -> Option<&[u8]> {
        self.stored.state.as_deref()
    }

    fn head(&self) -> Offset {
        *self.shared.head.borrow()
    }

    fn dead_letters(&self) -> i64 {
        self.shared.dead_letters.borrow().get(self.index).copied().unwrap_or(0)
    }

    fn take_news(&mut self) -> bool {
        // One call both checks and marks as seen. With two, news that comes in between would be lost.
        let has_changed = self.shared.dead_letters.borrow_and_update().has_changed();
        std::mem::take(&mut self.has_news) || has_changed
    }

    async fn redriven(&self, after: i64, limit: usize) -> Result<Vec<DeadLetter>, JournalError> {
        let sink = self.stored.name.clone();
        self.with_reader(move |reader| reader.redriven(&sink, after, limit)).await
    }

    async fn replay(&self) -> Result<Option<Replay>, JournalError> {
        let sink = self.stored.name.clone();
        self.with_reader(move |reader| reader.running_replay(&sink)).await
    }

    async fn wait(&mut self, after: Offset) -> Result<(), JournalError> {
        tokio::select! {
            head = self.shared.head.wait_for(|head| *head > after) => head.map(|_| ()).map_err(|_| JournalError::Closed),
            // If the writer died, the branch above returns the error, after all that was committed.
            Ok(()) = self.shared.dead_letters.changed() => {
                self.has_news = true;
                Ok(())
            }
        }
    }

    async fn advance(&mut self, progress: Progress) -> Result<(), JournalError> {
        self.shared.commits.commit(self.index, progress.clone()).await?;
        self.stored.cursor = self.stored.cursor.max(progress.cursor);
        self.stored.ahead = progress.ahead;
        if progress.state.is_some() {
            self.stored.state = progress.state;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
