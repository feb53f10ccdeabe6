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

use super::ErrorBody;
use super::connection::Connection;
use super::limits::Limits;
use super::log_limit::LogLimit;
use super::serve::{Shared, run};

/// How long accepting rests after an error that would only come again at once, such as having no open file left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often the search for a connection that can make room is repeated, while all are at work.
const ROOM_PAUSE: Duration = Duration::from_millis(20);

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
pub(super) fn log_unreadable(refusals: &LogLimit, peer: SocketAddr, answer: &ErrorBody) {
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

#[cfg(test)]
mod tests;
