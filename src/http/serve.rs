//! Serves one connection: HTTP/1.1 by hyper, with timers of our own, errors answered in JSON, and an end that loses no
//! answer.
//!
//! A connection has one timer. Only when it fires does the connection work out its deadline and set the timer again, so
//! a request touches no timer. hyper's own timer for heads stays off, because it also runs between requests.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use futures_util::FutureExt;
use futures_util::future::Either;
use hyper::body::Incoming;
use hyper::server::conn::http1::{self, Builder};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;

use super::ErrorBody;
use super::access_log::AccessLog;
use super::address_group::AddressGroup;
use super::connection::Connection;
use super::endpoint::Endpoint;
use super::handshake::{FailedHandshake, Handshake, shake_hands};
use super::limits::{Limits, SharedLimits};
use super::log_limit::LogLimit;
use super::phase::Phase;
use super::socket::Socket;
use super::watched::{WatchedBody, WatchedSocket, watched_request, watched_response};
use super::wire::Wire;
use crate::clock::system_clock;

/// How much is still read, and for how long, from a client after the last answer. Closing on unread bytes would reset
/// the connection, and the client could lose the answer.
const LINGER_BYTES_MAX: usize = 1024 * 1024;
const LINGER: Duration = Duration::from_secs(1);

/// The smallest read buffer, in bytes. The body of a callback fits.
const BUFFER_BYTES_MIN: usize = 16 * 1024;

/// Finds the client of a request from a peer, if that peer is a trusted proxy.
pub type FindClient = Box<dyn Fn(IpAddr, &HeaderMap) -> Option<AddressGroup> + Send + Sync>;

