//! Follows what is committed, and sends it to all subscribers at once.
//!
//! New records are turned into messages once ([`super::batch`]) and shared. A subscriber that is behind reads the journal at its
//! own pace, until it has reached the others. [`Feed::join`] decides that under the lock under which batches are sent, so
//! that a subscriber misses nothing and gets nothing twice. Without subscribers nothing is read.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, Semaphore, broadcast, watch};
use tokio::time::sleep;

use super::batch::{Batch, Section, render};
use super::filter::Filter;
use super::seats::{Seat, Seats};
use crate::admin::api::readers::Readers;
use crate::admin::problem::Problem;
use crate::clock::Clock;
use crate::http::LogLimit;
use crate::journal::{Journal, Offset};

/// How many records are sent at a time.
const STEP_RECORDS: usize = 500;

/// How long the feed waits after each step, so that the next step has more records.
const PACE: Duration = Duration::from_millis(50);

/// How long the feed waits if the journal or the index cannot be read.
const FAILURE_WAIT: Duration = Duration::from_secs(5);

/// A subscriber that is more batches behind is disconnected.
const BATCHES_MAX: usize = 128;

/// How many records a subscriber that is behind reads at a time. It holds them until they are sent.
const PAGE_RECORDS: usize = 100;

/// How many subscribers that are behind read at once. The other readers stay free for queries.
const CATCHING_UP_MAX: usize = 2;

/// The feed of one service.
pub(in crate::admin) struct Feed {
    readers: Arc<Readers>,
    journal: Arc<dyn Journal>,
    /// The last record that can be sent: the index's cursor, or the journal's head if there is no index.
    horizon: watch::Receiver<Offset>,
    stopping: watch::Receiver<bool>,
    clock: Clock,
    seats: Seats,
    catching_up: Semaphore,
    live: Mutex<Live>,
    joined: Notify,
    log_limit: LogLimit,
}

/// The subscribers that have everything so far.
struct Live {
    /// `None` after the feed has ended.
    batches: Option<broadcast::Sender<Arc<Batch>>>,
    /// The last record that they have. Without subscribers it has no meaning.
    place: Offset,
}

/// How a subscriber goes on.
pub(super) enum Join {
    /// It gets the next batches.
    Live(broadcast::Receiver<Arc<Batch>>),
    /// It must read the records up to this one by itself.
    Behind(Offset),
    /// It waits, because the index is being rebuilt and is behind the subscriber.
    Wait,
    /// It ends, because the service is stopping.
    Stop,
}

