//! Serves a router on a listening socket: accepts connections up to a limit, evicts idle ones at the limit, and stops
//! without cutting a request.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use rustix::io::Errno;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep};

use super::connection::Connection;
use super::limits::Limits;
use super::serve::{Hooks, Server};
use super::socket::{Listen, Socket};

/// The pause after a failed accept that would fail again at once, for example because no file can be opened.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The pause between two searches for a connection to evict, while handlers work for all of them.
const EVICT_PAUSE: Duration = Duration::from_millis(20);

/// Serves `router` on `listener` until `stop` is ready. Then it closes idle connections, lets requests in flight
/// finish, and returns when all connections are closed. Handlers find the peer as `ConnectInfo<SocketAddr>`.
///
/// If there are as many connections as the limit allows, or no file can be opened, a new connection evicts another. The
/// longest idle one goes first, then the longest sending a head, then the longest sending a body. A connection whose
/// request is with a handler is never evicted. While handlers work for all connections, new connections wait.
///
/// Dropping the future cuts every connection.
pub async fn serve(
    mut listener: impl Listen,
    router: Router,
    hooks: Hooks,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    // With 0, no request could ever be served.
    let connections_max = limits.connections_max.max(1);
    let mut connections = Connections {
        tasks: JoinSet::new(),
        states: HashMap::new(),
        server: Arc::new(Server::new(router, hooks, limits)),
        epoch: Instant::now(),
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
        tokio::select! {
            biased;
            () = &mut stop => break,
            () = connections.evict_until_fewer_than(connections_max) => connections.spawn(socket, peer),
        }
    }
    // Closes the port first, so that no client connects while the last requests finish.
    drop(listener);
    connections.drain().await;
}

/// The open connections of a listener.
struct Connections {
    tasks: JoinSet<()>,
    states: HashMap<Id, Arc<Connection>>,
    server: Arc<Server>,
    epoch: Instant,
}

impl Connections {
    fn spawn(&mut self, socket: impl Socket, peer: SocketAddr) {
        let state = Arc::new(Connection::new(self.epoch));
        let task = self.tasks.spawn(Arc::clone(&self.server).serve_connection(socket, peer, Arc::clone(&state)));
        self.states.insert(task.id(), state);
    }

    fn remove(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!("a connection ended because of a bug in livehook: {error}");
                error.id()
            }
        };
        self.states.remove(&id);
    }

    /// Returns when there are fewer than `connections_max`.
    async fn evict_until_fewer_than(&mut self, connections_max: usize) {
        while self.states.len() >= connections_max {
            self.evict_one();
            tokio::select! {
                Some(ended) = self.tasks.join_next_with_id() => self.remove(ended),
                () = sleep(EVICT_PAUSE) => {}
            }
        }
    }

    /// Orders the evictable connection of the smallest rank to close, if there is one.
    fn evict_one(&self) {
        let evictable = self.states.values().filter_map(|state| Some((state.eviction_rank()?, state)));
        if let Some((_, state)) = evictable.min_by_key(|(rank, _)| *rank) {
            state.evict();
        }
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
        for state in self.states.values() {
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
