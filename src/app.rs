//! The composition root: opens everything in order, and stops it in reverse.
//!
//! The order of opening: ports, journal, index, sinks, servers. Nothing is accepted before the journal is open, and a port that
//! is taken is found out before anything is written. The order of stopping: the receiver (requests in flight finish), the
//! sinks and the index (they take what is there, or give up at their first failure), the admin endpoint (it tells of the others
//! until then, and answers in flight finish), the journal, which nobody reads any more. Whatever the deadline cuts off is in the
//! journal.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::callback::Verifier;
use crate::config::Config;
use crate::delivery::{Status, Worker};
use crate::index;
use crate::journal::{Consumer, Exchange, Opened, SqliteJournal, Start};
use crate::server::{self, Admin, Endpoint, Limits, Receiver, Sources};
use crate::telemetry::Metrics;

/// What the journal needs at most to settle, taken off the grace that requests and sinks get.
const JOURNAL_GRACE: Duration = Duration::from_secs(1);

/// What the answers of the admin endpoint that are in flight get in any case, taken off that grace too.
const ADMIN_GRACE: Duration = Duration::from_millis(500);

/// How nice the admin endpoint's thread is to others, on the system's scale from 0 to 19.
const APART_NICENESS: i32 = 5;

/// A running livehook.
pub struct App {
    receiver_address: SocketAddr,
    admin_address: SocketAddr,
    grace: Duration,
    is_draining: Arc<AtomicBool>,
    journal: Arc<SqliteJournal>,
    exchange: Task,
    workers: JoinSet<anyhow::Result<()>>,
    stop_workers: watch::Sender<bool>,
    receiver: Task,
    stop_receiver: watch::Sender<bool>,
    admin: Arc<Admin>,
    admin_task: Task,
    stop_admin: watch::Sender<bool>,
    cut_admin: watch::Sender<bool>,
    /// What went wrong first while stopping.
    failure: Option<anyhow::Error>,
}

type Task = JoinHandle<anyhow::Result<()>>;

impl App {
    /// Opens everything, and returns when the first event can be taken.
    ///
    /// # Errors
    /// A port is taken, or the journal cannot be opened. Nothing runs then.
    pub async fn start(mut config: Config) -> anyhow::Result<App> {
        let open_files = server::raise_open_files_limit();
        config.admin.subscribers_max = Limits::subscribers_max(&config.admin, open_files);
        let receiver_listener = bind(config.receiver.listen, "receiver.listen").await?;
        let admin_listener = bind(config.admin.listen, "admin.listen").await?;
        let receiver_address = receiver_listener.local_addr()?;
        let admin_address = admin_listener.local_addr()?;

        let metrics = Arc::new(Metrics::new());
        let data_dir = config.data_dir;
        let mut names: Vec<_> = config.sinks.iter().map(|sink| (sink.name.to_string(), sink.start)).collect();
        if config.index.enabled {
            names.push((index::CONSUMER.to_owned(), Start::Earliest));
        }
        let opening = {
            let (data_dir, options, metrics) = (data_dir.clone(), config.journal, Arc::clone(&metrics));
            move || SqliteJournal::open(&data_dir, &options, &names, metrics)
        };
        let Opened { journal, mut consumers, exchange } = tokio::task::spawn_blocking(opening).await??;
        let index_consumer = if config.index.enabled { consumers.pop() } else { None };
        let index = match index_consumer {
            Some(consumer) => Some(open_index(data_dir.clone(), config.index, consumer, Arc::clone(&metrics)).await?),
            None => None,
        };
        let exchange = tokio::spawn(run_exchange(exchange));

        let (stop_workers, workers_stop) = watch::channel(false);
        let mut workers = JoinSet::new();
        let mut statuses = Vec::new();
        for (sink, consumer) in config.sinks.into_iter().zip(consumers) {
            let status = Status::new(sink.name.as_str(), sink.sink.type_name()).with_filter(sink.filter.clone());
            let status = Arc::new(status);
            statuses.push(Arc::clone(&status));
            let worker =
                Worker::new(consumer, sink.sink.build(), sink.filter, sink.retry, status, Arc::clone(&metrics));
            let stop = workers_stop.clone();
            workers.spawn(async move {
                worker.run(stop).await.with_context(|| format!("the sink `{}` has stopped", sink.name))
            });
        }

        let index_status = index.map(|(worker, status)| {
            workers.spawn(async move { worker.run(workers_stop).await.context("the index has stopped") });
            status
        });

        let is_draining = Arc::new(AtomicBool::new(false));
        let (stop_receiver, receiver_stop) = watch::channel(false);
        let (stop_admin, admin_stop) = watch::channel(false);
        let (cut_admin, mut admin_cut) = watch::channel(false);
        let receiver = Receiver::new(
            &config.receiver,
            Verifier::new(config.verifier)?,
            Arc::clone(&journal) as _,
            Arc::clone(&metrics),
            Arc::clone(&is_draining),
            server::system_clock,
        )?;
        let sources = Sources {
            data_dir,
            journal: Arc::clone(&journal) as _,
            metrics,
            sinks: statuses,
            index: index_status,
            refusals: receiver.refusals(),
            tally: receiver.tally(),
            draining: Arc::clone(&is_draining),
            // The feed ends with the receiver: after that nothing comes, and nobody is to wait for its subscribers.
            stopping: receiver_stop.clone(),
        };
        let subscribers_max = config.admin.subscribers_max;
        let admin = Arc::new(Admin::new(&config.admin, sources, server::system_clock));
        let limits = Limits::of_receiver(&config.receiver, subscribers_max, open_files);
        let receiver = tokio::spawn(serve(receiver_listener, receiver, limits, receiver_stop));
        let limits = Limits::of_admin(subscribers_max, open_files);
        let admin_listener = admin_listener.into_std()?;
        let (router, feed) = (Arc::clone(&admin).router(admin_address), Arc::clone(&admin).run_feed());
        let admin_task = spawn_apart("admin", async move {
            let listener = TcpListener::from_std(admin_listener)?;
            let served = async { tokio::join!(serve(listener, router, limits, admin_stop), feed).0 };
            tokio::select! {
                result = served => result,
                _ = admin_cut.wait_for(|cut| *cut) => Ok(()),
            }
        })?;
        Ok(App {
            receiver_address,
            admin_address,
            grace: Duration::from_secs(config.shutdown_grace_secs),
            is_draining,
            journal,
            exchange,
            workers,
            stop_workers,
            receiver,
            stop_receiver,
            admin,
            admin_task,
            stop_admin,
            cut_admin,
            failure: None,
        })
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
            result = &mut self.receiver => Some(died("the receiver", result)),
            result = &mut self.admin_task => Some(died("the admin endpoint", result)),
            Some(result) = self.workers.join_next() => Some(died("a sink or the index", result)),
        };
        if let Some(error) = died {
            return Err(error);
        }

