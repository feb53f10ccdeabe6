//! One subscriber: what it is sent, from where it begins until it goes.
//!
//! It holds a page of records while it is behind, and a batch that it shares with others after that; what it has no time
//! to take is not kept for it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream, stream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::batch::{self, Batch};
use super::feeder::{Feed, Join};
use super::filter::Filter;
use super::point::{Gap, JournalMark};
use crate::admin::api::text_of;
use crate::admin::problem::Problem;
use crate::journal::Offset;

/// After how long a client that has lost its connection is to come back, in ms.
const RETRY_MS: u32 = 3000;

/// A subscriber's share of the feed ends early.
#[derive(Debug, thiserror::Error)]
pub(super) enum CutOff {
    /// It is too far behind.
    #[error("the subscriber reads too slowly")]
    TooSlow,
    /// What it is behind cannot be read.
    #[error("the journal or the index cannot be read")]
    Unreadable,
}

/// Where a subscriber begins.
#[derive(Debug)]
pub(super) struct Start {
    /// The journal.
    pub(super) mark: JournalMark,
    /// It gets what comes after this.
    pub(super) place: Offset,
    /// What it asked for and does not get.
    pub(super) gap: Option<Gap>,
}

pub(super) struct Subscriber {
    feed: Arc<Feed>,
    peer: SocketAddr,
    filter: Arc<Filter>,
    mark: JournalMark,
    /// Every record up to here is sent, in `pieces`, or not wanted.
    place: Offset,
    /// What is to be sent next.
    pieces: VecDeque<Bytes>,
    /// What comes after that; `None` while it is behind.
    batches: Option<broadcast::Receiver<Arc<Batch>>>,
    /// What it is waiting for while it is behind. Its turn to read is not given up for a heartbeat.
    reading: Option<BoxFuture<'static, Result<Vec<Batch>, Problem>>>,
    heartbeat: Interval,
    _seat: OwnedSemaphorePermit,
}

impl Subscriber {
    /// Makes a subscriber. Every `heartbeat` it is sent something even where there is nothing to tell.
    pub(super) fn new(
        feed: Arc<Feed>,
        seat: OwnedSemaphorePermit,
        peer: SocketAddr,
        filter: Filter,
        start: Start,
        heartbeat: Duration,
    ) -> Subscriber {
        let Start { mark, place, gap } = start;
        let mut text = format!("retry: {RETRY_MS}\n");
        if let Some(gap) = gap {
            batch::message(&mut text, "gap", &text_of(&gap));
        }
        // It may break off before its first message, and should come back to where it began.
        batch::id(&mut text, &mark.at(place));
        let mut heartbeat = interval_at(Instant::now() + heartbeat, heartbeat);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Subscriber {
            feed,
            peer,
            filter: Arc::new(filter),
            mark,
            place,
            pieces: VecDeque::from([Bytes::from(text)]),
            batches: None,
            reading: None,
            heartbeat,
            _seat: seat,
        }
    }

    /// Everything that it is sent.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Bytes, CutOff>> + Send {
        stream::unfold(Some(self), |subscriber| async {
            let mut subscriber = subscriber?;
            match subscriber.next().await {
                Ok(Some(piece)) => Some((Ok(piece), Some(subscriber))),
                Ok(None) => None,
                Err(cut_off) => Some((Err(cut_off), None)),
            }
        })
    }

    /// The next piece; `None` where the service is stopping.
    async fn next(&mut self) -> Result<Option<Bytes>, CutOff> {
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                return Ok(Some(piece));
            }
            if let Some(reading) = &mut self.reading {
                let page = tokio::select! {
                    page = reading => page,
                    _ = self.heartbeat.tick() => return Ok(Some(self.heartbeat_text())),
                };
                self.reading = None;
                for batch in page.map_err(|_| CutOff::Unreadable)? {
                    self.take(&batch);
                }
                continue;
            }
            let Some(batches) = &mut self.batches else {
                if self.heartbeat.tick().now_or_never().is_some() {
                    return Ok(Some(self.heartbeat_text()));
                }
                match self.feed.join(self.place) {
                    Join::Live(batches) => self.batches = Some(batches),
                    Join::Behind(until) => {
                        let page = Arc::clone(&self.feed).page(self.place, until, Arc::clone(&self.filter));
                        self.reading = Some(Box::pin(page));
                    }
                    Join::Wait => self.wait().await,
                    Join::Stop => return Ok(None),
                }
                continue;
            };
            let received = tokio::select! {
                received = batches.recv() => received,
                _ = self.heartbeat.tick() => return Ok(Some(self.heartbeat_text())),
            };
            match received {
                Ok(batch) => self.take(&batch),
                Err(RecvError::Closed) => return Ok(None),
                Err(RecvError::Lagged(_)) => {
                    self.feed.log_cut_off(self.peer);
                    return Err(CutOff::TooSlow);
                }
            }
        }
    }

    fn take(&mut self, batch: &Batch) {
        self.pieces.extend(batch.pieces(&self.filter, self.place));
        self.place = self.place.max(batch.until);
    }

    /// Returns when it is worth asking again how to go on.
    async fn wait(&mut self) {
        let mut stopping = self.feed.stopping();
        tokio::select! {
            () = self.feed.readable_after(self.place) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
            _ = self.heartbeat.tick() => self.pieces.push_back(self.heartbeat_text()),
        }
    }

    /// A comment, with the id that a subscriber has got to for which nothing was to be told.
    fn heartbeat_text(&self) -> Bytes {
        let mut text = ": heartbeat\n".to_owned();
        batch::id(&mut text, &self.mark.at(self.place));
        Bytes::from(text)
    }
}
