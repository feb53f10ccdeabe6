//! How the parts are opened and started, one group after the other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::limits::{admin_limits, receiver_limits};
use crate::admin::{Admin, Sources};
use crate::callback::Verifier;
use crate::clock;
use crate::config::{Config, SinkConfig};
use crate::delivery::{Status, Worker};
use crate::http::{self, Endpoint, Limits};
use crate::index;
use crate::journal::{Consumer, Opened, SqliteJournal, Start};
use crate::receiver::Receiver;
use crate::telemetry::Metrics;

/// How nice the admin endpoint's thread is to others, on the system's scale from 0 to 19.
const APART_NICENESS: i32 = 5;

/// Which part of the journal's size limit may wait for the index to be made durable: what is left is for what nobody waits
/// for, and can be pruned.
const UNSAVED_SHARE: u64 = 8;

/// A part that runs for the life of the service.
pub(super) type Task = JoinHandle<anyhow::Result<()>>;

/// The ports, which are ours before anything is written.
pub(super) struct Ports {
    receiver: TcpListener,
    admin: TcpListener,
    pub(super) receiver_address: SocketAddr,
    pub(super) admin_address: SocketAddr,
}

impl Ports {
    /// Listens on the addresses that are configured.
    pub(super) async fn bind(config: &Config) -> anyhow::Result<Ports> {
        let receiver = bind(config.receiver.listen, "receiver.listen").await?;
        let admin = bind(config.admin.listen, "admin.listen").await?;
        let (receiver_address, admin_address) = (receiver.local_addr()?, admin.local_addr()?);
        Ok(Ports { receiver, admin, receiver_address, admin_address })
    }
}

async fn bind(address: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("{key} = \"{address}\": this address cannot be listened on; is another program there?")
    })
}

/// What is in the data directory, opened.
pub(super) struct Data {
    pub(super) opened: Opened,
    pub(super) index: Option<(index::Worker, Arc<index::Status>)>,
}

/// Opens the journal, with a consumer for each sink in their order, and the index.
pub(super) async fn open_data(config: &Config, metrics: &Arc<Metrics>) -> anyhow::Result<Data> {
    let mut names: Vec<_> = config.sinks.iter().map(|sink| (sink.name.to_string(), sink.start)).collect();
    if config.index.enabled {
        names.push((index::CONSUMER.to_owned(), Start::Earliest));
    }
    let (data_dir, options, shared) = (config.data_dir.clone(), config.journal.clone(), Arc::clone(metrics));
    let opening = move || SqliteJournal::open(&data_dir, &options, &names, shared);
    let mut opened = tokio::task::spawn_blocking(opening).await??;
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
    let opening = move || index::Worker::open(&data_dir, &options, unsaved_bytes_max, consumer, shared, metrics);
    Ok((tokio::task::spawn_blocking(opening).await?, status))
}

/// Those that follow the journal: a worker for each sink, and the index.
pub(super) struct Workers {
    pub(super) tasks: JoinSet<anyhow::Result<()>>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) sinks: Vec<Arc<Status>>,
    pub(super) index: Option<Arc<index::Status>>,
}

/// Starts a worker for each sink, with the consumer of the same place, and the index.
pub(super) fn spawn_workers(
    sinks: Vec<SinkConfig>,
    consumers: Vec<Box<dyn Consumer>>,
    index: Option<(index::Worker, Arc<index::Status>)>,
    metrics: &Arc<Metrics>,
) -> Workers {
    let (stop, stopped) = watch::channel(false);
    let mut workers = Workers { tasks: JoinSet::new(), stop, sinks: Vec::new(), index: None };
    for (sink, consumer) in sinks.into_iter().zip(consumers) {
        let status = Status::new(sink.name.as_str(), sink.sink.type_name()).with_filter(sink.filter.clone());
        let status = Arc::new(status);
        workers.sinks.push(Arc::clone(&status));
        let worker = Worker::new(consumer, sink.sink.build(), sink.filter, sink.retry, status, Arc::clone(metrics));
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

/// The two endpoints, and what stops them.
pub(super) struct Endpoints {
    pub(super) is_draining: Arc<AtomicBool>,
    pub(super) receiver: Task,
    pub(super) stop_receiver: watch::Sender<bool>,
    pub(super) admin: Arc<Admin>,
    pub(super) admin_task: Task,
    pub(super) stop_admin: watch::Sender<bool>,
    pub(super) cut_admin: watch::Sender<bool>,
}

/// Starts both endpoints. `open_files` is how many files the process may have open, if there is a limit.
pub(super) fn spawn_endpoints(
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
    let receiver = Receiver::new(
        &config.receiver,
        Verifier::new(config.verifier)?,
        Arc::clone(journal) as _,
        Arc::clone(&metrics),
        Arc::clone(&is_draining),
        clock::system_clock,
    )?;
    let sources = Sources {
        data_dir: config.data_dir,
        journal: Arc::clone(journal) as _,
        metrics,
        sinks: workers.sinks.clone(),
        index: workers.index.clone(),
        refusals: receiver.refusals(),
        hourly_counts: receiver.tally(),
        draining: Arc::clone(&is_draining),
        // The feed ends with the receiver: after that nothing comes, and nobody is to wait for its subscribers.
        stopping: receiver_stop.clone(),
        clock: clock::system_clock,
    };
    let subscribers_max = config.admin.subscribers_max;
    let limits = receiver_limits(&config.receiver, subscribers_max, open_files);
    let receiver = tokio::spawn(serve(ports.receiver, receiver, limits, receiver_stop));
    let admin = Arc::new(Admin::new(&config.admin, sources));
    let limits = admin_limits(subscribers_max, open_files);
    let admin_task = spawn_admin(&admin, ports.admin, limits, admin_stop, admin_cut)?;
    Ok(Endpoints { is_draining, receiver, stop_receiver, admin, admin_task, stop_admin, cut_admin })
}

fn spawn_admin(
    admin: &Arc<Admin>,
    listener: TcpListener,
    limits: Limits,
    stop: watch::Receiver<bool>,
    mut cut: watch::Receiver<bool>,
) -> anyhow::Result<Task> {
    let router = Arc::clone(admin).router(listener.local_addr()?);
    let (listener, feed) = (listener.into_std()?, Arc::clone(admin).run_feed());
    spawn_apart("admin", async move {
        let listener = TcpListener::from_std(listener)?;
        let served = async { tokio::join!(serve(listener, router, limits, stop), feed).0 };
        tokio::select! {
            result = served => result,
            _ = cut.wait_for(|cut| *cut) => Ok(()),
        }
    })
}

async fn serve(
    listener: TcpListener,
    endpoint: impl Endpoint,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    http::serve(listener, endpoint, limits, async move {
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
