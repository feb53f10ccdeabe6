//! What waits for the writer: events from requests, and progress of consumers.
//!
//! A lock and a condition variable in place of a channel, since the writer takes all that is there at once, and since
//! progress may wait a moment for company where an event may not.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::change::{Slice, Sliced};
use super::{AppendError, Appended, JournalError, Progress};
use crate::callback::Event;

/// How long the progress of a consumer waits for events with which to share a sync.
const RIDE: Duration = Duration::from_millis(50);

/// An event, and who waits for it to be durable.
pub(super) struct Append {
    pub(super) event: Event,
    pub(super) reply: oneshot::Sender<Result<Appended, AppendError>>,
}

/// Progress of the consumer of that number, and who waits for it to be durable.
pub(super) struct Advance {
    pub(super) consumer: usize,
    pub(super) progress: Progress,
    pub(super) reply: oneshot::Sender<Result<(), JournalError>>,
}

/// A part of what people change, and who waits for it to be durable.
pub(super) struct Alter {
    pub(super) slice: Slice,
    pub(super) reply: oneshot::Sender<Result<Sliced, JournalError>>,
}

/// What the writer takes in one turn. All may be empty: then it is time for its housekeeping.
#[derive(Default)]
pub(super) struct Work {
    pub(super) appends: Vec<Append>,
    pub(super) advances: Vec<Advance>,
    pub(super) alters: Vec<Alter>,
    /// The queue is closed and this is the rest.
    pub(super) is_last: bool,
}

pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    appends_max: usize,
    batch_max: usize,
}

#[derive(Default)]
struct Waiting {
    appends: VecDeque<Append>,
    /// How many of `appends` are handed over, the first ones.
    handed_over: usize,
    advances: Vec<Advance>,
    alters: Vec<Alter>,
    /// When the first of `advances` came.
    since: Option<Instant>,
    is_urgent: bool,
    is_closed: bool,
    /// Since when the writer is at what it has taken; `None` where it waits for work.
    taken: Option<Instant>,
}

impl Waiting {
    fn unanswered(&self, now: Instant) -> Duration {
        self.taken.map_or(Duration::ZERO, |taken| now.saturating_duration_since(taken))
    }
}

impl Queue {
    /// An empty queue that holds `appends_max` events and gives out `batch_max` at a time.
    pub(super) fn new(appends_max: usize, batch_max: usize) -> Queue {
        Queue { waiting: Mutex::default(), changed: Condvar::new(), appends_max, batch_max }
    }

    /// How long the writer has been at what it took last, at a moment.
    pub(super) fn unanswered(&self, now: Instant) -> Duration {
        self.lock().unanswered(now)
    }

    /// Adds an event. The writer sees it after [`Queue::hand_over`], which serves any number of them.
    pub(super) fn append(&self, append: Append, now: Instant) -> Result<(), AppendError> {
        let mut waiting = self.lock();
        if let Some(stalled) = AppendError::of_stall(waiting.unanswered(now)) {
            return Err(stalled);
        }
        if waiting.is_closed {
            return Err(AppendError::Closed);
        }
        if waiting.appends.len() >= self.appends_max {
            return Err(AppendError::Overloaded);
        }
        waiting.appends.push_back(append);
        Ok(())
    }

    /// How many events wait to be handed over.
    pub(super) fn gathered(&self) -> usize {
        let waiting = self.lock();
        waiting.appends.len() - waiting.handed_over
    }

    /// Lets the writer see all events that were added, and wakes it if it waits.
    pub(super) fn hand_over(&self) {
        let mut waiting = self.lock();
        waiting.handed_over = waiting.appends.len();
        drop(waiting);
        self.changed.notify_one();
    }

    /// Bounded by the number of consumers, since each has one advance on its way at most.
    pub(super) fn advance(&self, advance: Advance) -> Result<(), JournalError> {
        let mut waiting = self.lock();
        if waiting.is_closed {
            return Err(JournalError::Closed);
        }
        waiting.is_urgent |= advance.progress.urgent;
        waiting.since.get_or_insert_with(Instant::now);
        waiting.advances.push(advance);
        drop(waiting);
        self.changed.notify_one();
        Ok(())
    }

    /// Bounded by the requests that are answered at once, since each has one on its way at most.
    pub(super) fn alter(&self, alter: Alter) -> Result<(), JournalError> {
        let mut waiting = self.lock();
        if waiting.is_closed {
            return Err(JournalError::Closed);
        }
        waiting.alters.push(alter);
        drop(waiting);
        self.changed.notify_one();
        Ok(())
    }

