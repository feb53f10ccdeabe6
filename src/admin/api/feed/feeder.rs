//! Follows what is committed, and hands it to all subscribers at once.
//!
//! What comes is made into messages once, see [`super::batch`], and shared. A subscriber that is behind reads the journal
//! at its own pace, and joins the others where it meets them: [`Feed::join`] decides that under the lock under which
//! batches go out, so that nothing is missed and nothing comes twice. While nobody subscribes, nothing is done here.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, broadcast, watch};
use tokio::time::sleep;

use super::batch::{Batch, Section, render};
use super::filter::Filter;
use crate::admin::api::readers::Readers;
use crate::admin::problem::Problem;
use crate::clock::Clock;
use crate::http::LogLimit;
use crate::journal::{Journal, Offset};

/// How many records are handed out at a time.
const STEP_RECORDS: usize = 500;

/// How long what comes after that waits for company.
const PACE: Duration = Duration::from_millis(50);

/// How long a journal or an index that cannot be read is left alone.
const FAILURE_WAIT: Duration = Duration::from_secs(5);

/// How many batches a subscriber may be behind before it is cut off.
const BATCHES_MAX: usize = 128;

/// How many records a subscriber that is behind reads at a time. It holds them until they are sent.
const PAGE_RECORDS: usize = 100;

/// How many of those that are behind read at once: others who ask the API have their turn beside them.
const CATCHING_UP_MAX: usize = 2;

/// What the feed is made of, and where it stands.
pub(in crate::admin) struct Feed {
    readers: Arc<Readers>,
    journal: Arc<dyn Journal>,
    /// Up to where everything that is to be told can be read: the index's cursor, or without one the journal's head.
    horizon: watch::Receiver<Offset>,
    stopping: watch::Receiver<bool>,
    clock: Clock,
    subscribers_max: usize,
    seats: Arc<Semaphore>,
    catching_up: Semaphore,
    live: Mutex<Live>,
    joined: Notify,
    cut_off: LogLimit,
}

/// The subscribers that have everything so far.
struct Live {
    /// `None` once nothing comes any more.
    batches: Option<broadcast::Sender<Arc<Batch>>>,
    /// Up to where they have it, as long as there is one.
    place: Offset,
}

/// How a subscriber goes on.
pub(super) enum Join {
    /// With the batches to come.
    Live(broadcast::Receiver<Arc<Batch>>),
    /// With the records up to this one, which it must read itself.
    Behind(Offset),
    /// With what is not there yet, since the index is being made anew.
    Wait,
    /// Not at all: the service is stopping.
    Stop,
}

impl Feed {
    /// Puts the feed together. Nothing is handed out before [`Feed::run`].
    pub(in crate::admin::api) fn new(
        readers: Arc<Readers>,
        journal: Arc<dyn Journal>,
        horizon: watch::Receiver<Offset>,
        stopping: watch::Receiver<bool>,
        subscribers_max: usize,
        clock: Clock,
    ) -> Feed {
        let batches = Some(broadcast::Sender::new(BATCHES_MAX));
        Feed {
            readers,
            journal,
            horizon,
            stopping,
            clock,
            subscribers_max,
            seats: Arc::new(Semaphore::new(subscribers_max.min(Semaphore::MAX_PERMITS))),
            catching_up: Semaphore::new(CATCHING_UP_MAX),
            live: Mutex::new(Live { batches, place: Offset::default() }),
            joined: Notify::new(),
            cut_off: LogLimit::default(),
        }
    }

    /// How many subscribers there are.
    pub(in crate::admin) fn subscribers(&self) -> usize {
        self.subscribers_max.saturating_sub(self.seats.available_permits())
    }

    /// The most subscribers that there may be.
    pub(super) fn subscribers_max(&self) -> usize {
        self.subscribers_max
    }

