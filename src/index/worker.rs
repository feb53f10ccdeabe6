//! Follows the journal: writes the records after the index's cursor to the index, and reports to the journal which records
//! it no longer has to keep for that.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::options::Options;
use super::store::JournalState;
use super::writer_thread::WriterThread;
use super::{IndexError, Status, Store, schema};
use crate::journal::{Consumer, JournalError, Offset, Progress, Record};
use crate::storage::Identity;
use crate::telemetry::Metrics;

/// How many records are written with one commit.
const BATCH_RECORDS: usize = 4096;

/// How many bytes of events are gathered for one commit; the last page of the journal may go beyond.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// How long the first record after a pause waits for others. A commit for each record would cost more than all else.
const GATHER_WAIT: Duration = Duration::from_millis(50);

/// How often the live streams are counted.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);

/// How often the index is made durable. If many events arrive, that happens earlier, see `unsaved_bytes_max` in
/// [`Worker::open`].
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(10);

/// How often old events and sessions are removed.
const PRUNE_INTERVAL: Duration = Duration::from_secs(60);

/// How long the worker waits after the index or the journal failed.
const FAILURE_WAIT: Duration = Duration::from_secs(1);

/// How long the worker goes on after it was asked to stop. The rest follows after the next start.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// When the next step is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// At once: there is more to do.
    More,
    /// When the journal has a new record: everything is done.
    Idle,
    /// After this wait: something failed.
    Wait(Duration),
}

/// Keeps the index of a data directory up to date with its journal.
pub struct Worker {
    data_dir: PathBuf,
    options: Options,
    consumer: Box<dyn Consumer>,
    /// The open index; `None` as long as it cannot be opened.
    writer: Option<WriterThread>,
    /// The file of the open index.
    identity: Option<Identity>,
    status: Arc<Status>,
    metrics: Arc<Metrics>,
    /// Every record up to here is in the index.
    cursor: Offset,
    /// Every record up to here is durable in the index, and the journal knows.
    saved: Offset,
    /// How many bytes of events were written since then, and how many may be.
    unsaved_bytes: u64,
    unsaved_bytes_max: u64,
    is_following: bool,
    /// The last record of the rebuild that is under way.
    rebuild_until: Option<Offset>,
    counted_ms: i64,
    checkpointed_ms: i64,
    pruned_ms: i64,
}

impl Worker {
    /// Opens the index and makes its worker, which does nothing before its first step. If the index cannot be opened, the
    /// steps report it and try again: callbacks can be received without an index. The journal must keep records until they
    /// are durable in the index: at most about `unsaved_bytes_max` bytes of events. Blocks.
    pub fn open(
        data_dir: &Path,
        options: &Options,
        unsaved_bytes_max: u64,
        consumer: Box<dyn Consumer>,
        status: Arc<Status>,
        metrics: Arc<Metrics>,
    ) -> Worker {
        let cursor = consumer.cursor();
        status.set_cursor(cursor);
        let mut worker = Worker {
            data_dir: data_dir.to_owned(),
            options: options.clone(),
            consumer,
            writer: None,
            identity: None,
            status,
            metrics,
            cursor,
            saved: cursor,
            unsaved_bytes: 0,
            unsaved_bytes_max,
            is_following: false,
            rebuild_until: None,
            counted_ms: 0,
            checkpointed_ms: 0,
            pruned_ms: 0,
        };
        // If this fails, the first step tries it again and reports the error.
        let _ = Store::open(data_dir, options).and_then(|store| worker.use_store(store));
        worker
    }

    /// Starts to write to an open index.
    fn use_store(&mut self, store: Store) -> Result<(), IndexError> {
        let (cursor, rebuild_until) = (store.cursor(), store.rebuild_until());
        self.writer = Some(WriterThread::start(store)?);
        self.identity = Identity::of(&schema::path(&self.data_dir)).ok();
        if rebuild_until.is_some() {
            self.status.set_rebuild_begun();
        }
        self.rebuild_until = rebuild_until;
        self.set_cursor(cursor);
        Ok(())
    }