impl Feed {
    /// Makes the feed. It sends nothing before [`Feed::run`].
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
            seats: Seats::new(subscribers_max),
            catching_up: Semaphore::new(CATCHING_UP_MAX),
            live: Mutex::new(Live { batches, place: Offset::default() }),
            joined: Notify::new(),
            log_limit: LogLimit::default(),
        }
    }

    /// Returns the number of subscribers.
    pub(in crate::admin) fn subscribers(&self) -> usize {
        self.seats.taken()
    }

    /// Changes how many subscribers there can be. If there are more, they stay.
    pub(in crate::admin) fn set_subscribers_max(&self, subscribers_max: usize) {
        self.seats.set_most(subscribers_max);
    }

    /// Takes a seat for a subscriber, which is free again when it is dropped.
    ///
    /// # Errors
    /// All seats are taken, or the service is stopping.
    pub(in crate::admin) fn take_seat(&self) -> Result<Seat, Problem> {
        // Clients reconnect when their feed ends, and would keep a stopping service busy.
        if *self.stopping.borrow() {
            return Err(Problem::stopping());
        }
        self.seats.take().map_err(|most| {
            Problem::unavailable(
                "unavailable",
                format!(
                    "there are {most} subscribers, and `admin.subscribers_max` and the limit of open files allow no more: try again later"
                ),
            )
        })
    }

    /// Returns the newest record of the journal.
    pub(in crate::admin::api) fn head(&self) -> Offset {
        self.journal.health().head
    }

    /// Returns the readers of the journal and the index.
    pub(in crate::admin::api) fn readers(&self) -> &Arc<Readers> {
        &self.readers
    }

    /// The last record that can be sent.
    pub(in crate::admin) fn horizon(&self) -> watch::Receiver<Offset> {
        self.horizon.clone()
    }

    /// Turns true when the service is stopping.
    pub(in crate::admin) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.clone()
    }

    /// Sends new records until the service is stopping. Then the subscribers end.
    pub(in crate::admin) async fn run(&self) {
        let mut stopping = self.stopping.clone();
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => {}
            () = self.follow() => {}
        }
        // Dropping the sender ends every subscriber.
        self.lock().batches = None;
    }

    async fn follow(&self) {
        let mut horizon = self.horizon.clone();
        loop {
            let Some(place) = self.live_place() else {
                self.joined.notified().await;
                continue;
            };
            // Marks the value as seen, so that `changed` waits for a later one.
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
                    self.send(batches);
                    PACE
                }
                // The readers have logged the cause.
                Err(_) => FAILURE_WAIT,
            };
            sleep(pause).await;
        }
    }

    /// Returns the last record that live subscribers have; `None` if there are none.
    fn live_place(&self) -> Option<Offset> {
        let live = self.lock();
        let has_receivers = live.batches.as_ref().is_some_and(|batches| batches.receiver_count() > 0);
        has_receivers.then_some(live.place)
    }

    fn send(&self, made: Vec<Batch>) {
        let mut live = self.lock();
        let Live { batches: Some(batches), place } = &mut *live else { return };
        for batch in made {
            // While the batch was made, all subscribers may have left, and a new one may have set another place.
            if batch.after == *place {
                *place = batch.until;
                let _ = batches.send(Arc::new(batch));
            }
        }
    }

    async fn render(&self, section: Section, filter: Arc<Filter>) -> Result<Vec<Batch>, Problem> {
        let now_ms = (self.clock)();
        self.readers.run_in_turn(move |reader| render(reader, section, &filter, now_ms)).await
    }

    /// Reads the next records after `after`, not beyond `until`, for a subscriber that is behind. It waits for its turn, which can
    /// take long.
    pub(super) async fn page(
        self: Arc<Feed>,
        after: Offset,
        until: Offset,
        filter: Arc<Filter>,
    ) -> Result<Vec<Batch>, Problem> {
        let _turn = self.catching_up.acquire().await.map_err(|_| Problem::internal())?;
        self.render(Section { after, until, records_max: PAGE_RECORDS }, filter).await
    }

    /// Returns how a subscriber goes on that has everything up to `place`.
    pub(super) fn join(&self, place: Offset) -> Join {
        let mut live = self.lock();
        let Live { batches: Some(batches), place: live_place } = &mut *live else { return Join::Stop };
        if *self.stopping.borrow() {
            return Join::Stop;
        }
        let horizon = *self.horizon.borrow();
        if batches.receiver_count() == 0 {
            // No other subscriber needs the records before this place.
            *live_place = horizon.max(place);
        }
        if *live_place <= place {
            let receiver = batches.subscribe();
            // The feed rests while it has no subscribers.
            self.joined.notify_one();
            return Join::Live(receiver);
        }
        // Records above the place of the others will be sent to all, and must not come twice.
        let readable = horizon.min(*live_place);
        if place < readable { Join::Behind(readable) } else { Join::Wait }
    }

    /// Returns when a record after `place` can be read.
    pub(super) async fn readable_after(&self, place: Offset) {
        let _ = self.horizon.clone().wait_for(|horizon| *horizon > place).await;
    }

    /// Logs, at a bounded rate, that a subscriber is disconnected because it reads too slowly.
    pub(super) fn log_cut_off(&self, peer: SocketAddr) {
        if let Some(suppressed) = self.log_limit.admit("feed_too_slow", Instant::now()) {
            let client = peer.ip().to_canonical();
            tracing::warn!(
                %client, suppressed,
                "a subscriber of the feed was disconnected, because it reads too slowly; it can reconnect with its Last-Event-ID",
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
