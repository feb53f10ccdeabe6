//! Runs the service until it must stop, and stops it in order. It receives callbacks for as long as it can.
//!
//! 1. The sinks and the index: they take what the journal holds by then, or give up at their first failure.
//! 2. The receiver: its port closes, and requests in flight finish.
//! 3. The admin endpoint: until then it shows the state of the others. Answers in flight finish.
//! 4. The journal, once it has no reader.
//!
//! An event that arrives after a sink has stopped, or that a deadline cuts off from a sink, stays in the journal.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::anyhow;
use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::reload::{Proposal, Reloader};
use super::service_manager;
use super::start::{App, status};
use super::workers::Ending;

/// Half of the grace is reserved, within these bounds, and the sinks get the rest. Requests in flight get half of the reserve,
/// the last answers of the admin endpoint a sixth, and the journal a third.
const RESERVE_MAX: Duration = Duration::from_secs(3);
const RESERVE_MIN: Duration = Duration::from_millis(150);

impl App {
    /// Runs until `stop` resolves. Then it drains until the grace is over or `cut_short` resolves.
    ///
    /// # Errors
    /// A part ended before `stop`, or failed while it stopped. In the second case, the other parts still stop in order, and the
    /// first failure is returned.
    pub async fn run(
        mut self,
        stop: impl Future<Output = ()>,
        cut_short: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let (proposals, proposed) = mpsc::channel(1);
        // Dropped at the end, which ends the task.
        let _reloader = self.spawn_reloader(proposals);
        tokio::select! {
            () = stop => {}
            error = self.work(proposed) => return Err(error),
        }

        tracing::info!(grace_secs = self.grace.as_secs(), "stopping: the sinks finish first, and the port closes last");
        service_manager::stopping();
        // First of all, so that load balancers send further callbacks elsewhere.
        self.endpoints.is_draining.store(true, Ordering::SeqCst);
        let reserve = (self.grace / 2).clamp(RESERVE_MIN, RESERVE_MAX);
        let (requests_least, admin_least, closing) = (reserve / 2, reserve / 6, reserve / 3);
        let sinks_deadline = Instant::now() + self.grace.saturating_sub(reserve);
        let mut requests_deadline = sinks_deadline + requests_least;
        let mut cut_short = pin!(cut_short.fuse());
        tokio::select! {
            () = self.drain_workers() => {}
            // Dropping the drain here leaves the tasks running. They are aborted below.
            () = sleep_until(sinks_deadline) => tracing::warn!(
                "`shutdown_grace_secs` is over for the sinks: the journal keeps the undelivered events for the next start"
            ),
            () = &mut cut_short => {
                requests_deadline = Instant::now() + requests_least;
                tracing::warn!("stopping at once: the journal keeps the undelivered events for the next start");
            }
        }
        // After a complete drain these have ended already, and aborting does nothing.
        self.workers.tasks.abort_all();
        tokio::select! {
            () = self.drain_requests() => {}
            () = sleep_until(requests_deadline) => tracing::warn!(
                "`shutdown_grace_secs` is over for requests in flight: they are cut off, and CSS sends their callbacks again"
            ),
            () = &mut cut_short => tracing::warn!(
                "stopping at once: requests in flight are cut off, and CSS sends their callbacks again"
            ),
        }
        self.endpoints.receiver.abort();
        self.stop_admin(requests_deadline.saturating_duration_since(Instant::now()) + admin_least).await;
        if timeout(closing, self.close_journal()).await.is_err() {
            tracing::warn!(
                "the journal takes too long to close: callbacks that are not stored yet got no answer, so CSS sends them again"
            );
        }
        if let Some(error) = self.failure {
            return Err(error);
        }
        tracing::info!("stopped");
        Ok(())
    }

    /// Takes over the configurations that the reloader proposes, until a part ends that should not. Returns why it ended.
    async fn work(&mut self, mut proposed: mpsc::Receiver<Proposal>) -> anyhow::Error {
        loop {
            tokio::select! {
                result = &mut self.wakeups => return ended("the journal", result),
                result = &mut self.endpoints.receiver => return ended("the receiver", result),
                result = &mut self.endpoints.admin_task => return ended("the admin endpoint", result),
                Some(result) = self.workers.tasks.join_next() => match result {
                    Ok(Ok(Ending::Ordered)) => {}
                    result => return ended("a sink or the index", without_ending(result)),
                },
                Some(proposal) = proposed.recv() => self.answer_proposal(proposal).await,
            }
        }
    }

