//! Runs the service until it must stop, and stops it in order.
//!
//! 1. The receiver: requests in flight finish.
//! 2. The sinks and the index: they take the rest of the journal, or give up at their first failure.
//! 3. The admin endpoint: until then it shows the state of the others. Answers in flight finish.
//! 4. The journal, once it has no reader.
//!
//! An event that a deadline cuts off from a sink stays in the journal.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::anyhow;
use tokio::task::JoinError;
use tokio::time::{Instant, sleep_until, timeout};

use super::start::App;

/// Half of the grace is reserved for closing, within these bounds; requests and sinks get the rest. The last answers of the
/// admin endpoint get a third of the reserve, and the journal two thirds.
const CLOSING_MAX: Duration = Duration::from_millis(1500);
const CLOSING_MIN: Duration = Duration::from_millis(150);

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
        let early_end = tokio::select! {
            () = stop => None,
            result = &mut self.wakeups => Some(ended("the journal", result)),
            result = &mut self.endpoints.receiver => Some(ended("the receiver", result)),
            result = &mut self.endpoints.admin_task => Some(ended("the admin endpoint", result)),
            Some(result) = self.workers.tasks.join_next() => Some(ended("a sink or the index", result)),
        };
        if let Some(error) = early_end {
            return Err(error);
        }

        tracing::info!(grace_secs = self.grace.as_secs(), "stopping: requests in flight and sinks finish");
        // First of all, so that load balancers send no further callbacks here.
        self.endpoints.is_draining.store(true, Ordering::SeqCst);
        let closing = (self.grace / 2).clamp(CLOSING_MIN, CLOSING_MAX);
        let admin_least = closing / 3;
        let deadline = Instant::now() + self.grace.saturating_sub(closing);
        let admin_grace = tokio::select! {
            () = self.drain() => deadline.saturating_duration_since(Instant::now()) + admin_least,
            // Dropping the drain here leaves the tasks running. They are aborted below.
            () = sleep_until(deadline) => {
                tracing::warn!("`shutdown_grace_secs` is over: the journal keeps the undelivered events for the next start");
                admin_least
            }
            () = cut_short => {
                tracing::warn!("stopping at once: the journal keeps the undelivered events for the next start");
                admin_least
            }
        };
        // After a complete drain these have ended already, and aborting does nothing.
        self.workers.tasks.abort_all();
        self.endpoints.receiver.abort();
        self.stop_admin(admin_grace).await;
        if timeout(closing - admin_least, self.close_journal()).await.is_err() {
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

    /// Lets the requests in flight finish, then the sinks and the index.
    async fn drain(&mut self) {
        self.endpoints.stop_receiver.send_replace(true);
        let result = (&mut self.endpoints.receiver).await;
        self.note("the receiver", result);
        // The API must close its files before the index does, for the same reason as in `close_journal`.
        self.endpoints.admin.close().await;
        self.workers.stop.send_replace(true);
        while let Some(result) = self.workers.tasks.join_next().await {
            self.note("a sink or the index", result);
        }
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
        let mut stop = app.workers.stop.subscribe();
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