    /// Lets nothing more in; what waits is still given out.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.hand_over();
    }

    /// Waits until there is work, at most for `patience`.
    pub(super) fn take(&self, patience: Duration) -> Work {
        let until = Instant::now() + patience;
        let mut waiting = self.lock();
        waiting.taken = None;
        loop {
            let now = Instant::now();
            let ride_ends = waiting.since.map(|since| since + RIDE);
            let is_due = waiting.is_closed
                || waiting.is_urgent
                || waiting.handed_over > 0
                || !waiting.alters.is_empty()
                || now >= until
                || ride_ends.is_some_and(|ride_ends| now >= ride_ends);
            if is_due {
                let count = waiting.handed_over.min(self.batch_max);
                let appends = waiting.appends.drain(..count).collect();
                waiting.handed_over -= count;
                waiting.since = None;
                waiting.is_urgent = false;
                waiting.taken = Some(now);
                let advances = std::mem::take(&mut waiting.advances);
                let alters = std::mem::take(&mut waiting.alters);
                return Work { appends, advances, alters, is_last: waiting.is_closed && waiting.appends.is_empty() };
            }
            let wake = ride_ends.map_or(until, |ride_ends| ride_ends.min(until));
            waiting = self.changed.wait_timeout(waiting, wake - now).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_events::event;
    use super::*;

    fn append(number: u32) -> Append {
        Append { event: event(number), reply: oneshot::channel().0 }
    }

    fn advance(urgent: bool) -> Advance {
        Advance { consumer: 0, progress: Progress { urgent, ..Progress::default() }, reply: oneshot::channel().0 }
    }

    #[test]
    fn gives_out_batches_in_order_and_sheds_what_is_too_much() {
        let queue = Queue::new(3, 2);
        for number in 0..3 {
            queue.append(append(number), Instant::now()).unwrap();
        }
        assert_eq!(queue.append(append(3), Instant::now()), Err(AppendError::Overloaded));
        assert!(queue.take(Duration::ZERO).appends.is_empty(), "nothing is handed over yet");
        assert_eq!(queue.gathered(), 3);
        queue.hand_over();
        let numbers = |work: Work| work.appends.into_iter().map(|append| append.event).collect::<Vec<_>>();
        assert_eq!(numbers(queue.take(Duration::ZERO)), [event(0), event(1)]);
        assert_eq!(numbers(queue.take(Duration::ZERO)), [event(2)]);
        assert_eq!(numbers(queue.take(Duration::ZERO)), []);
    }

    #[test]
    fn progress_waits_for_company_unless_it_is_urgent() {
        let queue = Queue::new(3, 2);
        queue.advance(advance(false)).unwrap();
        assert!(queue.take(Duration::ZERO).advances.len() == 1, "patience ends every wait");
        queue.advance(advance(false)).unwrap();
        let began = Instant::now();
        assert_eq!(queue.take(Duration::from_secs(60)).advances.len(), 1);
        assert!(began.elapsed() >= RIDE / 2);
        queue.advance(advance(false)).unwrap();
        queue.append(append(1), Instant::now()).unwrap();
        queue.hand_over();
        let work = queue.take(Duration::from_secs(60));
        assert_eq!((work.appends.len(), work.advances.len()), (1, 1));
        queue.advance(advance(true)).unwrap();
        assert_eq!(queue.take(Duration::from_secs(60)).advances.len(), 1);
    }

    #[test]
    fn a_writer_that_does_not_come_back_is_noticed_and_gets_no_more_until_it_does() {
        let queue = Queue::new(3, 2);
        let began = Instant::now();
        assert_eq!(queue.unanswered(began + Duration::from_secs(60)), Duration::ZERO, "nothing was taken");
        queue.append(append(1), began).unwrap();
        queue.hand_over();
        queue.take(Duration::ZERO);
        let (soon, late) = (began + Duration::from_secs(4), Instant::now() + Duration::from_secs(5));
        queue.append(append(2), soon).unwrap();
        assert_eq!(queue.append(append(3), late), Err(AppendError::Stalled(5)));
        queue.take(Duration::ZERO);
        queue.append(append(3), late - Duration::from_secs(4)).unwrap();
    }

    #[test]
    fn a_closed_queue_gives_out_the_rest() {
        let queue = Queue::new(3, 2);
        for number in 0..3 {
            queue.append(append(number), Instant::now()).unwrap();
        }
        queue.close();
        assert_eq!(queue.append(append(4), Instant::now()), Err(AppendError::Closed));
        assert!(matches!(queue.advance(advance(true)), Err(JournalError::Closed)));
        assert!(!queue.take(Duration::from_secs(60)).is_last);
        assert!(queue.take(Duration::from_secs(60)).is_last);
    }
}
