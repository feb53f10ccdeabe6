//! Serves an endpoint on a listening socket: accepts connections up to a limit, evicts some at the limit, and stops without
//! cutting a request.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::io::Errno;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep};

use super::connection::Connection;
use super::connection_index::{ConnectionIndex, ConnectionKey};
use super::endpoint::Endpoint;
use super::limits::SharedLimits;
use super::serve::{Hooks, Server};
use super::socket::{Listen, Socket};

/// The pause after a failed accept that would fail again at once, for example because no file can be opened.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The pause between two searches for a connection to evict, while handlers work for all of them.
const EVICT_PAUSE: Duration = Duration::from_millis(20);

/// The most places that are kept free, of at most an eighth of all.
const SPARE_MAX: usize = 64;

/// Serves `endpoint` on `listener` until `stop` is ready. Then it closes idle connections, lets requests in flight
/// finish, and returns when all connections are closed.
///
/// If there are nearly as many connections as the limit allows, or no file can be opened, a new connection evicts another, from
/// the address with the most connections. There the stuck ones go first: the client has not sent its request within a
/// second, or reads no answer. Then go the idle ones, then the recent ones. Among the connections of a proxy, those of the
/// client with the most requests go first. A connection whose request is with a handler is never evicted. While handlers work
/// for all connections, new connections wait.
///
/// Dropping the future cuts every connection.
pub async fn serve(
    mut listener: impl Listen,
    endpoint: impl Endpoint,
    hooks: Hooks,
    limits: impl Into<SharedLimits>,
    stop: impl Future<Output = ()>,
) {
    let limits = limits.into();
    let mut connections = Connections {
        tasks: JoinSet::new(),
        keys: HashMap::new(),
        index: ConnectionIndex::new(),
        server: Arc::new(Server::new(Box::new(endpoint), hooks, limits.clone(), listener.tls())),
        epoch: Instant::now(),
        evictions: Arc::default(),
    };
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            // In this order, so that a stop comes first, and ended connections free their places before a new one is
            // accepted.
            biased;
            () = &mut stop => break,
            Some(ended) = connections.tasks.join_next_with_id() => {
                connections.remove(ended);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                let pause = connections.pause_after(&error);
                if is_out_of_files(&error) {
                    connections.evict_one();
                }
                tokio::select! {
                    () = &mut stop => break,
                    // A connection that ends closes its file.
                    Some(ended) = connections.tasks.join_next_with_id() => connections.remove(ended),
                    () = sleep(pause) => {}
                }
                continue;
            }
        };
        // With 0, no request could ever be served.
        let connections_max = limits.load().connections_max.max(1);
        tokio::select! {
            biased;
            () = &mut stop => break,
            () = connections.make_place(connections_max) => connections.spawn(socket, peer),
        }
    }
    // Closes the port first, so that no client connects while the last requests finish.
    drop(listener);
    connections.drain().await;
}

/// The open connections of a listener.
struct Connections {
    tasks: JoinSet<()>,
    keys: HashMap<Id, ConnectionKey>,
    index: ConnectionIndex<Arc<Connection>>,
    server: Arc<Server>,
    epoch: Instant,
    /// How many connections are ordered to end.
    evictions: Arc<AtomicUsize>,
}

impl Connections {
    fn spawn(&mut self, socket: impl Socket, peer: SocketAddr) {
        let state = Arc::new(Connection::new(self.epoch, Arc::clone(&self.evictions)));
        let task = self.tasks.spawn(Arc::clone(&self.server).serve_connection(socket, peer, Arc::clone(&state)));
        self.keys.insert(task.id(), self.index.insert(peer.ip().into(), state));
        self.report_count();
    }

    fn remove(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!("a connection ended because of a bug in livehook: {error}");
                error.id()
            }
        };
        if let Some(key) = self.keys.remove(&id) {
            self.index.remove(key);
        }
        self.report_count();
    }

    fn report_count(&self) {
        if let Some(hook) = &self.server.hooks.connections {
            hook(self.keys.len());
        }
    }

    /// Returns when there are fewer than `connections_max`. Some connections are ordered to end before that limit is
    /// reached: under load an end takes a while, and a flood must not make genuine clients queue for it.
    async fn make_place(&mut self, connections_max: usize) {
        let spare = (connections_max / 8).min(SPARE_MAX);
        while self.keys.len() >= connections_max - spare + self.evictions.load(Ordering::Relaxed) && self.evict_one() {}
        while self.keys.len() >= connections_max {
            tokio::select! {
                Some(ended) = self.tasks.join_next_with_id() => self.remove(ended),
                () = sleep(EVICT_PAUSE) => {
                    self.evict_one();
                }
            }
        }
    }

    /// Orders a connection to end. Returns false if none may.
    fn evict_one(&mut self) -> bool {
        let victim = self.index.victim(|state| state.eviction_rank(), |state| state.crowd());
        if let Some(victim) = victim {
            victim.evict();
        }
        victim.is_some()
    }

    /// How long to wait before accepting again after `error`, which is logged if it concerns the listener.
    fn pause_after(&self, error: &io::Error) -> Duration {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
        // These concern the one connection that was to be accepted, not the listener.
        if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted) {
            return Duration::ZERO;
        }
        if let Some(suppressed) = self.server.log_limit.admit("accept", Instant::now().into_std()) {
            tracing::error!(suppressed, "no new connection can be accepted now: {error}");
        }
        ACCEPT_PAUSE
    }

    async fn drain(mut self) {
        for state in self.index.values() {
            state.drain();
        }
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.remove(ended);
        }
    }
}

/// Whether the process, or the whole machine, has as many files open as it may.
fn is_out_of_files(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [Errno::MFILE, Errno::NFILE].iter().any(|known| code == Some(known.raw_os_error()))
}

#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
