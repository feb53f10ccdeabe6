//! The phase of a connection, and since when. The timeouts and the choice of a connection to evict depend on it.
//!
//! The task of the connection writes this state, and the listener reads it and sends orders. A request costs a few
//! writes to memory, and the clock is read once per wake-up.
//!
//! One thing stays unseen: if the first bytes of a next head arrive together with the request before, they wait in
//! hyper's buffer. The connection then counts as idle until more of that head arrives.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use super::address_group::AddressGroup;
use super::phase::{Phase, Standing};
use super::wire::FIRST_BYTE;

const DRAIN: u8 = 1;
const EVICT: u8 = 2;

/// The client of every connection that is stuck, whoever it is. No address has this number.
const STUCK: u64 = u64::MAX;

/// The state of a connection, shared by its task and the listener.
#[derive(Debug)]
pub(super) struct Connection {
    phase: AtomicU8,
    has_changed: AtomicBool,
    since_ms: AtomicU64,
    /// When the client last read some of an answer that did not fit into the system's buffer.
    progress_ms: AtomicU64,
    has_written: AtomicBool,
    epoch: Instant,
    /// Whether the body of an answer has more to give.
    is_answering: AtomicBool,
    /// Whether a handler got a request since the task was woken.
    has_request: AtomicBool,
    orders: AtomicU8,
    /// The number of the client's [`AddressGroup`] if the last request came through a proxy; else 0.
    client: AtomicU64,
    /// Whether bytes of the client wait in the system. It is known only after an order.
    has_unread: AtomicBool,
    /// Whether the client began with a handshake of TLS.
    speaks_tls: AtomicBool,
    /// How many connections of the listener are ordered to end.
    evictions: Arc<AtomicUsize>,
    waker: OnceLock<Waker>,
}

