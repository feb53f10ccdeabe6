//! The sink `http`: POSTs each event, or a list of them, to a receiver of the user's own.
//!
//! `options` is what can be configured, `connection` makes a request of events, `signature` signs it, and `answer` says
//! what its answer means. Here is in which order requests are made: several at once, those of one stream one after the
//! other. A list that is refused, or gets no answer, is split until what is at fault stands alone, so that its neighbours pass.
//!
//! A receiver that takes nothing gets nothing more for now: what was not tried is answered as held, and the delivery
//! worker decides when to try again.

mod answer;
mod connection;
mod options;
mod signature;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

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
    /// Whether something in the last batch got no answer that could not be told apart from its neighbours, or nothing did. The
    /// next one begins with single events then.
    is_cautious: bool,
}

impl HttpSink {
    /// Makes the sink. It touches nothing before it resumes.
    pub fn new(options: Options) -> HttpSink {
        HttpSink { options, connection: None, is_cautious: false }
    }

    async fn try_deliver(&mut self, batch: &[Record]) -> Result<Vec<Outcome>, DeliveryError> {
        let HttpSink { options, connection, is_cautious } = self;
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
            events_first: if *is_cautious { 1 } else { options.batch_events_max },
            is_blurred: AtomicBool::new(false),
            outages: Outages::new(concurrency),
        };
        let outcomes = lanes::run(batch, lanes, concurrency, |lane| delivery.lane(lane)).await;
        *is_cautious = delivery.is_blurred.into_inner() || delivery.outages.is_over();
        Ok(outcomes)
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
    /// How many events the first request of a lane may have.
    events_first: usize,
    /// Whether a list was left without an answer, so that nobody knows which of its events is at fault.
    is_blurred: AtomicBool,
    outages: Outages,
}

impl<'d> Delivery<'d> {
    /// Delivers the events of a lane in order.
    async fn lane(&self, lane: Lane) -> Vec<(usize, Outcome)> {
        let mut outcomes = Vec::with_capacity(lane.len());
        let mut rest = lane.as_slice();
        // What was split, the first part last.
        let mut parts: Vec<Lane> = Vec::new();
        let mut failed: HashSet<PartitionKey<'d>> = HashSet::new();
        let mut events_max = self.events_first;
        let mut had_answer = true;
        while let Some(mut request) = parts.pop().or_else(|| self.next_request(&mut rest, events_max)) {
            self.hold(&mut request, &failed, &mut outcomes);
            if request.is_empty() {
                continue;
            }
            let records: Vec<&Record> = request.iter().map(|position| &self.batch[*position]).collect();
            let verdict = self.connection.post(&self.headers, &records).await;
            self.note(&verdict, request.len());
            let is_outage = matches!(verdict, Verdict::Outage(_));
            let error = match verdict {
                Verdict::Delivered => {
                    outcomes.extend(request.into_iter().map(|position| (position, Ok(()))));
                    events_max = (2 * events_max).min(self.events_max);
                    had_answer = true;
                    continue;
                }
                Verdict::Refused(error) | Verdict::Outage(error) => error,
            };
            // Where also the half of a list has no answer, the receiver may be away: more tries would only press it.
            let may_split = !is_outage || (had_answer && !self.outages.is_over());
            had_answer = !is_outage;
            if request.len() > 1 && may_split {
                let second = request.split_off(request.len() / 2);
                parts.extend([second, request]);
                continue;
            }
            if matches!(error, DeliveryError::Transient { .. }) {
                failed.extend(request.iter().map(|position| self.key(*position)));
            }
            if request.len() > 1 {
                self.is_blurred.store(true, Ordering::Relaxed);
                events_max = 1;
            }
            // The first stands for its list: it is tried alone next, and the others lose no attempt by it.
            let blamed = std::iter::once(Err(error)).chain(std::iter::repeat(Err(DeliveryError::Held)));
            outcomes.extend(request.into_iter().zip(blamed));
        }
        outcomes
    }

    /// Takes out of a request what must not be tried now, and answers for it.
    fn hold(&self, request: &mut Lane, failed: &HashSet<PartitionKey<'d>>, outcomes: &mut Vec<(usize, Outcome)>) {
        let is_over = self.outages.is_over();
        request.retain(|position| {
            let is_held = is_over || failed.contains(&self.key(*position));
            if is_held {
                outcomes.push((*position, Err(DeliveryError::Held)));
            }
            !is_held
        });
    }

    /// Takes note of what became of a request. A list that is refused says little yet: it is split.
    fn note(&self, verdict: &Verdict, events: usize) {
        match verdict {
            Verdict::Delivered => self.outages.note(&Ok(()), false),
            Verdict::Refused(error) if events == 1 => self.outages.note(&Err(error.clone()), false),
            Verdict::Refused(_) => {}
            Verdict::Outage(error) => {
                self.outages.note(&Err(error.clone()), true);
                if matches!(error, DeliveryError::Transient { retry_after: Some(_), .. }) {
                    self.outages.end();
                }
            }
        }
    }

    fn key(&self, position: usize) -> PartitionKey<'d> {
        self.batch[position].event.partition_key()
    }

    /// Takes what one request may have, within the bounds; an event that is too large alone has one of its own.
    fn next_request(&self, rest: &mut &[usize], events_max: usize) -> Option<Lane> {
        let mut bytes = 0;
        let fits = |(count, position): (usize, &usize)| {
            bytes += self.batch[*position].event.line().len();
            count == 0 || count < events_max && list_bytes(bytes, count + 1) <= self.bytes_max
        };
        let count = rest.iter().enumerate().map(fits).take_while(|fits| *fits).count();
        let (request, after) = rest.split_at(count);
        *rest = after;
        (!request.is_empty()).then(|| request.to_vec())
    }
}