    /// A seat for one more subscriber, kept as long as what is returned; `None` where all are taken.
    pub(super) fn seat(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.seats).try_acquire_owned().ok()
    }

    /// The newest record of the journal.
    pub(super) fn head(&self) -> Offset {
        self.journal.health().head
    }

    /// What reads the journal and the index.
    pub(super) fn readers(&self) -> &Arc<Readers> {
        &self.readers
    }

    /// Turns true when the service is stopping.
    pub(super) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.clone()
    }

    /// Hands out what comes until the service is stopping. The subscribers end then.
    pub(in crate::admin) async fn run(&self) {
        let mut stopping = self.stopping.clone();
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => {}
            () = self.follow() => {}
        }
        self.lock().batches = None;
    }

    async fn follow(&self) {
        let mut horizon = self.horizon.clone();
        loop {
            let Some(place) = self.live_place() else {
                self.joined.notified().await;
                continue;
            };
            let until = *horizon.borrow_and_update();
            if until <= place {
                if horizon.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let section = Section { after: place, until, records_max: STEP_RECORDS };
            let pause = match self.render(section, Arc::default()).await {
                Ok(batches) => {
                    self.hand_out(batches);
                    PACE
                }
                Err(_) => FAILURE_WAIT,
            };
            sleep(pause).await;
        }
    }

    /// Where those stand that have everything so far; `None` where nobody does.
    fn live_place(&self) -> Option<Offset> {
        let live = self.lock();
        let has_receivers = live.batches.as_ref().is_some_and(|batches| batches.receiver_count() > 0);
        has_receivers.then_some(live.place)
    }

    fn hand_out(&self, made: Vec<Batch>) {
        let mut live = self.lock();
        let Live { batches: Some(batches), place } = &mut *live else { return };
        for batch in made {
            // All may have gone and others come meanwhile, who stand elsewhere.
            if batch.after == *place {
                *place = batch.until;
                let _ = batches.send(Arc::new(batch));
            }
        }
    }

    async fn render(&self, section: Section, filter: Arc<Filter>) -> Result<Vec<Batch>, Problem> {
        let now_ms = (self.clock)();
        self.readers.ask_in_turn(move |reader| render(reader, section, &filter, now_ms)).await
    }

    /// The next records for a subscriber that is behind: after `after`, some or all of those up to `until`. Its turn may be
    /// long in coming.
    pub(super) async fn page(
        self: Arc<Feed>,
        after: Offset,
        until: Offset,
        filter: Arc<Filter>,
    ) -> Result<Vec<Batch>, Problem> {
        let _turn = self.catching_up.acquire().await.map_err(|_| Problem::internal())?;
        self.render(Section { after, until, records_max: PAGE_RECORDS }, filter).await
    }

    /// How a subscriber goes on that has everything up to `place`.
    pub(super) fn join(&self, place: Offset) -> Join {
        let mut live = self.lock();
        let Live { batches: Some(batches), place: live_place } = &mut *live else { return Join::Stop };
        if *self.stopping.borrow() {
            return Join::Stop;
        }
        let horizon = *self.horizon.borrow();
        if batches.receiver_count() == 0 {
            // It is the first one, so nobody misses what lies before its place.
            *live_place = horizon.max(place);
        }
        if *live_place <= place {
            let receiver = batches.subscribe();
            self.joined.notify_one();
            return Join::Live(receiver);
        }
        let readable = horizon.min(*live_place);
        if place < readable { Join::Behind(readable) } else { Join::Wait }
    }

    /// Returns when something can be read after `place`.
    pub(super) async fn readable_after(&self, place: Offset) {
        let _ = self.horizon.clone().wait_for(|horizon| *horizon > place).await;
    }

    /// Logs, at a bounded rate, that a subscriber is cut off since it reads too slowly.
    pub(super) fn log_cut_off(&self, peer: SocketAddr) {
        if let Some(suppressed) = self.cut_off.admit("feed_too_slow", Instant::now()) {
            let client = peer.ip().to_canonical();
            tracing::warn!(
                %client, suppressed,
                "a subscriber of the feed was cut off: it reads too slowly; it may come back with its Last-Event-ID",
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
