//! The phase of a connection, and since when. The timeouts and the choice of a connection to evict depend on it.
//!
//! The task of the connection writes this state, and the listener reads it and sends orders. A request costs a few
//! writes to memory, and the clock is read once per wake-up.
//!
//! One thing stays unseen: if the first bytes of a next head arrive together with the request before, they wait in
//! hyper's buffer. The connection then counts as idle until more of that head arrives.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering, fence};
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::time::Instant;

/// The phase of a connection, in the order in which a request passes through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Phase {
    /// Between requests, or accepted and silent.
    Idle = 0,
    /// The head of a request has begun to arrive.
    ReadingHead = 1,
    /// The body of a request is arriving. Its handler limits the time for it.
    ReadingBody = 2,
    /// The handler has the whole request, and limits the time of its answer.
    Handling = 3,
    /// The answer is being written, and the client must read it.
    WritingAnswer = 4,
    /// The client has read the answer so far, and the handler will add more, as the feed of the API does.
    AwaitingMore = 5,
}

impl Phase {
    /// Whether closing the connection loses nothing, because no whole request has arrived.
    fn is_evictable(self) -> bool {
        matches!(self, Phase::Idle | Phase::ReadingHead | Phase::ReadingBody)
    }
}

const DRAIN: u8 = 1;
const EVICT: u8 = 2;

/// The state of a connection, shared by its task and the listener.
#[derive(Debug)]
pub(super) struct Connection {
    phase: AtomicU8,
    has_changed: AtomicBool,
    since_ms: AtomicU64,
    epoch: Instant,
    /// Whether the body of an answer has more to give.
    is_answering: AtomicBool,
    orders: AtomicU8,
    waker: OnceLock<Waker>,
}

impl Connection {
    /// A connection that was just accepted. Times are ms since `epoch`, which all connections of a listener share.
    pub(super) fn new(epoch: Instant) -> Connection {
        Connection {
            phase: AtomicU8::new(Phase::Idle as u8),
            has_changed: AtomicBool::new(false),
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
            1 => Phase::ReadingHead,
            2 => Phase::ReadingBody,
            3 => Phase::Handling,
            4 => Phase::WritingAnswer,
            _ => Phase::AwaitingMore,
        }
    }

    /// Enters a phase. The next [`Connection::stamp`] sets its time.
    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        self.has_changed.store(true, Ordering::Relaxed);
    }

    /// Stores the time if the phase has changed since the last stamp. [`Phase::Handling`] gets no time of its own, so
    /// that a request reads the clock once, after its answer.
    pub(super) fn stamp(&self) {
        if self.has_changed.load(Ordering::Relaxed) && self.phase() != Phase::Handling {
            self.has_changed.store(false, Ordering::Relaxed);
            self.since_ms.store(elapsed_ms(self.epoch), Ordering::Relaxed);
        }
    }

    /// When the connection entered its phase. In [`Phase::Handling`] it is the time of the phase before.
    pub(super) fn since(&self) -> Instant {
        self.epoch + Duration::from_millis(self.since_ms.load(Ordering::Relaxed))
    }

    /// The rank of this connection for eviction: the smallest of all goes first. That is the longest idle one, then the
    /// longest sending a head, then the longest sending a body. `None` if a handler has its request.
    pub(super) fn eviction_rank(&self) -> Option<(Phase, u64)> {
        let phase = self.phase();
        phase.is_evictable().then(|| (phase, self.since_ms.load(Ordering::Relaxed)))
    }

    /// Notes that an answer is about to be written.
    pub(super) fn begin_answer(&self) {
        self.is_answering.store(true, Ordering::Relaxed);
        self.enter(Phase::WritingAnswer);
    }

    /// Notes that hyper has taken all of the answer.
    pub(super) fn end_answer(&self) {
        self.is_answering.store(false, Ordering::Relaxed);
    }

    /// Notes that the body of the request was read to its end, or dropped.
    pub(super) fn end_body(&self) {
        if self.phase() == Phase::ReadingBody {
            self.enter(Phase::Handling);
        }
    }

    /// Notes that bytes of a request arrived.
    pub(super) fn has_read(&self) {
        if self.phase() == Phase::Idle {
            self.enter(Phase::ReadingHead);
        }
    }

    /// Notes that hyper writes. Returns whether it writes the answer of a handler, and not its own to an unreadable
    /// head.
    pub(super) fn writes_answer(&self) -> bool {
        let phase = self.phase();
        if phase == Phase::AwaitingMore {
            self.enter(Phase::WritingAnswer);
        }
        !matches!(phase, Phase::Idle | Phase::ReadingHead)
    }

    /// Notes that hyper flushed. It does so when it has nothing left to write, so the answer so far is on its way.
    pub(super) fn has_flushed(&self) {
        match (self.phase(), self.is_answering.load(Ordering::Relaxed)) {
            (Phase::WritingAnswer | Phase::AwaitingMore, false) => self.enter(Phase::Idle),
            (Phase::WritingAnswer, true) => self.enter(Phase::AwaitingMore),
            _ => {}
        }
    }

    /// Orders the connection to end after its current request.
    pub(super) fn drain(&self) {
        self.order(DRAIN);
    }

    /// Orders the connection to end now, unless a whole request has arrived by the time the order is read.
    pub(super) fn evict(&self) {
        self.order(EVICT);
    }

    fn order(&self, order: u8) {
        self.orders.fetch_or(order, Ordering::Relaxed);
        // Together with the fence in `listen`: either the task sees the order, or this thread sees the waker.
        fence(Ordering::SeqCst);
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    /// Lets orders wake the task of `context`. Call it in every poll. A task keeps its waker, so only the first call
    /// stores it.
    pub(super) fn listen(&self, context: &Context<'_>) {
        if self.waker.get().is_none() {
            let _ = self.waker.set(context.waker().clone());
            fence(Ordering::SeqCst);
        }
    }

    pub(super) fn is_draining(&self) -> bool {
        self.orders.load(Ordering::Relaxed) & DRAIN != 0
    }

    /// Whether the connection must close now, to make place for another. This consumes the order, so an order that
    /// comes while a handler has a request has no effect later.
    pub(super) fn is_evicted(&self) -> bool {
        self.orders.load(Ordering::Relaxed) & EVICT != 0
            && self.orders.fetch_and(!EVICT, Ordering::Relaxed) & EVICT != 0
            && self.phase().is_evictable()
    }
}

fn elapsed_ms(epoch: Instant) -> u64 {
    u64::try_from(epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_connection_is_not_evicted() {
        let connection = Connection::new(Instant::now());
        for (phase, is_evictable) in [
            (Phase::Idle, true),
            (Phase::ReadingHead, true),
            (Phase::ReadingBody, true),
            (Phase::Handling, false),
            (Phase::WritingAnswer, false),
            (Phase::AwaitingMore, false),
        ] {
            connection.enter(phase);
            connection.stamp();
            assert_eq!(connection.eviction_rank().is_some(), is_evictable, "{phase:?}");
            connection.evict();
            assert_eq!(connection.is_evicted(), is_evictable, "{phase:?}");
            connection.enter(Phase::Idle);
            assert!(!connection.is_evicted(), "an order counts once, also if the connection was too busy for it");
        }
        connection.drain();
        assert!(connection.is_draining() && !connection.is_evicted());
    }
}
