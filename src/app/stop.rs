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

/// The part of the grace that is kept back from requests and sinks, at most and at least. The last answers of the admin
/// endpoint get a third of it, and the journal the rest.
const CLOSING_MAX: Duration = Duration::from_millis(1500);
const CLOSING_MIN: Duration = Duration::from_millis(150);

impl App {
    /// Runs until `stop` resolves. Then drains until the grace is over, or until `cut_short` resolves.
    ///
    /// # Errors
    /// A part ended before `stop`, or failed while it was being stopped. In the second case the other parts are still
    /// stopped in order, and the first failure is returned.
    pub async fn run(
        mut self,
        stop: impl Future<Output = ()>,
        cut_short: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let died = tokio::select! {
            () = stop => None,
            result = &mut self.wakeups => Some(died("the journal", result)),
            result = &mut self.endpoints.receiver => Some(died("the receiver", result)),
            result = &mut self.endpoints.admin_task => Some(died("the admin endpoint", result)),
            Some(result) = self.workers.tasks.join_next() => Some(died("a sink or the index", result)),
        };
        if let Some(error) = died {
            return Err(error);
        }

        tracing::info!(grace_secs = self.grace.as_secs(), "stopping: requests in flight and sinks finish");
        self.endpoints.is_draining.store(true, Ordering::SeqCst);
        let closing = (self.grace / 2).clamp(CLOSING_MIN, CLOSING_MAX);
        let admin_least = closing / 3;
        let deadline = Instant::now() + self.grace.saturating_sub(closing);
        let admin_grace = tokio::select! {
            () = self.drain() => deadline.saturating_duration_since(Instant::now()) + admin_least,
            () = sleep_until(deadline) => {
                tracing::warn!("the grace is over: events that the sinks have not taken stay in the journal for the next start");
                admin_least
            }
            () = cut_short => {
                tracing::warn!("stopping at once: events that the sinks have not taken stay in the journal");
                admin_least
            }
        };
        self.workers.tasks.abort_all();
        self.endpoints.receiver.abort();
        self.stop_admin(admin_grace).await;
        if timeout(closing - admin_least, self.close_journal()).await.is_err() {
            tracing::warn!(
                "the journal takes too long to close: the callbacks that it has not committed got no answer"
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
        // The API must close its files before the index does: the last one to close SQLite tidies up, and a reader
        // cannot.
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
                tracing::warn!("answers of the admin endpoint took too long and were cut off");
            }
        }
    }

    /// Waits until the journal has no reader, then until it is settled and its files are closed. The order matters: the
    /// last one to close SQLite tidies up, and a reader cannot.
    async fn close_journal(&mut self) {
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
            let error = error.context(format!("{part} failed while it was being stopped"));
            tracing::error!("{error:#}");
            self.failure.get_or_insert(error);
        }
    }
}

fn flatten(result: Result<anyhow::Result<()>, JoinError>) -> anyhow::Result<()> {
    result?
}

fn died(part: &str, result: Result<anyhow::Result<()>, JoinError>) -> anyhow::Error {
    match flatten(result) {
        Ok(()) => anyhow!("{part} has ended on its own"),
        Err(error) => error.context(format!("{part} has died")),
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::config::{Config, Overrides, Process};

    /// The other parts are stopped even so.
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
        assert_eq!(format!("{error:#}"), "a sink or the index failed while it was being stopped: the first");
        assert!(data_dir.join("journal.db").exists());
        assert!(!data_dir.join("journal.db-wal").exists(), "the journal is closed");
    }
}