/// What the transport reports and asks, because no route sees it.
#[derive(Default)]
pub struct Hooks {
    /// A connection was opened or has ended. The argument is the number of open connections.
    pub connections: Option<Box<dyn Fn(usize) + Send + Sync>>,
    /// The head of a request could not be read. The argument is the error word of the answer, for example `timeout`.
    pub unreadable_head: Option<Box<dyn Fn(&'static str) + Send + Sync>>,
    /// A handshake of TLS failed. The argument is the reason, one of [`HANDSHAKE_FAILURES`].
    pub failed_handshake: Option<Box<dyn Fn(&'static str) + Send + Sync>>,
    /// Finds the client behind a proxy, when the head of a request has arrived; `None` if no proxy is trusted.
    pub client: Option<FindClient>,
    /// Logs requests.
    pub access_log: Option<AccessLog>,
}

/// The reasons for which a handshake of TLS can fail.
pub const HANDSHAKE_FAILURES: [&str; 6] = FailedHandshake::REASONS;

/// Everything that the connections of a listener share.
pub(super) struct Server {
    endpoint: Box<dyn Endpoint>,
    tls: Option<TlsAcceptor>,
    pub(super) hooks: Hooks,
    limits: SharedLimits,
    pub(super) log_limit: LogLimit,
}

/// How the HTTP of a connection ended.
enum End {
    /// In order.
    Done,
    /// hyper reported an error.
    Failed(hyper::Error),
    /// The phase took too long.
    Late(Phase),
    /// The connection was evicted, or drained while idle.
    Cut,
}

impl Server {
    pub(super) fn new(
        endpoint: Box<dyn Endpoint>,
        hooks: Hooks,
        limits: SharedLimits,
        tls: Option<TlsAcceptor>,
    ) -> Server {
        Server { endpoint, tls, hooks, limits, log_limit: LogLimit::default() }
    }

    /// Serves a connection until it ends.
    pub(super) async fn serve_connection<S: Socket>(
        self: Arc<Server>,
        socket: S,
        peer: SocketAddr,
        connection: Arc<Connection>,
    ) {
        let wire = match &self.tls {
            None => Some(Wire::Plain(socket)),
            // In a box, because the connection needs its memory only during the handshake.
            Some(tls) => Box::pin(self.wire_of(tls.clone(), socket, peer, &connection)).await,
        };
        if let Some(wire) = wire {
            self.serve_http(wire, peer, connection).await;
        }
    }

    /// Does the handshake of TLS. Returns `None` if the connection has ended.
    async fn wire_of<S: Socket>(
        &self,
        tls: TlsAcceptor,
        socket: S,
        peer: SocketAddr,
        connection: &Connection,
    ) -> Option<Wire<S>> {
        match shake_hands(tls, socket, connection, self.limits.load().headers_timeout).await {
            Handshake::Done(wire) => return Some(wire),
            Handshake::NotTls(wire) => {
                self.count_handshake("not_tls");
                self.answer_unreadable_head(&ErrorBody::NOT_TLS, wire, peer, connection).await;
            }
            Handshake::Failed(failure) => self.note_failed_handshake(peer, &failure),
            Handshake::Cut => {}
        }
        None
    }

    /// Serves the requests of a connection until it ends.
    async fn serve_http<S: Socket>(&self, wire: Wire<S>, peer: SocketAddr, connection: Arc<Connection>) {
        let call = |request: hyper::Request<Incoming>| {
            if let Some(find) = &self.hooks.client {
                connection.set_client(find(peer.ip(), request.headers()));
            }
            let logged = self.hooks.access_log.as_ref().and_then(|access_log| access_log.begin(peer, &request));
            let answer = self.endpoint.answer(watched_request(request, &connection), peer);
            let connection = &connection;
            answer.map(move |response| {
                if let Some(logged) = logged {
                    logged.log(&response);
                }
                Ok::<_, Infallible>(watched_response(response, connection))
            })
        };
        let service = service_fn(|request| {
            if connection.takes_turn() {
                return Either::Left(call(request));
            }
            Either::Right(Box::pin(async {
                poll_fn(|context| connection.poll_turn(context)).await;
                call(request).await
            }))
        });
        let limits = self.limits.load();
        let io = TokioIo::new(WatchedSocket::new(wire, Arc::clone(&connection)));
        let mut http = builder(&limits).serve_connection(io, service);
        let end = run_http(&mut http, &connection, &limits).await;

        let answer = match (end, connection.phase()) {
            (End::Done, _) => None,
            // In a later phase the handler has a request, and a second answer would be read as the answer to the next
            // one.
            // `is_parse` is true for a head that is too large as well, so that case comes first.
            (End::Failed(error), Phase::Accepted | Phase::Idle | Phase::ReadingHead) if error.is_parse_too_large() => {
                Some(ErrorBody::HEADERS_TOO_LARGE)
            }
            (End::Failed(error), Phase::Accepted | Phase::Idle | Phase::ReadingHead) if error.is_parse() => {
                Some(if connection.speaks_tls() { ErrorBody::TLS_TO_HTTP } else { ErrorBody::NOT_HTTP })
            }
            (End::Late(Phase::ReadingHead), _) => Some(ErrorBody::HEAD_TOO_SLOW),
            // No lingering: this client has not read for the whole timeout.
            (End::Late(Phase::WritingAnswer), _) => return self.log_unread_answer(peer),
            (End::Failed(_) | End::Late(_) | End::Cut, _) => return,
        };
        let wire = http.into_parts().io.into_inner().socket;
        match &answer {
            Some(answer) => self.answer_unreadable_head(answer, wire, peer, &connection).await,
            None => finish(wire, None, &connection).await,
        }
    }

    /// Counts, logs and answers a head that could not be read, and ends the connection.
    async fn answer_unreadable_head<S: Socket>(
        &self,
        answer: &ErrorBody,
        wire: Wire<S>,
        peer: SocketAddr,
        connection: &Connection,
    ) {
        if let Some(hook) = &self.hooks.unreadable_head {
            hook(answer.word());
        }
        self.log_unreadable_head(peer, answer);
        finish(wire, Some(answer), connection).await;
    }

    fn count_handshake(&self, reason: &'static str) {
        if let Some(hook) = &self.hooks.failed_handshake {
            hook(reason);
        }
    }

    /// Counts a handshake that failed, and logs it: at a bounded rate if the client refuses the certificate, because callbacks are
    /// then missing. The others come from every program that scans the Internet.
    fn note_failed_handshake(&self, peer: SocketAddr, FailedHandshake { reason, cause }: &FailedHandshake) {
        self.count_handshake(reason);
        let client = peer.ip().to_canonical();
        if *reason != "refused" {
            tracing::debug!(%client, reason, "a handshake of TLS failed: {cause}");
        } else if let Some(suppressed) = self.log_limit.admit(reason, Instant::now().into_std()) {
            tracing::warn!(
                %client, reason, suppressed,
                "a client refused the handshake of TLS, so it may not trust the certificate: {cause}"
            );
        }
    }

    /// Logs, at a bounded rate, that a head could not be read.
    fn log_unreadable_head(&self, peer: SocketAddr, answer: &ErrorBody) {
        if let Some(suppressed) = self.log_limit.admit(answer.word(), Instant::now().into_std()) {
            let (client, error) = (peer.ip().to_canonical(), answer.word());
            tracing::warn!(%client, error, suppressed, "a request was refused: {}", answer.message());
        }
    }

    /// Logs, at a bounded rate, that a client was disconnected because it did not read its answer.
    fn log_unread_answer(&self, peer: SocketAddr) {
        if let Some(suppressed) = self.log_limit.admit("not_read", Instant::now().into_std()) {
            let client = peer.ip().to_canonical();
            tracing::warn!(%client, suppressed, "a client was disconnected: it does not read its answer");
        }
    }
}

/// Returns hyper's settings for a connection.
fn builder(limits: &Limits) -> Builder {
    let mut builder = Builder::new();
    builder
        .header_read_timeout(None)
        .max_header_size(limits.headers_bytes_max)
        .max_buf_size(limits.headers_bytes_max.max(BUFFER_BYTES_MIN))
        // Copying the small body of an answer behind its head is cheaper than a vectored write.
        .writev(false)
        // A client may send all and close its side: its event is stored, and it still gets its answer.
        .half_close(true);
    builder
}

/// Runs the HTTP of a connection until it ends, a phase takes too long, or the listener ends it.
async fn run_http<S, V>(
    http: &mut http1::Connection<TokioIo<WatchedSocket<S>>, V>,
    connection: &Connection,
    limits: &Limits,
) -> End
where
    S: Socket,
    V: HttpService<Incoming, ResBody = WatchedBody<Body>> + Unpin,
    V::Future: Unpin,
    V::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut alarm = pin!(sleep_until(connection.since() + limits.shortest_timeout()));
    let mut is_draining = false;
    poll_fn(|context| {
        connection.listen(context);
        connection.begin_turn();
        loop {
            // Without a shutdown, because our own last answer may follow, and the client must be able to read it.
            match http.poll_without_shutdown(context) {
                Poll::Ready(Ok(())) => return Poll::Ready(End::Done),
                Poll::Ready(Err(error)) => return Poll::Ready(End::Failed(error)),
                // All phases of this wake-up share one reading of the clock.
                Poll::Pending => connection.stamp(),
            }
            if connection.is_evicted() {
                return Poll::Ready(End::Cut);
            }
            if !is_draining && connection.is_draining() {
                if connection.has_request_waiting() {
                    // Its bytes wake this task.
                    return Poll::Pending;
                }
                if matches!(connection.phase(), Phase::Accepted | Phase::Idle) {
                    return Poll::Ready(End::Cut);
                }
                is_draining = true;
                // hyper acts on this at its next poll.
                Pin::new(&mut *http).graceful_shutdown();
                continue;
            }
            if alarm.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            let (now, phase) = (Instant::now(), connection.phase());
            // At most the shortest timeout from now, because a phase with that timeout may begin before the timer
            // fires.
            let next = match limits.timeout(phase).map(|timeout| connection.since() + timeout) {
                Some(deadline) if deadline <= now => return Poll::Ready(End::Late(phase)),
                Some(deadline) => deadline.min(now + limits.shortest_timeout()),
                None => now + limits.shortest_timeout(),
            };
            alarm.as_mut().reset(next);
        }
    })
    .await
}

/// Ends a connection after a last answer, if there is one.
async fn finish(socket: impl Socket, answer: Option<&ErrorBody>, connection: &Connection) {
    // From here on the connection can be evicted again, and nothing is lost by it.
    connection.enter(Phase::Closing);
    connection.stamp();
    let mut closing = pin!(timeout(LINGER, close(socket, answer)));
    poll_fn(|context| match closing.as_mut().poll(context) {
        Poll::Pending if connection.is_evicted() => Poll::Ready(()),
        polled => polled.map(drop),
    })
    .await;
}

/// Writes a last answer if there is one, closes our side, and waits until the client closes its own.
async fn close(mut socket: impl Socket, answer: Option<&ErrorBody>) {
    // hyper dates its own answers by the system clock, too.
    if let Some(answer) = answer
        && socket.write_all(&answer.to_bytes(system_clock())).await.is_err()
    {
        return;
    }
    if socket.shutdown().await.is_err() {
        return;
    }
    let mut scratch = vec![0; 4096];
    let mut left = LINGER_BYTES_MAX;
    while let Ok(read) = socket.read(&mut scratch).await {
        // A client that never stops sending must not hold the connection.
        if read == 0 || read > left {
            return;
        }
        left -= read;
    }
}

#[cfg(test)]
mod tests;
