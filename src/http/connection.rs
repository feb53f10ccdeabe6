//! Where a connection stands between two requests, and since when: what timeouts and the choice of a victim go by.
//!
//! hyper tells neither when a head begins nor when an answer has left, so [`Watched`], between hyper and the socket, reads
//! it off the traffic, and [`WatchedBody`] off the bodies. On the path of a request this costs a few writes to memory;
//! the clock is read once a wake-up.
//!
//! One thing cannot be seen: the first bytes of a next head that came together with the request before wait in hyper's
//! buffer, so that the connection counts as idle until more of that head arrives. It then has the time of an idle one,
//! and makes room as one.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Phase {
    /// Between requests, or accepted and silent.
    Idle = 0,
    /// The head of a request has begun to arrive.
    Head = 1,
    /// The body of a request is arriving. Its handler bounds the time for it.
    Body = 2,
    /// The request is with its handler, which has all of it and bounds the time of its answer.
    Request = 3,
    /// The answer is being written, and the client is to read it.
    Answer = 4,
    /// The client has all that there is of the answer, and its handler has more to come.
    Feed = 5,
}

impl Phase {
    /// Whether nothing is lost by ending the connection now: no request is there in full.
    fn can_make_room(self) -> bool {
        matches!(self, Phase::Idle | Phase::Head | Phase::Body)
    }
}

const DRAIN: u8 = 1;
const MAKE_ROOM: u8 = 2;

/// What the listener knows of a connection, and may ask of it. The connection's task writes, the listener reads.
#[derive(Debug)]
pub(super) struct Connection {
    phase: AtomicU8,
    changed: AtomicBool,
    since_ms: AtomicU64,
    epoch: Instant,
    /// Whether the body of an answer has more to give.
    is_answering: AtomicBool,
    orders: AtomicU8,
    waker: OnceLock<Waker>,
}

impl Connection {
    /// A connection that was just accepted. Times are kept as ms since `epoch`, the same for all that are compared.
    pub(super) fn new(epoch: Instant) -> Connection {
        Connection {
            phase: AtomicU8::new(Phase::Idle as u8),
            changed: AtomicBool::new(false),
            since_ms: AtomicU64::new(elapsed_ms(epoch)),
            epoch,
            is_answering: AtomicBool::new(false),
            orders: AtomicU8::new(0),
            waker: OnceLock::new(),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Idle,
            1 => Phase::Head,
            2 => Phase::Body,
            3 => Phase::Request,
            4 => Phase::Answer,
            _ => Phase::Feed,
        }
    }

    /// Enters a phase. Its time is taken by the next [`Connection::stamp`].
    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        self.changed.store(true, Ordering::Relaxed);
    }

    /// Notes the time, if the phase has changed since the last stamp. A request that is with its handler has no time of
    /// its own, so that the clock is read once for it, when its answer has left.
    pub(super) fn stamp(&self) {
        if self.changed.load(Ordering::Relaxed) && self.phase() != Phase::Request {
            self.changed.store(false, Ordering::Relaxed);
            self.since_ms.store(elapsed_ms(self.epoch), Ordering::Relaxed);
        }
    }

    /// Since when the connection is in its phase; for a request, some time before.
    pub(super) fn since(&self) -> Instant {
        self.epoch + Duration::from_millis(self.since_ms.load(Ordering::Relaxed))
    }

    /// Who goes first when room is needed, smallest first: the longest idle, then the longest sending a head, then the
    /// longest sending a body. `None` for one that is at work.
    pub(super) fn turn_to_go(&self) -> Option<(Phase, u64)> {
        let phase = self.phase();
        phase.can_make_room().then(|| (phase, self.since_ms.load(Ordering::Relaxed)))
    }

    /// The body of the request is read, or given up.
    fn end_body(&self) {
        if self.phase() == Phase::Body {
            self.enter(Phase::Request);
        }
    }

    /// hyper has taken all of the answer.
    fn end_answer(&self) {
        self.is_answering.store(false, Ordering::Relaxed);
    }

    /// hyper writes. Whether that is an answer to a request, and not one of its own to a head that it could not read.
    fn writes_answer(&self) -> bool {
        let phase = self.phase();
        if phase == Phase::Feed {
            self.enter(Phase::Answer);
        }
        !matches!(phase, Phase::Idle | Phase::Head)
    }

    /// hyper flushes once it has nothing left to write: what there is of an answer has left.
    fn flushed(&self) {
        match (self.phase(), self.is_answering.load(Ordering::Relaxed)) {
            (Phase::Answer | Phase::Feed, false) => self.enter(Phase::Idle),
            (Phase::Answer, true) => self.enter(Phase::Feed),
            _ => {}
        }
    }

    /// Asks the connection to end after the request that it is at.
    pub(super) fn drain(&self) {
        self.order(DRAIN);
    }

    /// Asks the connection to end now, unless a request has come in meanwhile.
    pub(super) fn make_room(&self) {
        self.order(MAKE_ROOM);
    }

    fn order(&self, order: u8) {
        self.orders.fetch_or(order, Ordering::Relaxed);
        // With the fence in `listen`: either the order is seen there, or the waker here.
        fence(Ordering::SeqCst);
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    /// Lets orders wake the task. To be called in every poll; a task keeps its waker, so the first call settles it.
    pub(super) fn listen(&self, context: &Context<'_>) {
        if self.waker.get().is_none() {
            let _ = self.waker.set(context.waker().clone());
            fence(Ordering::SeqCst);
        }
    }

    pub(super) fn is_draining(&self) -> bool {
        self.orders.load(Ordering::Relaxed) & DRAIN != 0
    }

    /// Whether the connection must make room. An order that a busy one cannot follow is void.
    pub(super) fn must_make_room(&self) -> bool {
        self.orders.load(Ordering::Relaxed) & MAKE_ROOM != 0
            && self.orders.fetch_and(!MAKE_ROOM, Ordering::Relaxed) & MAKE_ROOM != 0
            && self.phase().can_make_room()
    }
}

