//! Opens and starts every part of the service, in order: ports, journal, index, sinks, endpoints.
//!
//! The ports come first, so that a port in use is found before anything is written. Callbacks are accepted only when
//! the journal is open.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use super::allocator::return_unused_memory;
use super::certificates::Certificates;
use super::endpoints::{Endpoints, Shared, Task, spawn_endpoints};
use super::inherited::{InheritedAddresses, InheritedSockets};
use super::limits::{admin_limits, receiver_limits, subscribers_max};
use super::ports::Ports;
use super::reload::ReloadSource;
use super::service_manager::{self, Watchdog};
use super::standby::wait_for_turn;
use super::unready::{admin_router, receiver_router};
use super::volume::warn_of_volume;
use super::waiting::open_when_disk_has_space;
use super::workers::Workers;
use crate::admin::{ReloadRequest, Reloads};
use crate::clock;
use crate::config::Config;
use crate::http::{self, ErrorBody, Limits};
use crate::index;
use crate::journal::{Consumer, Opened, SqliteJournal, Start, Wakeups};
use crate::storage::Lock;
use crate::telemetry::{LimitValues, Metrics, UnreadyReason};

/// The index may have unsaved work on at most this part of the journal's size limit (1/8). Records that the index has
/// not saved cannot be pruned, so the rest of the journal stays free for pruning.
const UNSAVED_SHARE: u64 = 8;

