//! Opens and starts every part of the service, in order: ports, journal, index, sinks, endpoints.
//!
//! The ports come first, so that a port in use is found before anything is written. Callbacks are accepted only when
//! the journal is open.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::certificates::Certificates;
use super::inherited::InheritedSockets;
use super::limits::{admin_limits, receiver_limits, subscribers_max};
use super::ports::Ports;
use super::service_manager::{self, Watchdog};
use super::standby::wait_for_turn;
use super::unready::{admin_router, receiver_router};
use super::volume::warn_of_volume;
use super::waiting::open_when_disk_has_space;
use crate::admin::{Admin, ReceiverSummary, Sources};
use crate::callback::{EventSelection, Verifier};
use crate::clock;
use crate::config::{Config, SinkConfig};
use crate::delivery::{Outlet, Status, Worker};
use crate::http::{self, AccessLog, ErrorBody, FindAddress, FindClient, Hooks, Limits, Port};
use crate::index;
use crate::journal::{Consumer, Opened, SqliteJournal, Start, Wakeups};
use crate::receiver::{self, CallbackReceiver};
use crate::storage::Lock;
use crate::telemetry::{AccessOptions, LimitValues, Metrics, UnreadyReason};

/// The niceness of the admin endpoint's thread, on the system's scale from 0 to 19.
const ADMIN_NICENESS: i32 = 5;

/// The index may have unsaved work on at most this part of the journal's size limit (1/8). Records that the index has
/// not saved cannot be pruned, so the rest of the journal stays free for pruning.
const UNSAVED_SHARE: u64 = 8;

/// A part that runs as long as the service.
pub(super) type Task = JoinHandle<anyhow::Result<()>>;

/// A running service.
pub struct App {
    receiver_address: SocketAddr,
    admin_address: SocketAddr,
    /// How long requests, sinks and closing may take when the service stops.
    pub(super) grace: Duration,
    pub(super) journal: Arc<SqliteJournal>,
    pub(super) wakeups: Task,
    pub(super) workers: Workers,
    pub(super) endpoints: Endpoints,
    _watchdog: Watchdog,
    /// Takes over renewed certificates, until this is dropped.
    _watches: JoinSet<()>,
    /// The first failure while stopping.
    pub(super) failure: Option<anyhow::Error>,
}

impl App {
    /// Opens everything, and returns when the first event can be taken.
    ///
    /// # Errors
    /// A port is in use, or the journal cannot be opened. Nothing runs then.
    pub async fn start(config: Config) -> anyhow::Result<App> {
        App::start_on(config, InheritedSockets::default()).await
    }

    /// Like [`App::start`], on the sockets of the service manager.
    ///
    /// # Errors
    /// The same as of [`App::start`].
    pub async fn start_on(mut config: Config, sockets: InheritedSockets) -> anyhow::Result<App> {
        sockets.describe(&mut config)?;
        let metrics = Arc::new(described_metrics(&config, clock::system_clock()));
        let certificates = Certificates::open(&config, &metrics, clock::system_clock)?;
        let ports = Ports::bind(&config, &sockets, &certificates)?;
        drop(sockets);
        App::open(config, ports, certificates, None, Watchdog::start(), metrics).await
    }

    /// Like [`App::start_on`], but waits as long as another livehook uses the data directory.
    ///
    /// # Errors
    /// The same as of [`App::start`].
    pub async fn start_or_wait(mut config: Config, sockets: InheritedSockets) -> anyhow::Result<App> {
        sockets.describe(&mut config)?;
        let watchdog = Watchdog::start();
        let metrics = Arc::new(described_metrics(&config, clock::system_clock()));
        let certificates = Certificates::open(&config, &metrics, clock::system_clock)?;
        let (lock, ports) = wait_for_turn(&config, &sockets, &certificates, &metrics).await?;
        drop(sockets);
        App::open(config, ports, certificates, lock, watchdog, metrics).await
    }

