//! The composition root: opens everything in order, and stops it in reverse.
//!
//! The order of opening: ports, journal, index, sinks, servers. Nothing is accepted before the journal is open, and a port that
//! is taken is found out before anything is written. The order of stopping: the receiver (requests in flight finish), the
//! sinks and the index (they take what is there, or give up at their first failure), the admin endpoint (it tells of the others
//! until then, and answers in flight finish), the journal, which nobody reads any more. Whatever the deadline cuts off is in the
//! journal.

mod limits;
mod opening;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::anyhow;
use tokio::task::JoinError;
use tokio::time::Instant;

use self::limits::subscribers_max;
use self::opening::{Data, Endpoints, Ports, Task, Workers, open_data, spawn_endpoints, spawn_workers};
use crate::config::Config;
use crate::http;
use crate::journal::{Exchange, Opened, SqliteJournal};
use crate::telemetry::Metrics;

/// What is taken off the grace that requests and sinks get, at most and at least, for closing: the answers of the admin
/// endpoint that are in flight get a third of it, and the journal what it needs to settle.
const CLOSING_MAX: Duration = Duration::from_millis(1500);
const CLOSING_MIN: Duration = Duration::from_millis(150);

/// A running livehook.
pub struct App {
    receiver_address: SocketAddr,
    admin_address: SocketAddr,
    grace: Duration,
    journal: Arc<SqliteJournal>,
    exchange: Task,
    workers: Workers,
    endpoints: Endpoints,
    /// What went wrong first while stopping.
    failure: Option<anyhow::Error>,
}

impl App {
    /// Opens everything, and returns when the first event can be taken.
    ///
    /// # Errors
    /// A port is taken, or the journal cannot be opened. Nothing runs then.
    pub async fn start(mut config: Config) -> anyhow::Result<App> {
        let open_files = http::raise_open_files_limit();
        config.admin.subscribers_max = subscribers_max(&config.admin, open_files);
        let grace = Duration::from_secs(config.shutdown_grace_secs);
        let ports = Ports::bind(&config).await?;
        let (receiver_address, admin_address) = (ports.receiver_address, ports.admin_address);

        let metrics = Arc::new(Metrics::new());
        let Data { opened: Opened { journal, consumers, exchange }, index } = open_data(&config, &metrics).await?;
        let exchange = tokio::spawn(run_exchange(exchange));
        let workers = spawn_workers(std::mem::take(&mut config.sinks), consumers, index, &metrics);
        let endpoints = spawn_endpoints(config, ports, open_files, &journal, &workers, metrics)?;
        Ok(App { receiver_address, admin_address, grace, journal, exchange, workers, endpoints, failure: None })
    }

    /// Where callbacks are taken.
    pub fn receiver_address(&self) -> SocketAddr {
        self.receiver_address
    }

    /// Where the admin endpoint is.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// Runs until `stop` resolves, then drains within the grace, or until `cut_short` resolves.
    ///
    /// # Errors
    /// An essential task ended although nobody stopped it, or failed while it was being stopped. The rest is stopped in
    /// order even so; the first failure is told.
    pub async fn run(
        mut self,
        stop: impl Future<Output = ()>,
        cut_short: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let died = tokio::select! {
            () = stop => None,
            result = &mut self.exchange => Some(died("the journal", result)),
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
            () = tokio::time::sleep_until(deadline) => {
                tracing::warn!("the grace is over: what the sinks have not taken is in the journal, for the next start");
                admin_least
            }
            () = cut_short => {
                tracing::warn!("stopping at once: what the sinks have not taken is in the journal");
                admin_least
            }
        };
        self.workers.tasks.abort_all();
        self.endpoints.receiver.abort();
        self.stop_admin(admin_grace).await;
        if tokio::time::timeout(closing - admin_least, self.close_journal()).await.is_err() {
            tracing::warn!("the journal takes too long to close: what it had not committed has not been answered");
        }
        if let Some(error) = self.failure {
            return Err(error);
        }
        tracing::info!("stopped");
        Ok(())
    }

    /// Lets the requests in flight finish, then the sinks.
    async fn drain(&mut self) {
        self.endpoints.stop_receiver.send_replace(true);
        let result = (&mut self.endpoints.receiver).await;
        self.note("the receiver", result);
        // Before the index: the last one to close SQLite tidies up, and a reader cannot.
        self.endpoints.admin.close().await;
        self.workers.stop.send_replace(true);
        while let Some(result) = self.workers.tasks.join_next().await {
            self.note("a sink or the index", result);
        }
    }

    /// Lets the answers of the admin endpoint that are in flight finish within a time.
    async fn stop_admin(&mut self, grace: Duration) {
        self.endpoints.stop_admin.send_replace(true);
        match tokio::time::timeout(grace, &mut self.endpoints.admin_task).await {
            Ok(result) => self.note("the admin endpoint", result),
            Err(_) => {
                self.endpoints.cut_admin.send_replace(true);
                tracing::warn!("answers of the admin endpoint took too long, and were cut off");
            }
        }
    }

    /// Waits until nobody reads the journal any more, then until it is settled and its files are closed: the last one to
    /// close SQLite tidies up, and a reader cannot.
    async fn close_journal(&mut self) {
        while self.workers.tasks.join_next().await.is_some() {}
        self.endpoints.admin.close().await;
        self.journal.close();
        let result = (&mut self.exchange).await;
        self.note("the journal", result);
        let journal = Arc::clone(&self.journal);
        let result = tokio::task::spawn_blocking(move || journal.join()).await;
        self.note("the journal", result.map(Ok));
    }

    /// Logs how a task ended, if badly, and keeps the first such end.
    fn note(&mut self, task: &str, result: Result<anyhow::Result<()>, JoinError>) {
        if let Err(error) = flatten(result) {
            let error = error.context(format!("{task} has ended badly"));
            tracing::error!("{error:#}");
            self.failure.get_or_insert(error);
        }
    }
}

async fn run_exchange(exchange: Exchange) -> anyhow::Result<()> {
    Ok(exchange.run().await?)
}

fn flatten(result: Result<anyhow::Result<()>, JoinError>) -> anyhow::Result<()> {
    result?
}

fn died(task: &str, result: Result<anyhow::Result<()>, JoinError>) -> anyhow::Error {
    match flatten(result) {
        Ok(()) => anyhow!("{task} has ended on its own"),
        Err(error) => error.context(format!("{task} has died")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Overrides, Process};

    #[tokio::test]
    async fn what_fails_while_stopping_is_told_and_the_rest_is_stopped_even_so() {
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
        for (wait_ms, reason) in [(0, "the first"), (100, "the second")] {
            let mut stop = app.workers.stop.subscribe();
            app.workers.tasks.spawn(async move {
                stop.wait_for(|stop| *stop).await?;
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                Err(anyhow!(reason))
            });
        }
        let error = app.run(std::future::ready(()), std::future::pending()).await.unwrap_err();
        assert_eq!(format!("{error:#}"), "a sink or the index has ended badly: the first");
        assert!(data_dir.join("journal.db").exists());
        assert!(!data_dir.join("journal.db-wal").exists(), "the journal is closed");
    }
}
