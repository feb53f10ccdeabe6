//! Follows the journal: reads what comes after the index's cursor, takes it in, and tells the journal what it need not
//! keep for the index any more.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::background::Background;
use super::store::Source;
use super::{IndexError, Options, Status, Store, database};
use crate::journal::file::Identity;
use crate::journal::{Consumer, JournalError, Offset, Progress, Record};
use crate::telemetry::Metrics;

/// How many records are taken in with one commit.
const BATCH_RECORDS: usize = 4096;

/// How many bytes of events are gathered for one commit; the last page of the journal may go beyond.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// How long what came after a pause waits for company: a commit for each event would cost more than all else.
const GATHER: Duration = Duration::from_millis(50);

/// How often the live streams are counted.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);

/// How often the index is made durable, and the journal told. When much comes in, it is so after [`Worker::open`]'s
/// `unsaved_bytes_max` too.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(10);

/// How often what is too old is looked for.
const PRUNE_INTERVAL: Duration = Duration::from_secs(60);

/// How long an index or a journal that fails is left alone.
const FAILURE_WAIT: Duration = Duration::from_secs(1);

/// How long the index goes on when it is to stop. The rest comes after the next start.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// What a step leaves to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is more to do at once.
    More,
    /// Everything is done up to the end of the journal.
    Idle,
    /// Something failed: the next step comes after this wait.
    Wait(Duration),
}

/// Keeps the index of a data directory up with its journal.
pub struct Worker {
    data_dir: PathBuf,
    options: Options,
    consumer: Box<dyn Consumer>,
    /// `None` as long as the index cannot be opened.
    background: Option<Background>,
    /// Which file the open index is.
    identity: Option<Identity>,
    status: Arc<Status>,
    metrics: Arc<Metrics>,
    /// Every record up to here is in the index.
    cursor: Offset,
    /// Every record up to here is durable there, and the journal knows.
    saved: Offset,
    /// How many bytes of events have been taken in since then, and how many may be.
    unsaved_bytes: u64,
    unsaved_bytes_max: u64,
    is_following: bool,
    /// Up to where a rebuild goes.
    rebuild_until: Option<Offset>,
    counted_ms: i64,
    checkpointed_ms: i64,
    pruned_ms: i64,
}

