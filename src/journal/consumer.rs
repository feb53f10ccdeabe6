//! A consumer of the SQLite journal: reads the newest records from memory and older ones on a connection of its own, and
//! hands its progress to the writer.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use super::progress::StoredConsumer;
use super::queue::{Advance, Queue};
use super::reader::Reader;
use super::tail::Tail;
use super::{Ahead, Consumer, JournalError, NumberedLetter, Offset, Progress, Record, Records, Replay};

/// What all consumers of a journal have in common.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) journal_id: String,
    pub(super) tail: Arc<Tail>,
    pub(super) queue: Arc<Queue>,
    pub(super) head: watch::Receiver<Offset>,
    /// How many dead letters each has. Also sent when a redrive, a drop or a replay was asked for and no number has changed.
    pub(super) dead_letters: watch::Receiver<Vec<i64>>,
}

pub(super) struct SqliteConsumer {
    number: usize,
    stored: StoredConsumer,
    reader: Arc<Mutex<Reader>>,
    shared: Shared,
    has_news: bool,
}

impl Ahead {
    /// The pending records, as they are stored.
    pub(super) fn pending_text(&self) -> String {
        self.pending.iter().map(|(offset, attempts)| json!([offset.0, attempts])).collect::<Value>().to_string()
    }

    /// What was stored.
    ///
    /// # Errors
    /// The text is none of [`Ahead::pending_text`].
    pub(super) fn stored(position: i64, pending: &str) -> rusqlite::Result<Ahead> {
        let pending: Vec<(i64, u32)> = serde_json::from_str(pending)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(4, rusqlite::types::Type::Text, error.into()))?;
        let pending = pending.into_iter().map(|(offset, attempts)| (Offset(offset), attempts)).collect();
        Ok(Ahead { position: Offset(position), pending })
    }
}

impl SqliteConsumer {
    pub(super) fn new(number: usize, stored: StoredConsumer, reader: Reader, shared: Shared) -> SqliteConsumer {
        // What was put back before the start is news too.
        SqliteConsumer { number, stored, reader: Arc::new(Mutex::new(reader)), shared, has_news: true }
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Reader) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let reader = Arc::clone(&self.reader);
        let ask = move || question(&reader.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(ask).await.map_err(|_| JournalError::Closed)?
    }
}

#[async_trait]
impl Records for SqliteConsumer {
    async fn read(&self, after: Offset, limit: usize) -> Result<Vec<Record>, JournalError> {
        if let Some(records) = self.shared.tail.read(after, limit) {
            return Ok(records);
        }
        self.ask(move |reader| reader.read(after, limit)).await
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
        self.shared.dead_letters.borrow().get(self.number).copied().unwrap_or(0)
    }

    fn take_news(&mut self) -> bool {
        // In one step: what is published between two would count as seen and never be told.
        let has_changed = self.shared.dead_letters.borrow_and_update().has_changed();
        std::mem::take(&mut self.has_news) || has_changed
    }

    async fn redriven(&self, after: i64, limit: usize) -> Result<Vec<NumberedLetter>, JournalError> {
        let sink = self.stored.name.clone();
        self.ask(move |reader| reader.redriven(&sink, after, limit)).await
    }

    async fn replay(&self) -> Result<Option<Replay>, JournalError> {
        let sink = self.stored.name.clone();
        self.ask(move |reader| reader.running_replay(&sink)).await
    }

    async fn wait(&mut self, after: Offset) -> Result<(), JournalError> {
        tokio::select! {
            head = self.shared.head.wait_for(|head| *head > after) => head.map(|_| ()).map_err(|_| JournalError::Closed),
            // When the writer is gone, it is told by the head, once all is settled.
            Ok(()) = self.shared.dead_letters.changed() => {
                self.has_news = true;
                Ok(())
            }
        }
    }

    async fn advance(&mut self, progress: Progress) -> Result<(), JournalError> {
        let (reply, settled) = oneshot::channel();
        self.shared.queue.advance(Advance { consumer: self.number, progress: progress.clone(), reply })?;
        settled.await.map_err(|_| JournalError::Closed)??;
        self.stored.cursor = self.stored.cursor.max(progress.cursor);
        self.stored.ahead = progress.ahead;
        if progress.state.is_some() {
            self.stored.state = progress.state;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::journal::{Options, SqliteJournal};

    #[test]
    fn news_that_comes_while_it_is_asked_for_is_told_then_or_the_next_time() {
        const ROUNDS: i64 = 20_000;
        let directory = tempfile::tempdir().unwrap();
        let _opened = SqliteJournal::open(directory.path(), &Options::default(), &[], Arc::default()).unwrap();
        let (published, dead_letters) = watch::channel(vec![0]);
        let shared = Shared {
            journal_id: String::new(),
            tail: Arc::default(),
            queue: Arc::new(Queue::new(1, 1)),
            head: watch::channel(Offset(0)).1,
            dead_letters,
        };
        let stored = StoredConsumer {
            name: "log".to_owned(),
            cursor: Offset(0),
            state: None,
            dead_letters: 0,
            ahead: Ahead::default(),
        };
        let mut consumer = SqliteConsumer::new(0, stored, Reader::open(directory.path()).unwrap(), shared);
        assert!(consumer.take_news(), "the start is news");

        let (told, next) = std::sync::mpsc::channel();
        let publisher = std::thread::spawn(move || {
            for round in 1..=ROUNDS {
                published.send_replace(vec![round]);
                if next.recv().is_err() {
                    break;
                }
            }
        });
        let deadline = Instant::now() + Duration::from_secs(20);
        for round in 1..=ROUNDS {
            while !consumer.take_news() {
                assert!(Instant::now() < deadline, "the news of round {round} are lost");
            }
            let _ = told.send(());
        }
        publisher.join().unwrap();
    }
}
