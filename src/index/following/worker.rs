//! The worker of the index: decides what to do next, and waits if there is nothing to do.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::due_tasks::DueTasks;
use super::follower::Follower;
use super::gathering::{Gathering, Waits};
use super::index_file::{IndexFile, Opened};
use super::live_rebuild::LiveRebuild;
use crate::clock::Clock;
use crate::index::options::Options;
use crate::index::{IndexError, Status};
use crate::journal::{Consumer, JournalError, Step};
use crate::telemetry::Metrics;

/// How long the worker waits after the index or the journal failed.
const FAILURE_WAIT: Duration = Duration::from_secs(1);

/// A rebuild that the worker begins by itself follows the last one after this time at the earliest. A disk that damages each file
/// must not make it rebuild for ever.
const REPLACE_INTERVAL: Duration = Duration::from_secs(3600);

/// How long the worker waits after a replacement failed, for example because the disk was full. The copy can be large.
const REPLACE_RETRY_WAIT: Duration = Duration::from_secs(60);

/// How long the worker goes on after it was asked to stop. The rest follows after the next start.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// Keeps the index of a data directory up to date with its journal.
pub struct Worker {
    follower: Follower,
    rebuild: LiveRebuild,
    due_tasks: DueTasks,
    gathering: Gathering,
    /// Whether the last step wrote every record that there was, so that the next ones may gather.
    has_caught_up: bool,
    /// Whether the index is bound to the journal. Nothing is written before.
    is_bound: bool,
    /// Until when the worker doesn't replace the index by itself; `None` before the first time.
    replace_pause: Option<Instant>,
    clock: Clock,
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
        clock: Clock,
    ) -> Worker {
        let index = IndexFile::new(data_dir, options);
        let mut worker = Worker {
            follower: Follower::new(consumer, index, unsaved_bytes_max, status, metrics),
            rebuild: LiveRebuild::default(),
            due_tasks: DueTasks::default(),
            gathering: Gathering::default(),
            has_caught_up: false,
            is_bound: false,
            replace_pause: None,
            clock,
        };
        // If this fails, the first step tries it again and reports the error.
        if let Ok(opened) = worker.follower.index.open() {
            worker.go_on_at(opened);
        }
        worker
    }

    /// Goes on with an index that was just opened, and may not be bound to the journal yet.
    fn go_on_at(&mut self, opened: Opened) {
        self.is_bound = false;
        self.rebuild.resume(&self.follower, opened.rebuild_until);
        self.follower.go_on_at(opened);
    }

    /// Works until `stop` turns true, and then for a moment longer if there is more to do.
    ///
    /// # Errors
    /// The journal is closed, or the index's thread has died.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), IndexError> {
        // The stop is read before each step, so that a later step sees all records that came before the stop.
        while !*stop.borrow() {
            match self.step().await? {
                Step::More if self.has_caught_up => self.gather(&mut stop).await,
                Step::More => {}
                Step::Idle => self.pause(&mut stop).await?,
                Step::Wait(wait) => wait_unless_stopped(wait, &mut stop).await,
            }
        }
        let stopped = Instant::now();
        while self.step().await? == Step::More && stopped.elapsed() < STOP_GRACE {}
        if let Err(error) = self.follower.save().await {
            tracing::warn!(
                "the index could not be made durable; after the next start it reads the missing records again: {error}"
            );
        }
        self.close().await;
        Ok(())
    }

    /// Returns when the index's file is closed.
    pub(super) async fn close(self) {
        self.follower.index.close().await;
    }

    /// Returns when there is something to do.
    async fn pause(&mut self, stop: &mut watch::Receiver<bool>) -> Result<(), IndexError> {
        let status = Arc::clone(&self.follower.status);
        let wait = self.due_tasks.wait(&self.follower);
        tokio::select! {
            result = self.follower.wait() => result?,
            () = status.requested() => return Ok(()),
            () = wait_unless_stopped(wait, stop) => return Ok(()),
        }
        self.gather(stop).await;
        Ok(())
    }

    /// Lets records gather, so that one commit takes several. That is shorter if a query waits for them.
    async fn gather(&mut self, stop: &mut watch::Receiver<bool>) {
        let Waits { usual, with_queries } = self.gathering.waits(Instant::now());
        let query = async {
            tokio::time::sleep(with_queries).await;
            self.follower.status.awaited().await;
        };
        tokio::select! {
            () = wait_unless_stopped(usual, stop) => {}
            () = query => {}
        }
        self.gathering.end(Instant::now());
    }

    /// Does one thing: opens the index, binds it to the journal, begins a rebuild, or writes records and does the regular
    /// tasks that are due.
    ///
    /// # Errors
    /// The journal is closed, or the index's thread has died. After any other failure the step asks for a wait.
    pub async fn step(&mut self) -> Result<Step, IndexError> {
        let mut result = self.try_step().await;
        if let Err(error) = &result
            && error.is_cured_by_rebuild()
            && self.replace_pause.is_none_or(|until| until <= Instant::now())
        {
            let reason = error.to_string();
            result = self.replace_index(&reason).await;
        }
        match result {
            Err(error @ (IndexError::Journal(JournalError::Closed) | IndexError::Died)) => Err(error),
            Err(error) => {
                if self.follower.status.set_error(Some(error.to_string())) {
                    tracing::warn!(reason = %error, "the index fails: livehook tries again, and the journal keeps the events until then");
                }
                Ok(Step::Wait(FAILURE_WAIT))
            }
            Ok(step) => {
                if self.follower.status.set_error(None) {
                    tracing::info!("the index works again");
                }
                Ok(step)
            }
        }
    }

    /// Replaces the index, whose last step failed for a reason that a new one does not have.
    async fn replace_index(&mut self, reason: &str) -> Result<Step, IndexError> {
        tracing::error!(%reason, "the index fails, and a new one cures that");
        self.replace_pause = Some(Instant::now() + REPLACE_RETRY_WAIT);
        self.follower.index.replace().await?;
        self.replace_pause = Some(Instant::now() + REPLACE_INTERVAL);
        self.follower.metrics.index_replaced();
        // The next step opens the new index.
        self.follower.status.request_rebuild();
        Ok(Step::More)
    }

    async fn try_step(&mut self) -> Result<Step, IndexError> {
        self.has_caught_up = false;
        if let Some(options) = self.follower.status.take_other_options() {
            self.follower.index.set_options(options);
        }
        if !self.follower.index.is_open() {
            let opened = self.follower.index.open_in_background().await?;
            self.go_on_at(opened);
        }
        self.follower.index.check_place()?;
        self.follower.index.store_options().await?;
        if !self.is_bound {
            self.follower.bind().await?;
            self.is_bound = true;
            return Ok(Step::More);
        }
        if self.follower.status.is_rebuild_requested() {
            self.rebuild.begin(&mut self.follower).await?;
            return Ok(Step::More);
        }
        let records = self.follower.next_records().await?;
        let has_read_all = records.is_empty();
        let is_full = Follower::is_full(&records);
        if !has_read_all {
            self.follower.write(records).await?;
        }
        let has_more = self.due_tasks.run(&mut self.follower, (self.clock)()).await?;
        self.rebuild.end_if_done(&self.follower, has_read_all).await?;
        self.has_caught_up = !is_full && !has_more;
        Ok(if has_read_all && !has_more { Step::Idle } else { Step::More })
    }
}

async fn wait_unless_stopped(wait: Duration, stop: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = tokio::time::sleep(wait) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

#[cfg(test)]
mod tests;
