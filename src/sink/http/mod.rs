//! The sink `http`: POSTs each event, or a list of them, to a receiver of the user's own.
//!
//! `options` is what can be configured, `connection` makes a request of events, `signature` signs it, and `answer` says
//! what its answer means. Here is in which order requests are made: several at once, those of one stream one after the
//! other. A list that is refused is split until what is refused stands alone, so that its neighbours pass.
//!
//! A receiver that answers nothing gets nothing more for now: what was not tried is answered as held, and the delivery
//! worker decides when to try again.

mod answer;
mod connection;
mod options;
mod signature;
#[cfg(test)]
mod tests;

use std::collections::{HashSet, VecDeque};

use async_trait::async_trait;
use reqwest::header::HeaderMap;

use super::lanes::{self, Lane, Outages};
use super::{DeliveryError, Outcome, Sink};
use crate::callback::PartitionKey;
use crate::journal::{Offset, Record, Records};
use answer::Verdict;
use connection::{Connection, list_bytes};

pub use options::{Headers, Options, TargetUrl};
pub use signature::{SecretError, WebhookSecret};

/// Posts to a receiver.
pub struct HttpSink {
    options: Options,
    connection: Option<Connection>,
}

impl HttpSink {
    /// Makes the sink. It touches nothing before it resumes.
    pub fn new(options: Options) -> HttpSink {
        HttpSink { options, connection: None }
    }

    async fn try_deliver(&mut self, batch: &[Record]) -> Result<Vec<Outcome>, DeliveryError> {
        let HttpSink { options, connection } = self;
        let connection = connected(connection, options).await?;
        let concurrency = options.concurrency;
        let lanes = match options.batch_events_max {
            1 => lanes::by_stream(batch, concurrency),
            _ => lanes::by_hash(batch, concurrency),
        };
        let delivery = Delivery {
            batch,
            headers: connection.headers().await?,
            connection,
            events_max: options.batch_events_max,
            bytes_max: options.batch_bytes_max,
            outages: Outages::new(concurrency),
        };
        Ok(lanes::run(batch, lanes, concurrency, |lane| delivery.lane(lane)).await)
    }
}

/// The connection, made where there is none yet.
async fn connected<'c>(
    connection: &'c mut Option<Connection>,
    options: &Options,
) -> Result<&'c Connection, DeliveryError> {
    match connection {
        Some(connection) => Ok(connection),
        none => Ok(none.insert(Connection::new(options).await?)),
    }
}

#[async_trait]
impl Sink for HttpSink {
    async fn resume(&mut self, cursor: Offset, _: Option<&[u8]>, _: &dyn Records) -> Result<Offset, DeliveryError> {
        connected(&mut self.connection, &self.options).await?;
        Ok(cursor)
    }

    /// A future that is dropped takes its requests with it: what was under way may have arrived, and comes again.
    async fn deliver(&mut self, batch: &[Record]) -> Vec<Outcome> {
        match self.try_deliver(batch).await {
            Ok(outcomes) => outcomes,
            Err(error) => lanes::none_tried(batch, error),
        }
    }

    async fn probe(&mut self) -> Result<String, DeliveryError> {
        connected(&mut self.connection, &self.options).await?.probe().await
    }
}

/// One batch on its way.
struct Delivery<'d> {
    batch: &'d [Record],
    headers: HeaderMap,
    connection: &'d Connection,
    events_max: usize,
    bytes_max: usize,
    outages: Outages,
}

impl<'d> Delivery<'d> {
    /// Delivers the events of a lane in order.
    async fn lane(&self, lane: Lane) -> Vec<(usize, Outcome)> {
        let mut outcomes = Vec::with_capacity(lane.len());
        let mut waiting: VecDeque<Lane> = self.requests(lane).into();
        let mut failed: HashSet<PartitionKey<'d>> = HashSet::new();
        while let Some(mut request) = waiting.pop_front() {
            let is_over = self.outages.is_over();
            request.retain(|position| {
                let is_held = is_over || failed.contains(&self.key(*position));
                if is_held {
                    outcomes.push((*position, Err(DeliveryError::Held)));
                }
                !is_held
            });
            if request.is_empty() {
                continue;
            }
            let records: Vec<&Record> = request.iter().map(|position| &self.batch[*position]).collect();
            let verdict = self.connection.post(&self.headers, &records).await;
            self.outages.note(matches!(verdict, Verdict::Outage(_)));
            if let Verdict::Outage(DeliveryError::Transient { retry_after: Some(_), .. }) = verdict {
                self.outages.end();
            }
            let error = match verdict {
                Verdict::Delivered => {
                    outcomes.extend(request.into_iter().map(|position| (position, Ok(()))));
                    continue;
                }
                Verdict::Refused(_) if request.len() > 1 => {
                    let rest = request.split_off(request.len() / 2);
                    waiting.push_front(rest);
                    waiting.push_front(request);
                    continue;
                }
                Verdict::Refused(error) | Verdict::Outage(error) => error,
            };
            if matches!(error, DeliveryError::Transient { .. }) {
                failed.extend(request.iter().map(|position| self.key(*position)));
            }
            outcomes.extend(request.into_iter().map(|position| (position, Err(error.clone()))));
        }
        outcomes
    }

    fn key(&self, position: usize) -> PartitionKey<'d> {
        self.batch[position].event.partition_key()
    }

    /// Splits a lane into requests within the bounds. An event that is too large alone has a request of its own.
    fn requests(&self, lane: Lane) -> Vec<Lane> {
        let mut requests: Vec<Lane> = Vec::new();
        let mut bytes = 0;
        for position in lane {
            bytes += self.batch[position].event.line().len();
            match requests.last_mut() {
                Some(last) if last.len() < self.events_max && list_bytes(bytes, last.len() + 1) <= self.bytes_max => {
                    last.push(position);
                }
                _ => {
                    bytes = self.batch[position].event.line().len();
                    requests.push(vec![position]);
                }
            }
        }
        requests
    }
}
