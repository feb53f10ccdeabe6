//! Takes records from the journal to the index, and knows how far it is.

use std::sync::Arc;

use super::index_file::{IndexFile, Opened};
use crate::index::apply::BATCH_RECORDS;
use crate::index::store::JournalState;
use crate::index::{IndexError, Status, Store};
use crate::journal::{Consumer, Offset, Progress, Record};
use crate::telemetry::Metrics;

/// How many bytes of events are gathered for one commit; the last page of the journal may go beyond.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// The journal, the index that follows it, and the place of the index in the journal.
pub(super) struct Follower {
    consumer: Box<dyn Consumer>,
    pub(super) index: IndexFile,
    pub(super) status: Arc<Status>,
    pub(super) metrics: Arc<Metrics>,
    /// Every record up to here is in the index.
    cursor: Offset,
    /// Every record up to here is durable in the index, and the journal knows.
    saved: Offset,
    /// How many bytes of events were written since then.
    unsaved_bytes: u64,
}

impl Follower {
    /// Makes the follower of a journal, whose index may still be closed.
    pub(super) fn new(
        consumer: Box<dyn Consumer>,
        index: IndexFile,
        unsaved_bytes_max: u64,
        status: Arc<Status>,
        metrics: Arc<Metrics>,
    ) -> Follower {
        let cursor = consumer.cursor();
        status.set_cursor(cursor);
        status.set_unsaved_bytes_max(unsaved_bytes_max);
        Follower { consumer, index, status, metrics, cursor, saved: cursor, unsaved_bytes: 0 }
    }

    /// Every record up to this one is in the index.
    pub(super) fn cursor(&self) -> Offset {
        self.cursor
    }

    /// Goes on at the place of an index that was just opened.
    pub(super) fn go_on_at(&mut self, opened: Opened) {
        self.set_cursor(opened.cursor);
    }

    /// Binds the index to the journal, before anything is written.
    ///
    /// # Errors
    /// The journal or the index cannot be read or written.
    pub(super) async fn bind(&mut self) -> Result<(), IndexError> {
        let at_cursor = self.consumer.read(self.cursor.before(), 1).await?.pop();
        let (first, head) = self.ends().await?;
        let journal = JournalState {
            journal_id: self.consumer.journal_id().to_owned(),
            first,
            head,
            at_cursor: at_cursor.filter(|record| record.offset == self.cursor).map(|record| record.event.id()),
        };
        let bind = move |store: &mut Store| store.follow(&journal).map(|()| store.cursor());
        let cursor = self.index.run(bind).await?;
        self.set_cursor(cursor);
        Ok(())
    }

    /// Returns the offsets of the journal's oldest record and its newest. If the journal has no records, the first is the one
    /// that its next record will have at least.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub(super) async fn bounds(&self) -> Result<(Offset, Offset), IndexError> {
        let (first, head) = self.ends().await?;
        Ok((first.unwrap_or(Offset(head.0 + 1)), head))
    }

    async fn ends(&self) -> Result<(Option<Offset>, Offset), IndexError> {
        // The head is read first. If the journal is empty and gets its first record now, that record is after the head, and so
        // it does not count as pruned.
        let head = self.consumer.head();
        let first = self.consumer.read(Offset::default(), 1).await?.first().map(|record| record.offset);
        Ok((first, head))
    }

    /// Waits until there may be a record that the index doesn't have.
    ///
    /// # Errors
    /// The journal is closed.
    pub(super) async fn wait(&mut self) -> Result<(), IndexError> {
        Ok(self.consumer.wait(self.cursor).await?)
    }

    /// Reads the next records, enough for one commit. Empty if the index has all of them.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub(super) async fn next_records(&self) -> Result<Vec<Record>, IndexError> {
        let mut records = self.consumer.read(self.cursor, BATCH_RECORDS).await?;
        while let Some(last) = records.last()
            && !Follower::is_full(&records)
        {
            let more = self.consumer.read(last.offset, BATCH_RECORDS - records.len()).await?;
            if more.is_empty() {
                break;
            }
            records.extend(more);
        }
        Ok(records)
    }

    /// Whether these records are as many as one commit gets, so that the journal may have more.
    pub(super) fn is_full(records: &[Record]) -> bool {
        records.len() >= BATCH_RECORDS || bytes_of(records) >= BATCH_BYTES
    }

    /// Writes records to the index, and counts what they say in the metrics.
    ///
    /// # Errors
    /// The index cannot be written. It has none of the records.
    pub(super) async fn write(&mut self, records: Vec<Record>) -> Result<(), IndexError> {
        let bytes = bytes_of(&records) as u64;
        let apply = move |store: &mut Store| {
            let applied = store.apply(&records);
            Ok((applied, store.cursor()))
        };
        let (applied, cursor) = self.index.run(apply).await?;
        // After an error, too: a rebuild that meets one starts from its beginning.
        self.set_cursor(cursor);
        let applied = applied?;
        self.unsaved_bytes += bytes;
        for (category, duration_ms) in applied.ended {
            self.metrics.session_ended(category, duration_ms);
        }
        self.metrics.events_without_sequence(applied.without_sequence);
        Ok(())
    }

    /// Goes back to the record at which a rebuild begins. The rebuild reads the records up to `last`.
    ///
    /// # Errors
    /// The index cannot be written.
    pub(super) async fn go_back_to(&mut self, first: Offset, last: Offset) -> Result<(), IndexError> {
        let begin = move |store: &mut Store| store.begin_rebuild(first, last).map(|()| store.cursor());
        let cursor = self.index.run(begin).await?;
        self.set_cursor(cursor);
        Ok(())
    }

    /// Whether so much is unsaved that the journal should not wait for the next regular save.
    pub(super) fn must_save(&self) -> bool {
        self.unsaved_bytes >= self.status.unsaved_bytes_max()
    }

    /// Makes the index durable, and reports that to the journal.
    ///
    /// # Errors
    /// The index cannot be written, or the journal cannot store the report.
    pub(super) async fn save(&mut self) -> Result<(), IndexError> {
        if self.saved >= self.cursor {
            return Ok(());
        }
        // The journal gets the report last: it may prune the records at once, and then only the index has them.
        if let Some(cursor) = self.index.run(Store::checkpoint).await? {
            self.consumer.advance(Progress { cursor, ..Progress::default() }).await?;
            self.saved = cursor;
            self.unsaved_bytes = 0;
        }
        Ok(())
    }

    fn set_cursor(&mut self, cursor: Offset) {
        self.cursor = cursor;
        self.status.set_cursor(cursor);
    }
}

fn bytes_of(records: &[Record]) -> usize {
    records.iter().map(|record| record.event.line().len()).sum()
}

#[cfg(test)]
mod tests;