    /// Opens everything behind the ports. Takes the lock on the data directory, unless it is given.
    async fn open(
        mut config: Config,
        ports: Ports,
        certificates: Certificates,
        lock: Option<Lock>,
        watchdog: Watchdog,
        metrics: Arc<Metrics>,
    ) -> anyhow::Result<App> {
        // First, because the limits of both listeners depend on it.
        let open_files = http::raise_open_files_limit();
        config.admin.subscribers_max = subscribers_max(&config.admin, open_files);
        let grace = Duration::from_secs(config.shutdown_grace_secs);
        let (receiver_address, admin_address) = (ports.receiver_address, ports.admin_address);

        let limits = admin_limits(config.admin.subscribers_max, open_files);
        let (reason, answer) = (UnreadyReason::DiskFull, ErrorBody::DISK_FULL);
        let listeners = [
            (&ports.receiver, limits.clone(), receiver_router(answer.clone())),
            (&ports.admin, limits, admin_router(&config, &metrics, reason, answer, admin_address)),
        ];
        let opening = open_when_disk_has_space(listeners, async || open_data(&config, lock.clone(), &metrics).await);
        let Data { opened: Opened { journal, consumers, wakeups }, index } = opening.await?;
        watchdog.watch(&journal);
        let wakeups = tokio::spawn(run_wakeups(wakeups));
        let workers = spawn_workers(std::mem::take(&mut config.sinks), consumers, index, &metrics);
        let endpoints = spawn_endpoints(config, ports, open_files, &journal, &workers, metrics)?;
        let mut watches = JoinSet::new();
        watches.spawn(Arc::new(certificates).watch());
        service_manager::ready(&format!("receiving callbacks at {receiver_address}"));
        Ok(App {
            receiver_address,
            admin_address,
            grace,
            journal,
            wakeups,
            workers,
            endpoints,
            _watchdog: watchdog,
            _watches: watches,
            failure: None,
        })
    }

    /// The address that takes callbacks.
    pub fn receiver_address(&self) -> SocketAddr {
        self.receiver_address
    }

    /// The address of the admin endpoint.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }
}

/// Makes the metrics, with the start of the process and the parts of the configuration that matter to monitoring.
fn described_metrics(config: &Config, now_ms: i64) -> Metrics {
    let mut metrics = Metrics::new();
    let sinks: Vec<&str> = config.sinks.iter().map(|sink| sink.name.as_str()).collect();
    metrics.describe_config(vec![
        ("receiver_listen", config.receiver.listen.to_string()),
        ("admin_listen", config.admin.listen.to_string()),
        ("callback_keys", config.verifier.keys.len().to_string()),
        ("sinks", sinks.join(",")),
        ("index", config.index.enabled.to_string()),
    ]);
    metrics.watch_volume(config.data_dir.clone());
    metrics.process().started(now_ms);
    metrics
}

async fn run_wakeups(wakeups: Wakeups) -> anyhow::Result<()> {
    Ok(wakeups.run().await?)
}

/// The open files of the data directory.
struct Data {
    opened: Opened,
    index: Option<(index::Worker, Arc<index::Status>)>,
}

/// Opens the journal, with a consumer for each sink in the order of the sinks, and the index.
async fn open_data(config: &Config, lock: Option<Lock>, metrics: &Arc<Metrics>) -> anyhow::Result<Data> {
    let mut names: Vec<_> = config.sinks.iter().map(|sink| (sink.name.to_string(), sink.start)).collect();
    if config.index.enabled {
        // The index derives from all records, so it begins with the first. It is the last consumer, for the `pop` below.
        names.push((index::CONSUMER.to_owned(), Start::Earliest));
    }
    let (data_dir, options, shared) = (config.data_dir.clone(), config.journal.clone(), Arc::clone(metrics));
    // Opening reads and syncs files, which would block the runtime.
    let opening = move || match lock {
        Some(lock) => SqliteJournal::open_locked(lock, &data_dir, &options, &names, shared, clock::system_clock),
        None => SqliteJournal::open(&data_dir, &options, &names, shared, clock::system_clock),
    };
    let mut opened = tokio::task::spawn_blocking(opening).await??;
    warn_of_volume(&config.data_dir, config.journal.size_bytes_max);
    let consumer = if config.index.enabled { opened.consumers.pop() } else { None };
    let index = match consumer {
        Some(consumer) => Some(open_index(config, consumer, Arc::clone(metrics)).await?),
        None => None,
    };
    Ok(Data { opened, index })
}

async fn open_index(
    config: &Config,
    consumer: Box<dyn Consumer>,
    metrics: Arc<Metrics>,
) -> anyhow::Result<(index::Worker, Arc<index::Status>)> {
    let status = Arc::new(index::Status::default());
    let (data_dir, options, shared) = (config.data_dir.clone(), config.index.clone(), Arc::clone(&status));
    let unsaved_bytes_max = config.journal.size_bytes_max / UNSAVED_SHARE;
    let opening = move || {
        index::Worker::open(&data_dir, &options, unsaved_bytes_max, consumer, shared, metrics, clock::system_clock)
    };
    Ok((tokio::task::spawn_blocking(opening).await?, status))
}

