//! A listener: accepts connections up to a cap, makes room at the cap, and stops without cutting a request.
//!
//! It knows nothing of what is served. The socket, the endpoint and the signal to stop are arguments.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::Response;
use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::sleep;
use tower::Service;

use super::answer::Answer;
use super::connection::{Shared, run};
use super::log_limit::LogLimit;
use super::phase::{Connection, Phase};
use super::{AdminOptions, ReceiverOptions, limit_secs};

/// How long accepting rests after an error that would only come again at once, such as having no open file left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often the search for a connection that can make room is repeated, while all are at work.
const ROOM_PAUSE: Duration = Duration::from_millis(20);

/// The most connections of the admin listener.
const ADMIN_CONNECTIONS_MAX: usize = 128;

/// How many open files are not for connections of the receiver nor for subscribers of the feed, where there are more than
/// twice as many: those of the admin listener, the journal, the index and the sinks.
const RESERVED_FILES: u64 = ADMIN_CONNECTIONS_MAX as u64 + 96;

/// What clients of a listener may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most connections at once; at least one.
    pub connections_max: usize,
    /// The largest head of a request, in bytes.
    pub headers_bytes_max: usize,
    /// How long the head of a request may take, from its first byte.
    pub headers_timeout: Duration,
    /// How long a connection may be silent, between requests or before the first.
    pub idle_timeout: Duration,
    /// How long a client may take to read an answer, or as much as there is of it.
    pub write_timeout: Duration,
}

impl Limits {
    /// The limits of the receiver's listener. `open_files` is how many files the process may have open, if there is a
    /// limit: connections are files, and leave some to the journal, the sinks and the admin endpoint with its
    /// `subscribers_max`, see [`Limits::subscribers_max`]. A cap that is lowered by that is logged.
    pub fn of_receiver(options: &ReceiverOptions, subscribers_max: usize, open_files: Option<u64>) -> Limits {
        let reserved = RESERVED_FILES.saturating_add(subscribers_max as u64);
        let fit = at_most(open_files.map(|limit| limit - (limit / 2).min(reserved)));
        if fit < options.connections_max {
            tracing::warn!(
                "receiver.connections_max = {}: the limit of open files, which is {}, leaves room for {fit} only; \
                 raise that (`ulimit -n`, `LimitNOFILE=`, `--ulimit nofile=`), or lower the key",
                options.connections_max,
                open_files.unwrap_or(u64::MAX),
            );
        }
        Limits {
            connections_max: options.connections_max.min(fit),
            headers_bytes_max: options.headers_bytes_max,
            headers_timeout: limit_secs(options.headers_timeout_secs),
            idle_timeout: limit_secs(options.idle_timeout_secs),
            write_timeout: Duration::from_secs(10),
        }
    }

    /// How many subscribers the feed may have: as many as configured, as far as they fit into the limit of open files,
    /// which is as for the receiver. A cap that is lowered by that is logged. Where files are so few that there is none
    /// to spare, subscribers may take half of the other connections of the admin listener.
    pub fn subscribers_max(options: &AdminOptions, open_files: Option<u64>) -> usize {
        let fit = at_most(open_files.map(|limit| spare(limit).max(limit / 16)));
        if fit < options.subscribers_max {
            tracing::warn!(
                "admin.subscribers_max = {}: the limit of open files, which is {}, leaves room for {fit} only; \
                 raise that (`ulimit -n`, `LimitNOFILE=`, `--ulimit nofile=`), or lower the key",
                options.subscribers_max,
                open_files.unwrap_or(u64::MAX),
            );
        }
        options.subscribers_max.min(fit)
    }

    /// The limits of the admin listener: few clients, known ones, and beside them the subscribers of the feed.
    /// `open_files` is as for the receiver, `subscribers_max` from [`Limits::subscribers_max`].
    pub fn of_admin(subscribers_max: usize, open_files: Option<u64>) -> Limits {
        let others = at_most(open_files.map(|limit| limit / 8)).min(ADMIN_CONNECTIONS_MAX);
        let spare = open_files.map_or(usize::MAX, |limit| usize::try_from(spare(limit)).unwrap_or(usize::MAX));
        Limits {
            connections_max: others + subscribers_max.min(spare),
            headers_bytes_max: 16 * 1024,
            headers_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
        }
    }

    /// How long a connection may be in a phase; `None` where the handler sees to it.
    pub(super) fn timeout(&self, phase: Phase) -> Option<Duration> {
        match phase {
            Phase::Idle => Some(self.idle_timeout),
            Phase::Head => Some(self.headers_timeout),
            Phase::Body | Phase::Request | Phase::Feed => None,
            Phase::Answer => Some(self.write_timeout),
        }
    }

    /// The shortest of the timeouts, but not zero: a timer set to it must not fire at once, again and again.
    pub(super) fn shortest(&self) -> Duration {
        self.idle_timeout.min(self.headers_timeout).min(self.write_timeout).max(Duration::from_millis(1))
    }
}

/// What is served on a listener.
pub trait Endpoint: Send + Sync + 'static {
    /// Answers a request that came on a connection from `peer`.
    fn answer(&self, request: Request, peer: SocketAddr) -> impl Future<Output = Response<Body>> + Send;

    /// Notes that a request whose head could not be read was answered with the error `word`, without being asked for.
    fn unreadable(&self, _word: &'static str) {}
}

