//! Starts the two endpoints: the receiver in the runtime of the service, and the admin endpoint on a thread of low priority.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use arc_swap::ArcSwap;
use axum::http::HeaderMap;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::ports::Ports;
use super::workers::Workers;
use crate::admin::{self, Admin, ReceiverSummary, Reloads, Sources};
use crate::callback::Verifier;
use crate::clock;
use crate::config::Config;
use crate::http::{self, AccessLog, Endpoint, FindAddress, Hooks, Limits, Port, SharedLimits};
use crate::journal::SqliteJournal;
use crate::receiver::{self, CallbackReceiver};
use crate::telemetry::{Metrics, PresentShare};

/// The niceness of the admin endpoint's thread, on the system's scale from 0 to 19.
const ADMIN_NICENESS: i32 = 5;

/// A part that runs as long as the service.
pub(super) type Task = JoinHandle<anyhow::Result<()>>;

/// The two endpoints, and the signals that stop them.
pub(super) struct Endpoints {
    pub(super) is_draining: Arc<AtomicBool>,
    pub(super) receiver: Task,
    callback_receiver: Arc<CallbackReceiver>,
    pub(super) receiver_limits: SharedLimits,
    pub(super) admin_limits: SharedLimits,
    /// The parts of the receiver's configuration that the pages show.
    receiver_summary: Arc<ArcSwap<ReceiverSummary>>,
    /// The access log of both listeners.
    access_share: PresentShare,
    pub(super) stop_receiver: watch::Sender<bool>,
    pub(super) admin: Arc<Admin>,
    pub(super) admin_task: Task,
    pub(super) stop_admin: watch::Sender<bool>,
    pub(super) cut_admin: watch::Sender<bool>,
    /// Ends the feed, because stopping must not wait for subscribers.
    pub(super) stop_feed: watch::Sender<bool>,
}

/// The parts that both endpoints use.
pub(super) struct Shared<'a> {
    pub(super) journal: &'a Arc<SqliteJournal>,
    pub(super) workers: &'a Workers,
    pub(super) metrics: &'a Arc<Metrics>,
    pub(super) reloads: Reloads,
}

/// Starts both endpoints, with the limits of the receiver and of the admin endpoint.
pub(super) fn spawn_endpoints(
    config: &Config,
    ports: Ports,
    (limits, admin_limits): (Limits, Limits),
    subscribers_max: usize,
    Shared { journal, workers, metrics, reloads }: Shared<'_>,
) -> anyhow::Result<Endpoints> {
    let is_draining = Arc::new(AtomicBool::new(false));
    let (stop_receiver, receiver_stop) = watch::channel(false);
    let (stop_admin, admin_stop) = watch::channel(false);
    let (cut_admin, admin_cut) = watch::channel(false);
    let (stop_feed, feed_stop) = watch::channel(false);
    let verifier = Verifier::new(config.verifier.clone())?;
    let callback_receiver = Arc::new(CallbackReceiver::new(
        &config.receiver,
        verifier.clone(),
        Arc::clone(journal) as _,
        Arc::clone(metrics),
        Arc::clone(&is_draining),
        clock::system_clock,
    ));
    // A fingerprint takes some milliseconds, so each is made once.
    let fingerprints = verifier.fingerprints();
    let receiver_summary = Arc::new(ArcSwap::from_pointee(summary(&config.receiver, fingerprints.clone())));
    callback_receiver.take_over(&config.receiver, verifier, fingerprints, config.log.access.is_some());
    let sources = Sources {
        data_dir: config.data_dir.clone(),
        journal: Arc::clone(journal) as _,
        metrics: Arc::clone(metrics),
        sinks: workers.statuses.clone(),
        index: workers.index.clone(),
        receiver: Arc::clone(&receiver_summary),
        bodies: callback_receiver.bodies(),
        refusals: callback_receiver.recent_refusals(),
        hourly_counts: callback_receiver.hourly_counts(),
        draining: Arc::clone(&is_draining),
        stopping: feed_stop,
        reloads,
        instance: config.name.clone(),
        clock: clock::system_clock,
    };
    let (receiver_limits, admin_limits) = (SharedLimits::from(limits), SharedLimits::from(admin_limits));
    let access_share = PresentShare::new(config.log.access);
    let endpoint = Arc::clone(&callback_receiver);
    let receiver_hooks = hooks(&callback_receiver, metrics, &access_share);
    let receiver =
        tokio::spawn(serve(ports.receiver, endpoint, receiver_hooks, receiver_limits.clone(), receiver_stop));
    let options = admin::Options { subscribers_max, ..config.admin.clone() };
    let admin = Arc::new(Admin::new(&options, sources));
    let admin_hooks = Hooks {
        failed_handshake: Some(failed_handshake(metrics, "admin")),
        access_log: Some(access_log("admin", &access_share, Box::new(|peer, _| peer.to_canonical()))),
        ..Hooks::default()
    };
    let admin_task = spawn_admin(&admin, ports.admin, admin_hooks, admin_limits.clone(), admin_stop, admin_cut)?;
    Ok(Endpoints {
        is_draining,
        receiver,
        callback_receiver,
        receiver_limits,
        admin_limits,
        receiver_summary,
        access_share,
        stop_receiver,
        admin,
        admin_task,
        stop_admin,
        cut_admin,
        stop_feed,
    })
}