/// The consumers of the journal: a worker for each sink, and the index.
pub(super) struct Workers {
    pub(super) tasks: JoinSet<anyhow::Result<()>>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) sinks: Vec<Arc<Status>>,
    pub(super) index: Option<Arc<index::Status>>,
}

/// Starts a worker for each sink, and the index. `consumers` has one consumer for each sink, in the order of the sinks.
fn spawn_workers(
    sinks: Vec<SinkConfig>,
    consumers: Vec<Box<dyn Consumer>>,
    index: Option<(index::Worker, Arc<index::Status>)>,
    metrics: &Arc<Metrics>,
) -> Workers {
    let (stop, stopped) = watch::channel(false);
    let mut workers = Workers { tasks: JoinSet::new(), stop, sinks: Vec::new(), index: None };
    for (sink, consumer) in sinks.into_iter().zip(consumers) {
        let status = Status::new(sink.name.as_str(), sink.sink.type_name());
        let status = Arc::new(status.with_selection(EventSelection::from(sink.filter)));
        workers.sinks.push(Arc::clone(&status));
        let clock = clock::system_clock;
        let outlet = Outlet::new(
            consumer,
            sink.sink.build(sink.name.as_str(), clock),
            sink.retry,
            status,
            Arc::clone(metrics),
            clock,
        );
        let worker = Worker::new(outlet);
        let stopped = stopped.clone();
        workers.tasks.spawn(async move {
            worker.run(stopped).await.with_context(|| format!("the sink `{}` has stopped", sink.name))
        });
    }
    if let Some((worker, status)) = index {
        workers.tasks.spawn(async move { worker.run(stopped).await.context("the index has stopped") });
        workers.index = Some(status);
    }
    workers
}

/// The two endpoints, and the signals that stop them.
pub(super) struct Endpoints {
    pub(super) is_draining: Arc<AtomicBool>,
    pub(super) receiver: Task,
    pub(super) stop_receiver: watch::Sender<bool>,
    pub(super) admin: Arc<Admin>,
    pub(super) admin_task: Task,
    pub(super) stop_admin: watch::Sender<bool>,
    pub(super) cut_admin: watch::Sender<bool>,
    /// Ends the feed, because stopping must not wait for subscribers.
    pub(super) stop_feed: watch::Sender<bool>,
}

/// Starts both endpoints. `open_files` is the limit of open files, if there is one.
fn spawn_endpoints(
    config: Config,
    ports: Ports,
    open_files: Option<u64>,
    journal: &Arc<SqliteJournal>,
    workers: &Workers,
    metrics: Arc<Metrics>,
) -> anyhow::Result<Endpoints> {
    let is_draining = Arc::new(AtomicBool::new(false));
    let (stop_receiver, receiver_stop) = watch::channel(false);
    let (stop_admin, admin_stop) = watch::channel(false);
    let (cut_admin, admin_cut) = watch::channel(false);
    let (stop_feed, feed_stop) = watch::channel(false);
    let verifier = Verifier::new(config.verifier)?;
    // A fingerprint takes some milliseconds, so each is made once.
    let summary = ReceiverSummary {
        listen: config.receiver.listen.to_string(),
        path: config.receiver.path.to_string(),
        fingerprints: verifier.fingerprints(),
    };
    let mut receiver = CallbackReceiver::new(
        &config.receiver,
        verifier,
        Arc::clone(journal) as _,
        Arc::clone(&metrics),
        Arc::clone(&is_draining),
        clock::system_clock,
    )?;
    receiver.count_keys(&summary.fingerprints);
    if config.log.access.is_some() {
        receiver.name_events();
    }
    let sources = Sources {
        data_dir: config.data_dir,
        journal: Arc::clone(journal) as _,
        metrics,
        sinks: workers.sinks.clone(),
        index: workers.index.clone(),
        receiver: summary,
        bodies: receiver.bodies(),
        refusals: receiver.recent_refusals(),
        hourly_counts: receiver.hourly_counts(),
        draining: Arc::clone(&is_draining),
        stopping: feed_stop,
        instance: config.name,
        clock: clock::system_clock,
    };
    let subscribers_max = config.admin.subscribers_max;
    let limits = receiver_limits(&config.receiver, subscribers_max, open_files);
    sources.metrics.limits().set(LimitValues {
        journal_bytes: config.journal.size_bytes_max,
        dedupe_ids: u64::from(config.journal.dedupe_ids_max),
        connections: limits.connections_max,
        bodies_bytes: config.receiver.bodies_bytes_max,
        subscribers: subscribers_max,
    });
    let receiver = Arc::new(receiver);
    let client: FindAddress = Box::new({
        let receiver = Arc::clone(&receiver);
        move |peer, headers| receiver.client_address(peer, headers)
    });
    let router = logged(receiver::router(Arc::clone(&receiver)), "receiver", config.log.access, client);
    let metrics = Arc::clone(&sources.metrics);
    let hooks = Hooks {
        connections: Some(Box::new(move |count| metrics.limits().connections(count))),
        // No route sees a request without a readable head, so the transport reports it.
        unreadable_head: Some(Box::new({
            let receiver = Arc::clone(&receiver);
            move |word| receiver.count_unreadable(word)
        })),
        failed_handshake: Some(failed_handshake(&sources.metrics, "receiver")),
        client: receiver
            .trusts_proxies()
            .then(|| -> FindClient { Box::new(move |peer, headers| receiver.client_behind_proxy(peer, headers)) }),
    };
    let receiver = tokio::spawn(serve(ports.receiver, router, hooks, limits, receiver_stop));
    let hooks = Hooks { failed_handshake: Some(failed_handshake(&sources.metrics, "admin")), ..Hooks::default() };
    let admin = Arc::new(Admin::new(&config.admin, sources));
    let limits = admin_limits(subscribers_max, open_files);
    let admin_task = spawn_admin(&admin, ports.admin, config.log.access, hooks, limits, admin_stop, admin_cut)?;
    Ok(Endpoints { is_draining, receiver, stop_receiver, admin, admin_task, stop_admin, cut_admin, stop_feed })
}

