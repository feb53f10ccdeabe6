//! A consumer of the SQLite journal: reads the newest records from memory and older ones on a connection of its own, and
//! hands its progress to the writer.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::{oneshot, watch};

use super::queue::{Advance, Queue};
use super::reader::Reader;
use super::store::StoredConsumer;
use super::tail::Tail;
use super::{Consumer, JournalError, Offset, Progress, Record, Records};

pub(super) struct SqliteConsumer {
    number: usize,
    journal_id: String,
    stored: StoredConsumer,
    reader: Arc<Mutex<Reader>>,
    tail: Arc<Tail>,
    queue: Arc<Queue>,
    head: watch::Receiver<Offset>,
}

impl SqliteConsumer {
    pub(super) fn new(
        number: usize,
        journal_id: String,
        stored: StoredConsumer,
        reader: Reader,
        tail: Arc<Tail>,
        queue: Arc<Queue>,
        head: watch::Receiver<Offset>,
    ) -> SqliteConsumer {
        SqliteConsumer { number, journal_id, stored, reader: Arc::new(Mutex::new(reader)), tail, queue, head }
    }
}

#[async_trait]
impl Records for SqliteConsumer {
    async fn read(&self, after: Offset, limit: usize) -> Result<Vec<Record>, JournalError> {
        if let Some(records) = self.tail.read(after, limit) {
            return Ok(records);
        }
        let reader = Arc::clone(&self.reader);
        let read = move || reader.lock().unwrap_or_else(PoisonError::into_inner).read(after, limit);
        tokio::task::spawn_blocking(read).await.map_err(|_| JournalError::Closed)?
    }
}

#[async_trait]
impl Consumer for SqliteConsumer {
    fn name(&self) -> &str {
        &self.stored.name
    }

    fn journal_id(&self) -> &str {
        &self.journal_id
    }

    fn cursor(&self) -> Offset {
        self.stored.cursor
    }

    fn state(&self) -> Option<&[u8]> {
        self.stored.state.as_deref()
    }

    fn head(&self) -> Offset {
        *self.head.borrow()
    }

    fn dead_letters(&self) -> i64 {
        self.stored.dead_letters
    }

    async fn wait(&mut self, after: Offset) -> Result<(), JournalError> {
        self.head.wait_for(|head| *head > after).await.map(|_| ()).map_err(|_| JournalError::Closed)
    }

    async fn advance(&mut self, progress: Progress) -> Result<(), JournalError> {
        let (reply, settled) = oneshot::channel();
        self.queue.advance(Advance { consumer: self.number, progress: progress.clone(), reply })?;
        settled.await.map_err(|_| JournalError::Closed)??;
        self.stored.cursor = self.stored.cursor.max(progress.cursor);
        self.stored.dead_letters += progress.dead_letters.len() as i64;
        if progress.state.is_some() {
            self.stored.state = progress.state;
        }
        Ok(())
    }
}
