//! One connection: HTTP/1.1 by hyper, with its timers, its errors answered in JSON, and an end that loses no answer.
//!
//! A connection has one timer. It is set again only when it fires, and the deadline that counts is worked out then, so a
//! request touches no timer. hyper's own timer for heads is not used: it would run between requests too.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep_until, timeout};

use super::ErrorBody;
use super::connection::{Connection, Phase, Watched, WatchedBody};
use super::limits::Limits;
use super::listener::{Endpoint, log_unread, log_unreadable};
use super::log_limit::LogLimit;

/// How much, and for how long, is still read from a client that was told that the connection ends. Closing on unread
/// bytes would reset the connection, and could destroy the answer before the client reads it.
const LINGER_BYTES_MAX: usize = 1024 * 1024;
const LINGER: Duration = Duration::from_secs(1);

/// The smallest of buffers that hyper takes, and enough for one read of a callback's body.
const BUFFER_BYTES_MIN: usize = 16 * 1024;

/// What all connections of a listener share.
pub(super) struct Shared<E> {
    pub(super) endpoint: E,
    pub(super) limits: Limits,
    pub(super) refusals: LogLimit,
    pub(super) builder: Builder,
}

impl<E> Shared<E> {
    pub(super) fn new(endpoint: E, limits: Limits) -> Shared<E> {
        let mut builder = Builder::new();
        builder
            .header_read_timeout(None)
            .max_header_size(limits.headers_bytes_max)
            .max_buf_size(limits.headers_bytes_max.max(BUFFER_BYTES_MIN))
            // An answer is small: copying its body behind its head is cheaper than a vectored write.
            .writev(false)
            // A client that has sent all and closes its side still gets its answer, and its event is stored.
            .half_close(true);
        Shared { endpoint, limits, refusals: LogLimit::default(), builder }
    }
}

/// How the HTTP of a connection ended.
enum End {
    /// In order.
    Done,
    /// hyper could not go on.
    Failed(hyper::Error),
    /// The phase took too long.
    Late(Phase),
    /// Another connection needs the room, or there is nothing to wait for.
    Cut,
}

/// Serves a connection until it ends.
pub(super) async fn run<E: Endpoint>(
    stream: TcpStream,
    peer: SocketAddr,
    connection: Arc<Connection>,
    shared: Arc<Shared<E>>,
) {
    let io = TokioIo::new(Watched { stream, connection: Arc::clone(&connection) });
    let (endpoint, watcher) = (&shared.endpoint, &connection);
    let service = service_fn(move |request| {
        let request = watched(request, watcher);
        Box::pin(async move {
            let response = endpoint.answer(request, peer).await;
            Ok::<_, Infallible>(response.map(|body| WatchedBody::of_answer(body, Arc::clone(watcher))))
        })
    });
    let mut http = shared.builder.serve_connection(io, service);

    let limits = &shared.limits;
    let mut alarm = pin!(sleep_until((connection.since() + limits.shortest()).into()));
    let mut draining = false;
    let end = poll_fn(|cx| {
        connection.listen(cx);
        loop {
            match http.poll_without_shutdown(cx) {
                Poll::Ready(Ok(())) => return Poll::Ready(End::Done),
                Poll::Ready(Err(error)) => return Poll::Ready(End::Failed(error)),
                Poll::Pending => connection.stamp(),
            }
            if connection.must_make_room() {
                return Poll::Ready(End::Cut);
            }
            if !draining && connection.is_draining() {
                if connection.phase() == Phase::Idle {
                    return Poll::Ready(End::Cut);
                }
                draining = true;
                Pin::new(&mut http).graceful_shutdown();
                continue;
            }
            if alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let (now, phase) = (Instant::now(), connection.phase());
            // No later than the shortest timeout from now, since a phase that begins meanwhile may have that one.
            let next = match limits.timeout(phase).map(|timeout| connection.since() + timeout) {
                Some(deadline) if deadline <= now => return Poll::Ready(End::Late(phase)),
                Some(deadline) => deadline.min(now + limits.shortest()),
                None => now + limits.shortest(),
            };
            alarm.as_mut().reset(next.into());
        }
    })
    .await;

    let is_between = matches!(connection.phase(), Phase::Idle | Phase::Head);
    let answer = match end {
        End::Done => None,
        End::Failed(error) if is_between && error.is_parse_too_large() => Some(ErrorBody::HEADERS_TOO_LARGE),
        End::Failed(error) if is_between && error.is_parse() => Some(ErrorBody::NOT_HTTP),
        End::Late(Phase::Head) => Some(ErrorBody::HEAD_TOO_SLOW),
        End::Late(Phase::Answer) => return log_unread(&shared.refusals, peer),
        End::Failed(_) | End::Late(_) | End::Cut => return,
    };
    if let Some(answer) = &answer {
        endpoint.unreadable(answer.word());
        log_unreadable(&shared.refusals, peer, answer);
    }
    // Room can be asked for again, and nothing is lost by giving it.
    connection.enter(Phase::Idle);
    connection.stamp();
    let stream = http.into_parts().io.into_inner().stream;
    let mut farewell = pin!(timeout(LINGER, say_farewell(stream, answer.as_ref())));
    poll_fn(|cx| match farewell.as_mut().poll(cx) {
        Poll::Pending if connection.must_make_room() => Poll::Ready(()),
        polled => polled.map(drop),
    })
    .await;
}

/// Writes the last answer, if there is one to write, closes our side, and waits for the client to close its own.
async fn say_farewell(mut stream: TcpStream, answer: Option<&ErrorBody>) {
    if let Some(answer) = answer
        && stream.write_all(&answer.to_bytes()).await.is_err()
    {
        return;
    }
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut scratch = vec![0; 4096];
    let mut left = LINGER_BYTES_MAX;
    while let Ok(read) = stream.read(&mut scratch).await {
        if read == 0 || read > left {
            return;
        }
        left -= read;
    }
}

/// The request with a body that tells the connection when it is read.
fn watched(request: hyper::Request<Incoming>, connection: &Arc<Connection>) -> Request {
    if request.body().is_end_stream() {
        connection.enter(Phase::Request);
        request.map(|_| Body::empty())
    } else {
        request.map(|body| Body::new(WatchedBody::of_request(body, Arc::clone(connection))))
    }
}
