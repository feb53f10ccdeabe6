//! Requests of people to the worker of a sink: to try again at once, or to give up on events.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use crate::callback::{Event, EventId, NamePattern, PartitionKey};

/// The most requests to give up on events that wait for the worker. A worker in a long delivery takes none.
const SKIPS_MAX: usize = 16;

/// The events to give up on. An event is selected by its id or by its stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SkipSelection {
    /// Ids of events.
    pub ids: Vec<EventId>,
    /// Names of streams, which may contain `*`.
    pub streams: Vec<NamePattern>,
}

impl SkipSelection {
    /// Whether the event is selected.
    pub(super) fn takes(&self, event: &Event) -> bool {
        self.ids.contains(&event.id()) || self.takes_stream(event.partition_key())
    }

    /// Whether all events of the stream are selected.
    pub(super) fn takes_stream(&self, key: PartitionKey<'_>) -> bool {
        let stream = key.stream();
        self.streams.iter().any(|pattern| pattern.matches(&stream))
    }
}

/// A request to give up on events.
#[derive(Debug)]
pub(super) struct Skip {
    pub(super) selection: SkipSelection,
    /// Takes the number of events that are dead letters now.
    pub(super) answer: oneshot::Sender<u64>,
}

/// The requests that the worker of one sink has not taken yet.
#[derive(Debug, Default)]
pub struct Requests {
    is_retry_wanted: AtomicBool,
    skips: Mutex<Skips>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Skips {
    waiting: Vec<Skip>,
    has_worker_stopped: bool,
}

impl Requests {
    /// Ends every pause of the sink.
    pub fn retry(&self) {
        self.is_retry_wanted.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// Makes dead letters of events that the sink has read and not finished. Returns their number, or `None` if the worker has
    /// stopped, the journal failed, or too many such requests are waiting.
    ///
    /// A caller that drops the future before the worker takes the request takes it back.
    pub async fn skip(&self, selection: SkipSelection) -> Option<u64> {
        let (answer, count) = oneshot::channel();
        self.add(Skip { selection, answer });
        self.wake.notify_one();
        count.await.ok()
    }

    /// Adds a request. Without a place for it, drops it, so that its caller gets no answer.
    fn add(&self, skip: Skip) {
        let mut skips = self.skips();
        skips.waiting.retain(|skip| !skip.answer.is_closed());
        if !skips.has_worker_stopped && skips.waiting.len() < SKIPS_MAX {
            skips.waiting.push(skip);
        }
    }

    fn skips(&self) -> MutexGuard<'_, Skips> {
        self.skips.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a retry was requested since the last call.
    pub(super) fn take_retry(&self) -> bool {
        self.is_retry_wanted.swap(false, Ordering::Relaxed)
    }

    /// Takes the requests to give up on events whose callers still wait.
    pub(super) fn take_skips(&self) -> Vec<Skip> {
        let mut taken = std::mem::take(&mut self.skips().waiting);
        taken.retain(|skip| !skip.answer.is_closed());
        taken
    }

    /// Refuses all requests from now on, because the worker stops.
    pub(super) fn close(&self) {
        *self.skips() = Skips { waiting: Vec::new(), has_worker_stopped: true };
    }

    /// Waits for the next request.
    pub(super) async fn wait(&self) {
        self.wake.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn requests_have_a_bound() {
        let requests = Arc::new(Requests::default());
        let skip = || {
            let requests = Arc::clone(&requests);
            tokio::spawn(async move { requests.skip(SkipSelection::default()).await })
        };
        let waiting: Vec<_> = (0..SKIPS_MAX).map(|_| skip()).collect();
        tokio::task::yield_now().await;
        assert_eq!(skip().await.unwrap(), None, "there is no place for it");
        // The callers of all but one don't wait any longer.
        waiting[1..].iter().for_each(tokio::task::JoinHandle::abort);
        tokio::task::yield_now().await;
        let late = skip();
        tokio::task::yield_now().await;
        let taken = requests.take_skips();
        assert_eq!(taken.len(), 2);
        for skip in taken {
            skip.answer.send(7).unwrap();
        }
        assert_eq!(late.await.unwrap(), Some(7));
        let unanswered = skip();
        tokio::task::yield_now().await;
        requests.close();
        assert_eq!((unanswered.await.unwrap(), skip().await.unwrap()), (None, None), "the worker has stopped");
    }
}