/// A running service.
pub struct App {
    receiver_address: SocketAddr,
    admin_address: SocketAddr,
    /// The configuration in use.
    pub(super) config: Config,
    pub(super) inherited: InheritedAddresses,
    /// The limit of open files; `None` if there is none.
    pub(super) open_files: Option<u64>,
    pub(super) metrics: Arc<Metrics>,
    /// Requests of the API to reload the configuration; `None` after they were handed over.
    pub(super) reload_requests: Option<mpsc::Receiver<ReloadRequest>>,
    /// Where a reload reads the configuration, and the signals to do so.
    pub(super) reload_source: Option<(ReloadSource, mpsc::Receiver<()>)>,
    /// How long requests, sinks and closing may take when the service stops.
    pub(super) grace: Duration,
    /// Undoes a take-over that failed; `None` if none did, or if it is undone.
    pub(super) undoing: Option<JoinHandle<()>>,
    pub(super) journal: Arc<SqliteJournal>,
    pub(super) wakeups: Task,
    pub(super) workers: Workers,
    pub(super) endpoints: Endpoints,
    pub(super) certificates: Arc<Certificates>,
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
        let inherited = sockets.addresses()?;
        inherited.describe(&mut config);
        let metrics = Arc::new(described_metrics(&config, clock::system_clock()));
        let certificates = Certificates::open(&config, &metrics, clock::system_clock)?;
        let ports = Ports::bind(&config, &sockets, &certificates)?;
        drop(sockets);
        App::open(config, inherited, ports, certificates, None, Watchdog::start(), metrics).await
    }

    /// Like [`App::start_on`], but waits as long as another livehook uses the data directory.
    ///
    /// # Errors
    /// The same as of [`App::start`].
    pub async fn start_or_wait(mut config: Config, sockets: InheritedSockets) -> anyhow::Result<App> {
        let inherited = sockets.addresses()?;
        inherited.describe(&mut config);
        let watchdog = Watchdog::start();
        let metrics = Arc::new(described_metrics(&config, clock::system_clock()));
        let certificates = Certificates::open(&config, &metrics, clock::system_clock)?;
        let (lock, ports) = wait_for_turn(&config, &sockets, &certificates, &metrics).await?;
        drop(sockets);
        App::open(config, inherited, ports, certificates, lock, watchdog, metrics).await
    }

    /// Opens everything behind the ports. Takes the lock on the data directory, unless it is given.
    async fn open(
        config: Config,
        inherited: InheritedAddresses,
        ports: Ports,
        certificates: Certificates,
        lock: Option<Lock>,
        watchdog: Watchdog,
        metrics: Arc<Metrics>,
    ) -> anyhow::Result<App> {
        return_unused_memory();
        // First, because the limits of both listeners depend on it.
        let open_files = http::raise_open_files_limit();
        let subscribers_max = subscribers_max(&config.admin, open_files);
        let grace = Duration::from_secs(config.shutdown_grace_secs);
        let (receiver_address, admin_address) = (ports.receiver_address, ports.admin_address);

        let limits = admin_limits(subscribers_max, open_files);
        let (reason, answer) = (UnreadyReason::DiskFull, ErrorBody::DISK_FULL);
        let listeners = [
            (&ports.receiver, limits.clone(), receiver_router(answer.clone())),
            (&ports.admin, limits, admin_router(&config, &metrics, reason, answer, admin_address)),
        ];
        let opening = open_when_disk_has_space(listeners, async || open_data(&config, lock.clone(), &metrics).await);
        let Data { opened: Opened { journal, consumers, wakeups }, index } = opening.await?;
        watchdog.watch(&journal);
        let wakeups = tokio::spawn(run_wakeups(wakeups));
        let workers = Workers::start(config.sinks.clone(), consumers, index, &journal, &metrics);
        let (reloads, reload_requests) = Reloads::new();
        let limits = receiver_limits(&config.receiver, subscribers_max, open_files);
        metrics.limits().set(limit_values(&config, &limits, subscribers_max));
        let shared = Shared { journal: &journal, workers: &workers, metrics: &metrics, reloads };
        let admin_limits = admin_limits(subscribers_max, open_files);
        let endpoints = spawn_endpoints(&config, ports, (limits, admin_limits), subscribers_max, shared)?;
        let (certificates, mut watches) = (Arc::new(certificates), JoinSet::new());
        watches.spawn(Arc::clone(&certificates).watch());
        service_manager::ready(&status(receiver_address));
        Ok(App {
            receiver_address,
            admin_address,
            config,
            inherited,
            open_files,
            metrics,
            reload_requests: Some(reload_requests),
            reload_source: None,
            grace,
            journal,
            wakeups,
            workers,
            endpoints,
            certificates,
            _watchdog: watchdog,
            _watches: watches,
            failure: None,
            undoing: None,
        })
    }

    /// Lets the service reload its configuration: when `signals` has a message, when the API gets a request, and when a secret
    /// changes.
    pub fn reload_from(&mut self, source: ReloadSource, signals: mpsc::Receiver<()>) {
        self.reload_source = Some((source, signals));
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

/// The status of a running service, for the service manager.
pub(super) fn status(receiver_address: SocketAddr) -> String {
    format!("receiving callbacks at {receiver_address}")
}

/// The parts of the configuration that matter to monitoring, as labels.
pub(super) fn config_labels(config: &Config) -> Vec<(&'static str, String)> {
    let sinks: Vec<&str> = config.sinks.iter().map(|sink| sink.name.as_str()).collect();
    vec![
        ("receiver_listen", config.receiver.listen.to_string()),
        ("admin_listen", config.admin.listen.to_string()),
        ("callback_keys", config.verifier.keys.len().to_string()),
        ("sinks", sinks.join(",")),
        ("index", config.index.enabled.to_string()),
    ]
}

/// The limits of the service, for the metrics.
pub(super) fn limit_values(config: &Config, receiver_limits: &Limits, subscribers_max: usize) -> LimitValues {
    LimitValues {
        journal_bytes: config.journal.size_bytes_max,
        dedupe_ids: u64::from(config.journal.dedupe_ids_max),
        connections: receiver_limits.connections_max,
        bodies_bytes: config.receiver.bodies_bytes_max,
        subscribers: subscribers_max,
    }
}

/// How many bytes of events the index may hold unsaved.
pub(super) fn unsaved_bytes_max(config: &Config) -> u64 {
    config.journal.size_bytes_max / UNSAVED_SHARE
}

/// Makes the metrics, with the start of the process and the configuration.
fn described_metrics(config: &Config, now_ms: i64) -> Metrics {
    let mut metrics = Metrics::new();
    metrics.config().describe(config_labels(config));
    metrics.config().loaded(now_ms);
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
    let unsaved_bytes_max = unsaved_bytes_max(config);
    let opening = move || {
        index::Worker::open(&data_dir, &options, unsaved_bytes_max, consumer, shared, metrics, clock::system_clock)
    };
    Ok((tokio::task::spawn_blocking(opening).await?, status))
}