/// Handlers find the peer as `ConnectInfo<SocketAddr>`.
impl Endpoint for Router {
    async fn answer(&self, mut request: Request, peer: SocketAddr) -> Response<Body> {
        request.extensions_mut().insert(ConnectInfo(peer));
        let Ok(response) = self.clone().call(request).await;
        response
    }
}

/// How many open files are for subscribers of the feed at most.
fn spare(open_files: u64) -> u64 {
    (open_files / 2).saturating_sub(RESERVED_FILES)
}

/// A number of connections, at least one.
fn at_most(limit: Option<u64>) -> usize {
    limit.map_or(usize::MAX, |limit| usize::try_from(limit.max(1)).unwrap_or(usize::MAX))
}

/// Serves `endpoint` on `listener` until `stop` is ready; then closes idle connections, lets requests in flight finish,
/// and returns when all connections are closed.
///
/// At the cap of connections, or when no file can be opened any more, the longest idle one makes room for a new one; if none is idle, the one that has been
/// sending the head of its request longest, then the one that has been sending a body longest; one that is at work
/// never. While none can, a new one waits.
///
/// Dropping the future cuts every connection.
pub async fn serve(listener: TcpListener, endpoint: impl Endpoint, limits: Limits, stop: impl Future<Output = ()>) {
    let connections_max = limits.connections_max.max(1);
    let mut open = Open {
        tasks: JoinSet::new(),
        connections: HashMap::new(),
        shared: Arc::new(Shared::new(endpoint, limits)),
        epoch: Instant::now(),
    };
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            Some(ended) = open.tasks.join_next_with_id() => {
                open.forget(ended);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                let pause = open.pause_after(&error);
                if is_out_of_files(&error) {
                    open.ask_for_room();
                }
                tokio::select! {
                    () = &mut stop => break,
                    // One that ends gives back a file.
                    Some(ended) = open.tasks.join_next_with_id() => open.forget(ended),
                    () = sleep(pause) => {}
                }
                continue;
            }
        };
        tokio::select! {
            biased;
            () = &mut stop => break,
            () = open.make_room(connections_max) => open.spawn(stream, peer),
        }
    }
    drop(listener);
    open.drain().await;
}

/// The connections that are open.
struct Open<E> {
    tasks: JoinSet<()>,
    connections: HashMap<Id, Arc<Connection>>,
    shared: Arc<Shared<E>>,
    epoch: Instant,
}

impl<E: Endpoint> Open<E> {
    fn spawn(&mut self, stream: TcpStream, peer: SocketAddr) {
        // Without it an answer may wait for the acknowledgement of the one before. It fails on a closed socket only.
        let _ = stream.set_nodelay(true);
        let connection = Arc::new(Connection::new(self.epoch));
        let task = self.tasks.spawn(run(stream, peer, Arc::clone(&connection), Arc::clone(&self.shared)));
        self.connections.insert(task.id(), connection);
    }

    fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!("a connection ended by a fault of this program: {error}");
                error.id()
            }
        };
        self.connections.remove(&id);
    }

    /// Returns once there are fewer than `connections_max`.
    async fn make_room(&mut self, connections_max: usize) {
        while self.connections.len() >= connections_max {
            self.ask_for_room();
            tokio::select! {
                Some(ended) = self.tasks.join_next_with_id() => self.forget(ended),
                () = sleep(ROOM_PAUSE) => {}
            }
        }
    }

    /// Asks the connection whose turn it is to end, if there is one.
    fn ask_for_room(&self) {
        let waiting = self.connections.values().filter_map(|connection| Some((connection.turn_to_go()?, connection)));
        if let Some((_, connection)) = waiting.min_by_key(|(turn, _)| *turn) {
            connection.make_room();
        }
    }

    /// How long to wait before accepting again.
    fn pause_after(&self, error: &io::Error) -> Duration {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
        // These speak of the one connection that was to be accepted, not of the listener.
        if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted) {
            return Duration::ZERO;
        }
        if let Some(suppressed) = self.shared.refusals.admit("accept", Instant::now()) {
            tracing::error!(suppressed, "no new connection can be accepted now: {error}");
        }
        ACCEPT_PAUSE
    }

    async fn drain(mut self) {
        for connection in self.connections.values() {
            connection.drain();
        }
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.forget(ended);
        }
    }
}

/// Whether the process, or the whole machine, has as many files open as it may.
fn is_out_of_files(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [Errno::MFILE, Errno::NFILE].iter().any(|known| code == Some(known.raw_os_error()))
}

/// Logs, at a bounded rate, that a head could not be read.
pub(super) fn log_unreadable(refusals: &LogLimit, peer: SocketAddr, answer: &Answer) {
    if let Some(suppressed) = refusals.admit(answer.word(), Instant::now()) {
        tracing::warn!(
            client = %peer.ip().to_canonical(), error = answer.word(), suppressed,
            "a request was refused: {}", answer.message(),
        );
    }
}

/// Logs, at a bounded rate, that a client was cut off since it did not read what it had asked for.
pub(super) fn log_unread(refusals: &LogLimit, peer: SocketAddr) {
    if let Some(suppressed) = refusals.admit("not_read", Instant::now()) {
        let client = peer.ip().to_canonical();
        tracing::warn!(%client, suppressed, "a client was cut off: it does not read its answer");
    }
}

/// Raises the limit of open files as far as the system allows, and returns what it is then; `None` where there is none.
pub fn raise_open_files_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

#[cfg(test)]
mod tests;