impl Endpoints {
    /// Lets the receiver, the pages and both access logs take over another configuration for every later request.
    pub(super) fn take_over(&self, config: &Config, verifier: Verifier, fingerprints: Vec<String>) {
        self.receiver_summary.store(Arc::new(summary(&config.receiver, fingerprints.clone())));
        // The receiver first, so that a request in the access log has the id of its event.
        self.callback_receiver.take_over(&config.receiver, verifier, fingerprints, config.log.access.is_some());
        self.access_share.replace(config.log.access);
    }
}

/// Returns the parts of the receiver's configuration that the pages show.
fn summary(options: &receiver::Options, fingerprints: Vec<String>) -> ReceiverSummary {
    ReceiverSummary { listen: options.listen.to_string(), path: options.path.to_string(), fingerprints }
}

/// Connects the transport of the receiver with the parts that it reports to.
fn hooks(receiver: &Arc<CallbackReceiver>, metrics: &Arc<Metrics>, access_share: &PresentShare) -> Hooks {
    let failed_handshake = failed_handshake(metrics, "receiver");
    let logged = Arc::clone(receiver);
    let client = Box::new(move |peer, headers: &HeaderMap| logged.client_address(peer, headers));
    let (metrics, unreadable, proxied) = (Arc::clone(metrics), Arc::clone(receiver), Arc::clone(receiver));
    Hooks {
        connections: Some(Box::new(move |count| metrics.limits().connections(count))),
        // No route sees a request without a readable head, so the transport reports it.
        unreadable_head: Some(Box::new(move |word| unreadable.count_unreadable(word))),
        failed_handshake: Some(failed_handshake),
        // Always, because a reload may add the first proxy.
        client: Some(Box::new(move |peer, headers| proxied.client_behind_proxy(peer, headers))),
        access_log: Some(access_log("receiver", access_share, client)),
    }
}

fn spawn_admin(
    admin: &Arc<Admin>,
    port: Port,
    hooks: Hooks,
    limits: SharedLimits,
    stop: watch::Receiver<bool>,
    mut cut: watch::Receiver<bool>,
) -> anyhow::Result<Task> {
    let router = Arc::clone(admin).router(port.local_addr()?);
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

fn access_log(listener: &'static str, share: &PresentShare, client: FindAddress) -> AccessLog {
    AccessLog { listener, share: share.clone(), client }
}

/// Counts the handshakes of a listener that fail.
fn failed_handshake(metrics: &Arc<Metrics>, listener: &'static str) -> Box<dyn Fn(&'static str) + Send + Sync> {
    let metrics = Arc::clone(metrics);
    Box::new(move |reason| metrics.tls().failed_handshake(listener, reason))
}

async fn serve(
    port: Port,
    endpoint: impl Endpoint,
    hooks: Hooks,
    limits: SharedLimits,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    http::serve(port, endpoint, hooks, limits, async move {
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