    /// Runs a job with the index on its thread, and returns the result.
    async fn with_store<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Store) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexError> {
        self.writer.as_ref().ok_or(IndexError::Died)?.run(job).await
    }

    /// Works until `stop` turns true, and then for a moment longer if there is more to do.
    ///
    /// # Errors
    /// The journal is closed, or the index's thread has died.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), IndexError> {
        let mut stopping_since = None;
        loop {
            // Read before the step, so that the step sees all records that came before the stop.
            let is_stopping = *stop.borrow();
            let step = self.step(jiff::Timestamp::now().as_millisecond()).await?;
            if is_stopping {
                let since = stopping_since.get_or_insert_with(tokio::time::Instant::now);
                if step != Step::More || since.elapsed() > STOP_GRACE {
                    break;
                }
                continue;
            }
            match step {
                Step::More => {}
                Step::Idle => self.pause(&mut stop).await?,
                Step::Wait(wait) => tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                },
            }
        }
        if let Err(error) = self.save().await {
            tracing::warn!(
                "the index could not be made durable; after the next start it reads the missing records again: {error}"
            );
        }
        self.close().await;
        Ok(())
    }

    /// Returns when the index's file is closed.
    pub(super) async fn close(self) {
        if let Some(writer) = self.writer {
            writer.close().await;
        }
    }

    /// Returns when there is something to do.
    async fn pause(&mut self, stop: &mut watch::Receiver<bool>) -> Result<(), IndexError> {
        tokio::select! {
            result = self.consumer.wait(self.cursor) => result?,
            () = self.status.rebuild_requested() => return Ok(()),
            () = tokio::time::sleep(COUNT_INTERVAL) => return Ok(()),
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
        tokio::select! {
            () = tokio::time::sleep(GATHER_WAIT) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        Ok(())
    }

    /// Does one thing: opens the index, binds it to the journal, begins a rebuild, or writes records and does the regular
    /// tasks that are due at `now_ms` (Unix ms).
    ///
    /// # Errors
    /// The journal is closed, or the index's thread has died. After any other failure the step asks for a wait.
    pub async fn step(&mut self, now_ms: i64) -> Result<Step, IndexError> {
        match self.try_step(now_ms).await {
            Err(error @ (IndexError::Journal(JournalError::Closed) | IndexError::Died)) => Err(error),
            Err(error) => {
                if self.status.set_error(Some(error.to_string())) {
                    tracing::warn!(reason = %error, "the index fails: it tries again, and the journal keeps the events until then");
                }
                Ok(Step::Wait(FAILURE_WAIT))
            }
            Ok(step) => {
                if self.status.set_error(None) {
                    tracing::info!("the index goes on");
                }
                Ok(step)
            }
        }
    }

    async fn try_step(&mut self, now_ms: i64) -> Result<Step, IndexError> {
        if self.writer.is_none() {
            let (data_dir, options) = (self.data_dir.clone(), self.options.clone());
            let opening = tokio::task::spawn_blocking(move || Store::open(&data_dir, &options));
            self.use_store(opening.await.map_err(|_| IndexError::Died)??)?;
        }
        let path = schema::path(&self.data_dir);
        if self.identity.is_some_and(|identity| !identity.is_at(&path)) {
            return Err(IndexError::Gone(path));
        }
        if !self.is_following {
            return self.follow().await;
        }
        if self.status.is_rebuild_requested() {
            return self.begin_rebuild().await;
        }
        let records = self.gather().await?;
        let is_idle = records.is_empty();
        if !is_idle {
            self.apply(records).await?;
        }
        let has_more = self.run_due_tasks(now_ms).await?;
        if self.rebuild_until.is_some_and(|until| self.cursor >= until || is_idle) {
            self.with_store(Store::end_rebuild).await?;
            self.rebuild_until = None;
            self.status.set_rebuild_done();
            tracing::info!(cursor = %self.cursor, "the index was rebuilt");
        }
        Ok(if is_idle && !has_more { Step::Idle } else { Step::More })
    }

    async fn follow(&mut self) -> Result<Step, IndexError> {
        let at_cursor = self.consumer.read(self.cursor.before(), 1).await?.pop();
        let (first, head) = self.ends().await?;
        let journal = JournalState {
            journal_id: self.consumer.journal_id().to_owned(),
            first,
            head,
            at_cursor: at_cursor.filter(|record| record.offset == self.cursor).map(|record| record.event.id()),
        };
        let following = move |store: &mut Store| store.follow(&journal).map(|()| store.cursor());
        self.set_cursor(self.with_store(following).await?);
        self.is_following = true;
        Ok(Step::More)
    }

    async fn begin_rebuild(&mut self) -> Result<Step, IndexError> {
        let (first, head) = self.ends().await?;
        let first = first.unwrap_or(Offset(head.0 + 1));
        let begin = move |store: &mut Store| store.begin_rebuild(first, head).map(|()| store.cursor());
        self.set_cursor(self.with_store(begin).await?);
        tracing::info!(from = %first, to = %head, "the index is being rebuilt from the journal");
        self.rebuild_until = Some(head);
        self.status.set_rebuild_begun();
        Ok(Step::More)
    }

    /// The journal's oldest record, and its newest.
    async fn ends(&self) -> Result<(Option<Offset>, Offset), IndexError> {
        // The head is read first. If the journal is empty and gets its first record now, that record is after the head, and so
        // it does not count as pruned.
        let head = self.consumer.head();
        let first = self.consumer.read(Offset::default(), 1).await?.first().map(|record| record.offset);
        Ok((first, head))
    }

    /// Reads records for one commit.
    async fn gather(&self) -> Result<Vec<Record>, IndexError> {
        let mut records = self.consumer.read(self.cursor, BATCH_RECORDS).await?;
        let bytes = |records: &[Record]| records.iter().map(|record| record.event.line().len()).sum::<usize>();
        let mut gathered = bytes(&records);
        while let Some(last) = records.last()
            && records.len() < BATCH_RECORDS
            && gathered < BATCH_BYTES
        {
            let more = self.consumer.read(last.offset, BATCH_RECORDS - records.len()).await?;
            if more.is_empty() {
                break;
            }
            gathered += bytes(&more);
            records.extend(more);
        }
        Ok(records)
    }

    async fn apply(&mut self, records: Vec<Record>) -> Result<(), IndexError> {
        let bytes: usize = records.iter().map(|record| record.event.line().len()).sum();
        let apply = move |store: &mut Store| store.apply(&records).map(|applied| (applied, store.cursor()));
        let (applied, cursor) = self.with_store(apply).await?;
        self.set_cursor(cursor);
        self.unsaved_bytes += bytes as u64;
        for (category, duration_ms) in applied.ended {
            self.metrics.session_ended(category, duration_ms);
        }
        self.metrics.events_without_sequence(applied.without_sequence);
        Ok(())
    }

    /// Does the regular tasks that are due. Returns whether there is more to do at once.
    async fn run_due_tasks(&mut self, now_ms: i64) -> Result<bool, IndexError> {
        if is_due(now_ms, self.counted_ms, COUNT_INTERVAL) {
            self.status.set_live_streams(self.with_store(move |store| store.live_streams(now_ms)).await?);
            self.counted_ms = now_ms;
        }
        if is_due(now_ms, self.checkpointed_ms, CHECKPOINT_INTERVAL) || self.unsaved_bytes >= self.unsaved_bytes_max {
            self.save().await?;
            self.checkpointed_ms = now_ms;
        }
        if !is_due(now_ms, self.pruned_ms, PRUNE_INTERVAL) {
            return Ok(false);
        }
        let (first, head) = self.ends().await?;
        let first = first.unwrap_or(Offset(head.0 + 1));
        let has_more = self.with_store(move |store| store.prune(first, now_ms)).await?;
        if !has_more {
            self.pruned_ms = now_ms;
        }
        Ok(has_more)
    }

    /// Makes the index durable, and reports that to the journal.
    async fn save(&mut self) -> Result<(), IndexError> {
        if self.saved >= self.cursor {
            return Ok(());
        }
        if let Some(cursor) = self.with_store(Store::checkpoint).await? {
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

/// Whether an interval has passed. A clock that was set back makes a task due, so that it is not delayed for long.
fn is_due(now_ms: i64, last_ms: i64, interval: Duration) -> bool {
    now_ms < last_ms || now_ms - last_ms >= interval.as_millis() as i64
}

#[cfg(test)]
mod tests;