fn elapsed_ms(epoch: Instant) -> u64 {
    u64::try_from(epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// The socket of a connection, which tells [`Connection`] what passes through.
///
/// What hyper writes while no request is at hand is an answer of its own to a head that it could not read, without a
/// body. It is swallowed, so that the connection's task can write one with a body in its place.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) stream: TcpStream,
    pub(super) connection: Arc<Connection>,
}

impl Watched {
    /// Whether the client has closed its side. hyper does not look while it waits for more of an answer, and a feed that
    /// has nothing to tell would keep its place for a client that is gone.
    fn is_left(&self, cx: &mut Context<'_>) -> bool {
        let mut byte = [0];
        matches!(self.stream.poll_peek(cx, &mut ReadBuf::new(&mut byte)), Poll::Ready(Ok(0) | Err(_)))
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before && self.connection.phase() == Phase::Idle {
            self.connection.enter(Phase::Head);
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !self.connection.writes_answer() {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.connection.writes_answer() {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        if polled.is_ready() {
            self.connection.flushed();
            if self.connection.phase() == Phase::Feed && self.is_left(cx) {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The body of a request or of an answer, which tells [`Connection`] when its reader is done with it.
pub(super) struct WatchedBody<B> {
    body: B,
    connection: Arc<Connection>,
    ended: fn(&Connection),
}

impl WatchedBody<Incoming> {
    pub(super) fn of_request(body: Incoming, connection: Arc<Connection>) -> WatchedBody<Incoming> {
        connection.enter(Phase::Body);
        WatchedBody { body, connection, ended: Connection::end_body }
    }
}

impl<B> WatchedBody<B> {
    pub(super) fn of_answer(body: B, connection: Arc<Connection>) -> WatchedBody<B> {
        connection.is_answering.store(true, Ordering::Relaxed);
        connection.enter(Phase::Answer);
        WatchedBody { body, connection, ended: Connection::end_answer }
    }
}

impl<B: Body + Unpin> Body for WatchedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_at_work_makes_no_room_not_even_later() {
        let connection = Connection::new(Instant::now());
        for (phase, goes) in [
            (Phase::Idle, true),
            (Phase::Head, true),
            (Phase::Body, true),
            (Phase::Request, false),
            (Phase::Answer, false),
            (Phase::Feed, false),
        ] {
            connection.enter(phase);
            connection.stamp();
            assert_eq!(connection.turn_to_go().is_some(), goes, "{phase:?}");
            connection.make_room();
            assert_eq!(connection.must_make_room(), goes, "{phase:?}");
            connection.enter(Phase::Idle);
            assert!(!connection.must_make_room(), "an order counts once");
        }
        connection.drain();
        assert!(connection.is_draining() && !connection.must_make_room());
    }
}