impl Worker {
    /// Opens the index and makes its worker. It does nothing before its first step. An index that cannot be opened is the
    /// business of the steps: callbacks can be received without one. `unsaved_bytes_max` is how many bytes of events the
    /// journal may have to keep for no other reason than that the index has not been made durable. Blocks.
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
            background: None,
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
        // Of a failure the first step tells, which comes to it again.
        let _ = Store::open(data_dir, options).and_then(|store| worker.take_up(store));
        worker
    }

    /// Goes on with an open index.
    fn take_up(&mut self, store: Store) -> Result<(), IndexError> {
        let (cursor, rebuild_until) = (store.cursor(), store.rebuild_until());
        self.background = Some(Background::start(store)?);
        self.identity = Identity::of(&database::path(&self.data_dir)).ok();
        if rebuild_until.is_some() {
            self.status.set_rebuild_begun();
        }
        self.rebuild_until = rebuild_until;
        self.set_cursor(cursor);
        Ok(())
    }

    /// Does something with the index, and gives what came of it.
    async fn with_store<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Store) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexError> {
        self.background.as_ref().ok_or(IndexError::Died)?.run(job).await
    }

    /// Works until `stop` turns true, and then on for a moment as long as there is something to do.
    ///
    /// # Errors
    /// The journal is closed, or the index's thread has died.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), IndexError> {
        let mut stopping_since = None;
        loop {
            // Asked before the step: what had come by then is seen by it.
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
                "the index could not be made durable: what is missing is taken in after the next start: {error}"
            );
        }
        self.close().await;
        Ok(())
    }

    /// Lets go of the index as it is, and returns when its file is closed.
    pub(super) async fn close(self) {
        if let Some(background) = self.background {
            background.close().await;
        }
    }

    /// Returns when there is something to do.
    async fn pause(&mut self, stop: &mut watch::Receiver<bool>) -> Result<(), IndexError> {
        tokio::select! {
            result = self.consumer.wait(self.cursor) => result?,
            () = self.status.rebuild_asked() => return Ok(()),
            () = tokio::time::sleep(COUNT_INTERVAL) => return Ok(()),
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
        tokio::select! {
            () = tokio::time::sleep(GATHER) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        Ok(())
    }

    /// Does one thing: opens the index and binds it to the journal, begins a rebuild, keeps house, or takes records in. `now_ms` is
    /// Unix time in ms.
    ///
    /// # Errors
    /// The journal is closed, or the index's thread has died; any other failure is waited out.
    pub async fn step(&mut self, now_ms: i64) -> Result<Step, IndexError> {
        match self.try_step(now_ms).await {
            Err(error @ (IndexError::Journal(JournalError::Closed) | IndexError::Died)) => Err(error),
            Err(error) => {
                if self.status.set_error(Some(error.to_string())) {
                    tracing::warn!(reason = %error, "the index fails: it tries again, and what is received is kept in the journal");
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
        if self.background.is_none() {
            let (data_dir, options) = (self.data_dir.clone(), self.options.clone());
            let opening = tokio::task::spawn_blocking(move || Store::open(&data_dir, &options));
            self.take_up(opening.await.map_err(|_| IndexError::Died)??)?;
        }
        let path = database::path(&self.data_dir);
        if self.identity.is_some_and(|identity| !identity.is_at(&path)) {
            return Err(IndexError::Gone(path));
        }
        if !self.is_following {
            return self.follow().await;
        }
        if self.status.is_rebuild_asked() {
            return self.begin_rebuild().await;
        }
        let records = self.gather().await?;
        let is_idle = records.is_empty();
        if !is_idle {
            self.take_in(records).await?;
        }
        let has_more = self.keep_house(now_ms).await?;
        if self.rebuild_until.is_some_and(|until| self.cursor >= until || is_idle) {
            self.with_store(Store::end_rebuild).await?;
            self.rebuild_until = None;
            self.status.set_rebuild_done();
            tracing::info!(cursor = %self.cursor, "the index has been made anew");
        }
        Ok(if is_idle && !has_more { Step::Idle } else { Step::More })
    }

    async fn follow(&mut self) -> Result<Step, IndexError> {
        let at_cursor = self.consumer.read(self.cursor.before(), 1).await?.pop();
        let (first, head) = self.ends().await?;
        let source = Source {
            journal_id: self.consumer.journal_id().to_owned(),
            first,
            head,
            at_cursor: at_cursor.filter(|record| record.offset == self.cursor).map(|record| record.event.id()),
        };
        let following = move |store: &mut Store| store.follow(&source).map(|()| store.cursor());
        self.set_cursor(self.with_store(following).await?);
        self.is_following = true;
        Ok(Step::More)
    }

    async fn begin_rebuild(&mut self) -> Result<Step, IndexError> {
        let (first, head) = self.ends().await?;
        let first = first.unwrap_or(Offset(head.0 + 1));
        let begin = move |store: &mut Store| store.begin_rebuild(first, head).map(|()| store.cursor());
        self.set_cursor(self.with_store(begin).await?);
        // Not before it has begun: where that fails, it is tried once a second.
        tracing::info!(from = %first, to = %head, "the index is being made anew from the journal");
        self.rebuild_until = Some(head);
        self.status.set_rebuild_begun();
        Ok(Step::More)
    }

    /// The journal's oldest record, and its newest. The newest is asked for first: what comes in between is after it, and
    /// not taken for gone where there is no oldest one.
    async fn ends(&self) -> Result<(Option<Offset>, Offset), IndexError> {
        let head = self.consumer.head();
        let first = self.consumer.read(Offset::default(), 1).await?.first().map(|record| record.offset);
        Ok((first, head))
    }

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

    async fn take_in(&mut self, records: Vec<Record>) -> Result<(), IndexError> {
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

    /// Does what is due. Whether there is more of it to do at once.
    async fn keep_house(&mut self, now_ms: i64) -> Result<bool, IndexError> {
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

    /// Makes the index durable, and lets the journal know.
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

/// Whether an interval has passed, also by a clock that was set back.
fn is_due(now_ms: i64, last_ms: i64, interval: Duration) -> bool {
    now_ms < last_ms || now_ms - last_ms >= interval.as_millis() as i64
}
