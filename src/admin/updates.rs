//! Says at most twice a second which streams have new events, so that open pages know when to renew themselves.
//!
//! An open page needs no event, so this is much cheaper than the feed. Without open pages, nothing is read.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{broadcast, watch};
use tokio::time::sleep;

use super::api::Api;
use crate::journal::Offset;
use crate::session::StreamKey;

/// How long an update waits for the one before.
const PACE: Duration = Duration::from_millis(500);

/// If more events came since the last update, the streams are not read.
const RECORDS_MAX: usize = 1000;

/// A page that is more updates behind renews itself without knowing the streams.
const UPDATES_MAX: usize = 16;

/// The streams with new events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Update {
    /// These alone.
    Of(HashSet<StreamKey>),
    /// Any.
    Any,
}

impl Update {
    /// Whether the stream may have a new event.
    pub(super) fn is_about(&self, stream: &StreamKey) -> bool {
        match self {
            Update::Of(streams) => streams.contains(stream),
            Update::Any => true,
        }
    }
}

/// The updates of one service.
pub(super) struct Updates {
    sender: broadcast::Sender<Arc<Update>>,
    number: AtomicU64,
}

impl Default for Updates {
    fn default() -> Updates {
        Updates { sender: broadcast::Sender::new(UPDATES_MAX), number: AtomicU64::new(0) }
    }
}

impl Updates {
    /// Returns the updates from now on.
    pub(super) fn subscribe(&self) -> broadcast::Receiver<Arc<Update>> {
        self.sender.subscribe()
    }

    /// Returns a number that grows before each update.
    pub(super) fn number(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    /// Sends updates until the service is stopping.
    pub(super) async fn run(&self, api: &Arc<Api>) {
        let mut stopping = api.feed().stopping();
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => {}
            () = self.follow(api.feed().horizon(), |after, until| streams(Arc::clone(api), after, until).boxed()) => {}
        }
    }

    /// Sends an update when the horizon moves. `read` returns the update about the records after one offset and up to another.
    async fn follow(
        &self,
        mut horizon: watch::Receiver<Offset>,
        read: impl Fn(Offset, Offset) -> BoxFuture<'static, Update>,
    ) {
        let mut place = *horizon.borrow_and_update();
        while horizon.changed().await.is_ok() {
            let until = *horizon.borrow_and_update();
            let update = if self.sender.receiver_count() > 0 { Some(read(place, until).await) } else { None };
            place = until;
            // A page that asks because of this update must not get a rendering from before it.
            self.number.fetch_add(1, Ordering::Relaxed);
            if let Some(update) = update {
                // It fails if every page was closed while the streams were read.
                let _ = self.sender.send(Arc::new(update));
                sleep(PACE).await;
            }
        }
    }
}

/// Reads which streams have events after one offset and up to another.
async fn streams(api: Arc<Api>, after: Offset, until: Offset) -> Update {
    // The index goes back when it is rebuilt.
    if until < after {
        return Update::Any;
    }
    let read = api.query(move |reader| {
        let records = reader.journal.read(after, RECORDS_MAX)?;
        if records.len() == RECORDS_MAX && records.last().is_some_and(|last| last.offset < until) {
            return Ok(Update::Any);
        }
        let records = records.iter().filter(|record| record.offset <= until);
        Ok(Update::Of(records.map(|record| StreamKey::of(record.event.partition_key())).collect()))
    });
    // The readers have logged the cause.
    read.await.unwrap_or(Update::Any)
}

#[cfg(test)]
mod tests {
    use tokio::sync::broadcast::error::TryRecvError;
    use tokio::time::Instant;

    use super::*;

    /// An update that names the records instead of streams.
    fn named(after: i64, until: i64) -> Update {
        Update::Of(HashSet::from([StreamKey::from_text(&format!("{after}-{until}"))]))
    }

    async fn next(updates: &mut broadcast::Receiver<Arc<Update>>) -> Update {
        updates.recv().await.unwrap().as_ref().clone()
    }

    #[tokio::test(start_paused = true)]
    async fn updates_come_at_once_and_then_paced() {
        let updates = Arc::new(Updates::default());
        let horizon = watch::Sender::new(Offset(7));
        tokio::spawn({
            let (updates, horizon) = (Arc::clone(&updates), horizon.subscribe());
            async move { updates.follow(horizon, |after, until| async move { named(after.0, until.0) }.boxed()).await }
        });
        tokio::task::yield_now().await;
        horizon.send_replace(Offset(8));
        sleep(PACE).await;
        assert_eq!(updates.number(), 1, "a rendering of before is not shared, also if no page was open");

        let mut page = updates.subscribe();
        assert!(matches!(page.try_recv(), Err(TryRecvError::Empty)));
        let began = Instant::now();
        horizon.send_replace(Offset(9));
        assert_eq!(next(&mut page).await, named(8, 9));
        assert_eq!((began.elapsed(), updates.number()), (Duration::ZERO, 2));
        for until in 10..20 {
            horizon.send_replace(Offset(until));
            sleep(PACE / 20).await;
        }
        assert_eq!(next(&mut page).await, named(9, 19));
        assert_eq!(began.elapsed(), PACE);
        horizon.send_replace(Offset(3));
        assert_eq!(next(&mut page).await, named(19, 3));
        assert_eq!((began.elapsed(), updates.number()), (2 * PACE, 4));
    }

    #[test]
    fn update_is_about_its_streams() {
        let stream = |name: &str| StreamKey::from_parts("push.example.com", "live", name);
        let update = Update::Of(HashSet::from([stream("a")]));
        assert!(update.is_about(&stream("a")) && !update.is_about(&stream("b")));
        assert!(Update::Any.is_about(&stream("b")));
    }
}