impl Connection {
    /// A connection that was just accepted. Times are ms since `epoch`, which all connections of a listener share.
    pub(super) fn new(epoch: Instant, evictions: Arc<AtomicUsize>) -> Connection {
        Connection {
            phase: AtomicU8::new(Phase::Accepted as u8),
            has_changed: AtomicBool::new(false),
            since_ms: AtomicU64::new(elapsed_ms(epoch)),
            progress_ms: AtomicU64::new(0),
            has_written: AtomicBool::new(false),
            epoch,
            is_answering: AtomicBool::new(false),
            has_request: AtomicBool::new(false),
            orders: AtomicU8::new(0),
            client: AtomicU64::new(0),
            has_unread: AtomicBool::new(false),
            speaks_tls: AtomicBool::new(false),
            evictions,
            waker: OnceLock::new(),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        Phase::from(self.phase.load(Ordering::Relaxed))
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
        // At the end of a wake-up an answer is still being written only if the system's buffer is full.
        if self.phase() == Phase::WritingAnswer && self.has_written.swap(false, Ordering::Relaxed) {
            self.progress_ms.store(elapsed_ms(self.epoch), Ordering::Relaxed);
        }
    }

    /// When the connection entered its phase. In [`Phase::Handling`] it is the time of the phase before.
    pub(super) fn since(&self) -> Instant {
        self.epoch + Duration::from_millis(self.since_ms.load(Ordering::Relaxed))
    }

    /// The rank of this connection for eviction: the smallest goes first. Of two with the same standing it is the one
    /// without progress for longer. `None` if the connection must stay, or is ordered to end.
    pub(super) fn eviction_rank(&self) -> Option<(Standing, u64)> {
        if self.orders.load(Ordering::Relaxed) & EVICT == 0 { self.rank() } else { None }
    }

    /// Notes whose request a proxy sends on this connection; `None` without a proxy.
    pub(super) fn set_client(&self, client: Option<AddressGroup>) {
        self.client.store(client.map_or(0, AddressGroup::number), Ordering::Relaxed);
    }

    /// Whose crowd this connection belongs to, among the connections of one address. `None` if it is alone: its client is its
    /// address, or it waits for a request of anybody. All stuck connections are one crowd, as if they had one client.
    pub(super) fn crowd(&self) -> Option<u64> {
        match (self.rank(), self.phase()) {
            (Some((Standing::Stuck, _)), _) => Some(STUCK),
            (_, Phase::Accepted | Phase::Idle | Phase::ReadingHead) => None,
            _ => Some(self.client.load(Ordering::Relaxed)).filter(|client| *client != 0),
        }
    }

    fn rank(&self) -> Option<(Standing, u64)> {
        let progress_ms = self.since_ms.load(Ordering::Relaxed).max(self.progress_ms.load(Ordering::Relaxed));
        let age_ms = elapsed_ms(self.epoch).saturating_sub(progress_ms);
        Some((self.phase().standing(Duration::from_millis(age_ms))?, progress_ms))
    }

    /// Notes that the task of the connection is woken.
    pub(super) fn begin_turn(&self) {
        self.has_request.store(false, Ordering::Relaxed);
    }

    /// Whether the next request may go to its handler now. The client must have read the answer before. Each turn of the
    /// task has one request, so that a client that sends many at once gets no more time than others.
    pub(super) fn takes_turn(&self) -> bool {
        self.phase() != Phase::WritingAnswer && !self.has_request.swap(true, Ordering::Relaxed)
    }

    /// Waits until the next request may go to its handler: see [`Connection::takes_turn`].
    pub(super) fn poll_turn(&self, context: &Context<'_>) -> Poll<()> {
        if self.takes_turn() {
            return Poll::Ready(());
        }
        // Otherwise the flush that completes later wakes the task.
        if self.phase() != Phase::WritingAnswer {
            context.waker().wake_by_ref();
        }
        Poll::Pending
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

    /// Notes that bytes of a request arrived. `first` is their first byte.
    pub(super) fn has_read(&self, first: u8) {
        if matches!(self.phase(), Phase::Accepted | Phase::Idle) {
            self.enter(Phase::ReadingHead);
            if first == FIRST_BYTE {
                self.speaks_tls.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Whether the client began with a handshake of TLS where a head of HTTP belongs.
    pub(super) fn speaks_tls(&self) -> bool {
        self.speaks_tls.load(Ordering::Relaxed)
    }

    /// Notes that hyper writes. Returns whether it writes the answer of a handler, and not its own to an unreadable
    /// head.
    pub(super) fn writes_answer(&self) -> bool {
        let phase = self.phase();
        if phase == Phase::AwaitingMore {
            self.enter(Phase::WritingAnswer);
        }
        !matches!(phase, Phase::Accepted | Phase::Idle | Phase::ReadingHead)
    }

    /// Notes that the system took bytes of an answer.
    pub(super) fn has_written(&self) {
        self.has_written.store(true, Ordering::Relaxed);
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

    /// Orders the connection to end now, unless it must stay by the time the order is read.
    pub(super) fn evict(&self) {
        if self.order(EVICT) & EVICT == 0 {
            self.evictions.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Gives an order, and returns the orders before.
    fn order(&self, order: u8) -> u8 {
        let before = self.orders.fetch_or(order, Ordering::Relaxed);
        // Together with the fence in `listen`: either the task sees the order, or this thread sees the waker.
        fence(Ordering::SeqCst);
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
        before
    }

    /// Takes the order to end back.
    fn refuse_eviction(&self) {
        if self.orders.fetch_and(!EVICT, Ordering::Relaxed) & EVICT != 0 {
            self.evictions.fetch_sub(1, Ordering::Relaxed);
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

    /// Whether the connection is ordered to end, now or after its current request.
    pub(super) fn has_orders(&self) -> bool {
        self.orders.load(Ordering::Relaxed) != 0
    }

    /// Notes whether bytes of the client wait in the system, although a read returned none. Under load the runtime reports
    /// bytes late.
    pub(super) fn note_unread(&self, has_unread: bool) {
        self.has_unread.store(has_unread, Ordering::Relaxed);
    }

    /// Whether the next request has begun to arrive, and no read has returned a byte of it. A proxy that gets no answer to it
    /// would report a failure, so the connection must not end now.
    pub(super) fn has_request_waiting(&self) -> bool {
        matches!(self.phase(), Phase::Accepted | Phase::Idle) && self.has_unread.load(Ordering::Relaxed)
    }

    pub(super) fn is_draining(&self) -> bool {
        self.orders.load(Ordering::Relaxed) & DRAIN != 0
    }

    /// Whether the connection must end now, to make place for another. An order that finds a connection busy is taken
    /// back, so it has no effect later.
    pub(super) fn is_evicted(&self) -> bool {
        if self.orders.load(Ordering::Relaxed) & EVICT == 0 {
            return false;
        }
        let may_end = self.rank().is_some() && !self.has_request_waiting();
        if !may_end {
            self.refuse_eviction();
        }
        may_end
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.refuse_eviction();
    }
}

fn elapsed_ms(epoch: Instant) -> u64 {
    u64::try_from(epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn busy_connection_is_not_evicted() {
        let evictions = Arc::new(AtomicUsize::new(0));
        for (phase, is_evictable) in [
            (Phase::Accepted, true),
            (Phase::Idle, true),
            (Phase::ReadingHead, true),
            (Phase::ReadingBody, true),
            (Phase::Handling, false),
            (Phase::WritingAnswer, false),
            (Phase::AwaitingMore, false),
            (Phase::Closing, true),
            (Phase::Handshaking, true),
        ] {
            let connection = Connection::new(Instant::now(), Arc::clone(&evictions));
            connection.enter(phase);
            connection.stamp();
            assert_eq!(connection.eviction_rank().is_some(), is_evictable, "{phase:?}");
            connection.evict();
            assert_eq!(connection.is_evicted(), is_evictable, "{phase:?}");
            assert_eq!(evictions.load(Ordering::Relaxed), usize::from(is_evictable), "{phase:?}");
            connection.enter(Phase::Idle);
            assert_eq!(connection.is_evicted(), is_evictable, "a busy connection forgets the order");
            connection.drain();
            assert!(connection.is_draining());
            drop(connection);
            assert_eq!(evictions.load(Ordering::Relaxed), 0, "{phase:?}");
        }
    }

    /// Between its choice and its end an idle connection may get the next request.
    #[tokio::test(start_paused = true)]
    async fn waiting_request_is_not_evicted() {
        let connection = Connection::new(Instant::now(), Arc::default());
        connection.enter(Phase::Idle);
        connection.evict();
        connection.note_unread(true);
        assert!(connection.has_request_waiting() && !connection.is_evicted());
        assert!(!connection.has_orders(), "the order is taken back");
        connection.enter(Phase::ReadingHead);
        connection.evict();
        assert!(connection.is_evicted(), "more bytes of a request keep no connection");
    }

    #[tokio::test(start_paused = true)]
    async fn unread_answer_is_evictable_without_progress() {
        let connection = Connection::new(Instant::now(), Arc::default());
        connection.begin_answer();
        connection.stamp();
        for _ in 0..5 {
            sleep(Duration::from_millis(90)).await;
            connection.has_written();
            connection.stamp();
            assert_eq!(connection.eviction_rank(), None);
        }
        sleep(Duration::from_millis(100)).await;
        connection.stamp();
        assert_eq!(connection.eviction_rank(), Some((Standing::Stuck, 450)));
    }
}