fn spawn_admin(
    admin: &Arc<Admin>,
    port: Port,
    access: Option<AccessOptions>,
    hooks: Hooks,
    limits: Limits,
    stop: watch::Receiver<bool>,
    mut cut: watch::Receiver<bool>,
) -> anyhow::Result<Task> {
    let router = Arc::clone(admin).router(port.local_addr()?);
    let router = logged(router, "admin", access, Box::new(|peer, _| peer.to_canonical()));
    let feed = Arc::clone(admin).run();
    spawn_nice_thread("admin", async move {
        // A socket belongs to the runtime that made it, and the thread has its own runtime.
        let own = port.duplicate()?;
        drop(port);
        let served = async { tokio::join!(serve(own, router, hooks, limits, stop), feed).0 };
        tokio::select! {
            result = served => result,
            _ = cut.wait_for(|cut| *cut) => Ok(()),
        }
    })
}

/// Adds the access log to the routes of a listener, if it's wanted.
fn logged(router: Router, listener: &'static str, access: Option<AccessOptions>, client: FindAddress) -> Router {
    match access {
        Some(AccessOptions { sample }) => http::with_access_log(router, AccessLog { listener, sample, client }),
        None => router,
    }
}

/// Counts the handshakes of a listener that fail.
fn failed_handshake(metrics: &Arc<Metrics>, listener: &'static str) -> Box<dyn Fn(&'static str) + Send + Sync> {
    let metrics = Arc::clone(metrics);
    Box::new(move |reason| metrics.tls().failed_handshake(listener, reason))
}

async fn serve(
    port: Port,
    router: Router,
    hooks: Hooks,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    http::serve(port, router, hooks, limits, async move {
        // If the sender is gone, the server stops as well.
        let _ = stop.wait_for(|stop| *stop).await;
    })
    .await;
    Ok(())
}

/// Runs a future on its own thread, which yields the processor to all others: the queries of users must not delay the
/// callbacks of CSS.
fn spawn_nice_thread(
    name: &str,
    future: impl Future<Output = anyhow::Result<()>> + Send + 'static,
) -> anyhow::Result<Task> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (ends, ended) = oneshot::channel();
    let work = move || {
        // On Linux this concerns only this thread and the threads that it starts. If the system refuses, the thread is
        // as nice as any other.
        let _ = rustix::process::setpriority_process(None, ADMIN_NICENESS);
        let _ = ends.send(runtime.block_on(future));
        // A blocking task that still runs must not delay the end.
        runtime.shutdown_background();
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(work)?;
    Ok(tokio::spawn(async { ended.await.context("the thread has panicked")? }))
}