    /// Starts the task that reloads the configuration. Without a source to read from, it starts none.
    fn spawn_reloader(&mut self, proposals: mpsc::Sender<Proposal>) -> JoinSet<()> {
        let mut task = JoinSet::new();
        if let (Some((source, signals)), Some(requests)) = (self.reload_source.take(), self.reload_requests.take()) {
            let (files, metrics) = (self.config.secret_files.clone(), Arc::clone(&self.metrics));
            let status = status(self.receiver_address());
            task.spawn(Reloader::new(source, signals, requests, files, proposals, metrics, status).run());
        }
        task
    }

    /// Lets the sinks and the index take what the journal holds now.
    async fn drain_workers(&mut self) {
        self.endpoints.stop_feed.send_replace(true);
        // The API must close its files before the index does, for the same reason as in `close_journal`.
        self.endpoints.admin.close().await;
        self.workers.drain();
        while let Some(result) = self.workers.tasks.join_next().await {
            self.note("a sink or the index", without_ending(result));
        }
    }

    /// Closes the port, and lets the requests in flight finish.
    async fn drain_requests(&mut self) {
        self.endpoints.stop_receiver.send_replace(true);
        let result = (&mut self.endpoints.receiver).await;
        self.note("the receiver", result);
    }

    /// Lets the admin endpoint finish the answers in flight, for at most `grace`.
    async fn stop_admin(&mut self, grace: Duration) {
        self.endpoints.stop_admin.send_replace(true);
        match timeout(grace, &mut self.endpoints.admin_task).await {
            Ok(result) => self.note("the admin endpoint", result),
            Err(_) => {
                self.endpoints.cut_admin.send_replace(true);
                tracing::warn!("the admin endpoint cut off answers that took too long");
            }
        }
    }

    /// Waits until the journal has no reader and its files are closed.
    async fn close_journal(&mut self) {
        // The readers go first: the last connection to close tidies up the files of SQLite, and a reader cannot.
        while self.workers.tasks.join_next().await.is_some() {}
        self.endpoints.admin.close().await;
        self.journal.close();
        let result = (&mut self.wakeups).await;
        self.note("the journal", result);
        let journal = Arc::clone(&self.journal);
        let result = tokio::task::spawn_blocking(move || journal.join()).await;
        self.note("the journal", result.map(Ok));
    }

    /// If a part failed, logs how, and keeps the first failure.
    fn note(&mut self, part: &str, result: Result<anyhow::Result<()>, JoinError>) {
        if let Err(error) = flatten(result) {
            let error = error.context(format!("{part} failed while it stopped"));
            tracing::error!("{error:#}");
            self.failure.get_or_insert(error);
        }
    }
}

fn without_ending(result: Result<anyhow::Result<Ending>, JoinError>) -> Result<anyhow::Result<()>, JoinError> {
    result.map(|result| result.map(|_| ()))
}

fn flatten(result: Result<anyhow::Result<()>, JoinError>) -> anyhow::Result<()> {
    result?
}

fn ended(part: &str, result: Result<anyhow::Result<()>, JoinError>) -> anyhow::Error {
    match flatten(result) {
        Ok(()) => anyhow!("{part} ended, although the service still runs"),
        Err(error) => error.context(format!("{part} failed, so the service stops")),
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::config::{Config, Overrides, Process};

    /// The other parts stop in spite of the failure.
    #[tokio::test]
    async fn first_failure_while_stopping_is_returned() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().join("data");
        let overrides = Overrides {
            data_dir: Some(data_dir.clone()),
            listen: Some("127.0.0.1:0".to_owned()),
            admin_listen: Some("127.0.0.1:0".to_owned()),
            keys: vec!["a-key-for-the-tests-only".into()],
            ..Overrides::default()
        };
        let mut app = App::start(Config::load(None, &overrides, &Process).unwrap()).await.unwrap();
        let (fails, failed) = oneshot::channel();
        let mut stop = app.endpoints.stop_feed.subscribe();
        app.workers.tasks.spawn(async move {
            stop.wait_for(|stop| *stop).await?;
            drop(fails);
            Err(anyhow!("the first"))
        });
        app.workers.tasks.spawn(async move {
            let _: Result<(), _> = failed.await;
            Err(anyhow!("the second"))
        });
        let error = app.run(std::future::ready(()), std::future::pending()).await.unwrap_err();
        assert_eq!(format!("{error:#}"), "a sink or the index failed while it stopped: the first");
        assert!(data_dir.join("journal.db").exists());
        assert!(!data_dir.join("journal.db-wal").exists(), "the journal is closed");
    }
}
