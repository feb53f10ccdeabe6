//! One subscriber: the messages that it gets, from the place where it begins until it ends.
//!
//! A subscriber that is behind holds a page of records. One that is not holds a batch that it shares with others. The feed keeps
//! nothing else for a client that does not read.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream, stream};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::batch::{self, Batch};
use super::feeder::{Feed, Join};
use super::filter::Filter;
use super::point::JournalMark;
use super::seats::Seat;
use super::start::Start;
use crate::admin::api::json::json;
use crate::admin::event_stream::RETRY_MS;
use crate::admin::problem::Problem;
use crate::journal::Offset;

/// Why the feed of a subscriber ends early.
#[derive(Debug, thiserror::Error)]
pub(in crate::admin::api) enum CutOff {
    /// The subscriber is too far behind.
    #[error("the subscriber reads too slowly")]
    TooSlow,
    /// The records that it is behind cannot be read.
    #[error("the journal or the index cannot be read")]
    Unreadable,
}

/// A subscriber of the feed.
pub(in crate::admin::api) struct Subscriber {
    feed: Arc<Feed>,
    peer: SocketAddr,
    filter: Arc<Filter>,
    mark: JournalMark,
    /// Every record up to this one was sent, is in `pieces`, or was filtered out.
    place: Offset,
    /// The text to send next.
    pieces: VecDeque<Bytes>,
    /// The batches after that; `None` while the subscriber is behind.
    batches: Option<broadcast::Receiver<Arc<Batch>>>,
    /// The page that it waits for while it is behind. It is kept across heartbeats, so that the subscriber keeps its turn.
    reading: Option<BoxFuture<'static, Result<Vec<Batch>, Problem>>>,
    heartbeat: Interval,
    _seat: Seat,
}

impl Subscriber {
    /// Makes a subscriber. If nothing else is sent, it gets a comment every `heartbeat`.
    pub(in crate::admin::api) fn new(
        feed: Arc<Feed>,
        seat: Seat,
        peer: SocketAddr,
        filter: Filter,
        start: Start,
        heartbeat: Duration,
    ) -> Subscriber {
        let Start { mark, place, gap } = start;
        let mut text = format!("retry: {RETRY_MS}\n");
        if let Some(gap) = gap {
            batch::message(&mut text, "gap", &json(&gap));
        }
        // If the connection breaks before the first message, the client comes back to this place.
        batch::id(&mut text, &mark.at(place));
        let mut heartbeat = interval_at(Instant::now() + heartbeat, heartbeat);
        // After a pause one heartbeat is enough, whatever the number of missed ones.
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

    /// Returns the text that the subscriber gets.
    pub(in crate::admin::api) fn into_stream(self) -> impl Stream<Item = Result<Bytes, CutOff>> + Send {
        stream::unfold(Some(self), |subscriber| async {
            let mut subscriber = subscriber?;
            match subscriber.next().await {
                Ok(Some(piece)) => Some((Ok(piece), Some(subscriber))),
                Ok(None) => None,
                Err(cut_off) => Some((Err(cut_off), None)),
            }
        })
    }

    /// Returns the next piece of text; `None` if the service is stopping.
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
                // Many pages can pass without a message for this filter, and proxies end silent connections.
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
                    // The channel has dropped batches, so the subscriber could only go on with a hole.
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

    /// Returns when [`Feed::join`] may have another result.
    async fn wait(&mut self) {
        let mut stopping = self.feed.stopping();
        tokio::select! {
            () = self.feed.readable_after(self.place) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
            _ = self.heartbeat.tick() => self.pieces.push_back(self.heartbeat_text()),
        }
    }

    /// Returns a comment, with the id up to which everything was sent or filtered out.
    fn heartbeat_text(&self) -> Bytes {
        let mut text = ": heartbeat\n".to_owned();
        batch::id(&mut text, &self.mark.at(self.place));
        Bytes::from(text)
    }
}
