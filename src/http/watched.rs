//! Wraps the socket and the bodies to find the phase of a [`Connection`], because hyper reports neither the first byte
//! of a head nor the moment at which an answer has left.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::Connection;
use super::phase::Phase;
use super::socket::Socket;

/// The socket of a connection.
///
/// If hyper writes before a handler has a request, that is its own answer to a head that it could not read, and it has
/// no body. This swallows it, so that the task of the connection can write an answer with a body instead.
#[derive(Debug)]
pub(super) struct WatchedSocket<S> {
    pub(super) socket: S,
    connection: Arc<Connection>,
    /// Whether the last flush had to wait for the client.
    is_flush_pending: bool,
}

impl<S> WatchedSocket<S> {
    pub(super) fn new(socket: S, connection: Arc<Connection>) -> WatchedSocket<S> {
        WatchedSocket { socket, connection, is_flush_pending: false }
    }

    fn note_written(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(polled, Poll::Ready(Ok(1..))) {
            self.connection.has_written();
        }
        polled
    }
}

impl<S: Socket> AsyncRead for WatchedSocket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(context, buffer);
        if let Some(first) = buffer.filled().get(before) {
            self.connection.has_read(*first);
        } else if self.connection.has_orders() {
            self.connection.note_unread(self.socket.has_unread());
        }
        polled
    }
}

impl<S: Socket> AsyncWrite for WatchedSocket<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !self.connection.writes_answer() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let polled = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.note_written(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.connection.writes_answer() {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        let polled = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
        self.note_written(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.socket).poll_flush(context);
        if std::mem::replace(&mut self.is_flush_pending, polled.is_pending()) && polled.is_ready() {
            // hyper has polled the next request of a pipeline already, and that request waited for this flush.
            context.waker().wake_by_ref();
        }
        if polled.is_ready() {
            self.connection.has_flushed();
            // While hyper waits for more of an answer it does not look at the socket, so a silent feed would keep the
            // place of a client that has left.
            let is_waiting = self.connection.phase() == Phase::AwaitingMore;
            if is_waiting && self.socket.is_closed_by_client(context) {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

/// The body of a request or of an answer. Its reader drops it after the last frame.
pub(super) struct WatchedBody<B> {
    body: B,
    connection: Arc<Connection>,
    ended: fn(&Connection),
}

/// A request as hyper read it, for the endpoint.
pub(super) fn watched_request(request: hyper::Request<Incoming>, connection: &Arc<Connection>) -> Request {
    if request.body().is_end_stream() {
        // hyper reports no end of a body that never begins.
        connection.enter(Phase::Handling);
        return request.map(|_| Body::empty());
    }
    connection.enter(Phase::ReadingBody);
    let connection = Arc::clone(connection);
    request.map(|body| Body::new(WatchedBody { body, connection, ended: Connection::end_body }))
}

/// The response of the endpoint, for hyper.
pub(super) fn watched_response(response: Response, connection: &Arc<Connection>) -> Response<WatchedBody<Body>> {
    connection.begin_answer();
    let connection = Arc::clone(connection);
    response.map(|body| WatchedBody { body, connection, ended: Connection::end_answer })
}

impl<B: HttpBody + Unpin> HttpBody for WatchedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for WatchedBody<B> {
    fn drop(&mut self) {
        (self.ended)(&self.connection);
    }
}