        tracing::info!(grace_secs = self.grace.as_secs(), "stopping: requests in flight and sinks finish");
        self.is_draining.store(true, Ordering::SeqCst);
        let deadline = Instant::now() + self.grace.saturating_sub(JOURNAL_GRACE + ADMIN_GRACE);
        let admin_grace = tokio::select! {
            () = self.drain() => deadline.saturating_duration_since(Instant::now()) + ADMIN_GRACE,
            () = tokio::time::sleep_until(deadline) => {
                tracing::warn!("the grace is over: what the sinks have not taken is in the journal, for the next start");
                ADMIN_GRACE
            }
            () = cut_short => {
                tracing::warn!("stopping at once: what the sinks have not taken is in the journal");
                ADMIN_GRACE
            }
        };
        self.workers.abort_all();
        self.receiver.abort();
        self.stop_admin(admin_grace).await;
        if tokio::time::timeout(JOURNAL_GRACE, self.close_journal()).await.is_err() {
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
        self.stop_receiver.send_replace(true);
        let result = (&mut self.receiver).await;
        self.note("the receiver", result);
        // Before the index: the last one to close SQLite tidies up, and a reader cannot.
        self.admin.close().await;
        self.stop_workers.send_replace(true);
        while let Some(result) = self.workers.join_next().await {
            self.note("a sink or the index", result);
        }
    }

    /// Lets the answers of the admin endpoint that are in flight finish within a time.
    async fn stop_admin(&mut self, grace: Duration) {
        self.stop_admin.send_replace(true);
        match tokio::time::timeout(grace, &mut self.admin_task).await {
            Ok(result) => self.note("the admin endpoint", result),
            Err(_) => {
                self.cut_admin.send_replace(true);
                tracing::warn!("answers of the admin endpoint took too long, and were cut off");
            }
        }
    }

    /// Waits until nobody reads the journal any more, then until it is settled and its files are closed: the last one to
    /// close SQLite tidies up, and a reader cannot.
    async fn close_journal(&mut self) {
        while self.workers.join_next().await.is_some() {}
        self.admin.close().await;
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

async fn open_index(
    data_dir: PathBuf,
    options: index::Options,
    consumer: Box<dyn Consumer>,
    metrics: Arc<Metrics>,
) -> anyhow::Result<(index::Worker, Arc<index::Status>)> {
    let status = Arc::new(index::Status::default());
    let shared = Arc::clone(&status);
    let opening = move || index::Worker::open(&data_dir, &options, consumer, shared, metrics);
    Ok((tokio::task::spawn_blocking(opening).await?, status))
}

async fn bind(address: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("{key} = \"{address}\": this address cannot be listened on; is another program there?")
    })
}

async fn serve(
    listener: TcpListener,
    endpoint: impl Endpoint,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    server::serve(listener, endpoint, limits, async move {
        // A sender that is gone stops the server as well.
        let _ = stop.wait_for(|stop| *stop).await;
    })
    .await;
    Ok(())
}

/// Runs a future on a thread of its own that yields the processor to all others: what it does for those that ask must not
/// delay what is done for CSS.
fn spawn_apart(name: &str, future: impl Future<Output = anyhow::Result<()>> + Send + 'static) -> anyhow::Result<Task> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (ends, ended) = oneshot::channel();
    let work = move || {
        // On Linux this is for the calling thread and those that it starts. Where it is refused, it is as any other.
        let _ = rustix::process::setpriority_process(None, APART_NICENESS);
        let _ = ends.send(runtime.block_on(future));
        // What blocks still must not hold up the end.
        runtime.shutdown_background();
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(work)?;
    Ok(tokio::spawn(async { ended.await.context("the thread has panicked")? }))
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
            let mut stop = app.stop_workers.subscribe();
            app.workers.spawn(async move {
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
