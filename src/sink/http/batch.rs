//! The requests of one batch: which events share a request, in which order requests go out, and which lists are split.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::header::HeaderMap;

use super::body::list_bytes;
use super::connection::Connection;
use super::options::Options;
use crate::callback::PartitionKey;
use crate::journal::Record;
use crate::sink::outage::OutageDetector;
use crate::sink::parallel::{Group, deliver_groups, group_by_hash, group_by_stream};
use crate::sink::{Failure, Format, Outcome};

#[cfg(test)]
mod tests;

/// The result of a batch.
pub(super) struct Delivered {
    /// An outcome for each event, in the order of the batch.
    pub(super) outcomes: Vec<Outcome>,
    /// Whether the next batch should begin with single events.
    pub(super) is_next_cautious: bool,
}

/// Delivers a batch. If `is_cautious`, the first request of each group holds a single event.
///
/// # Errors
/// No request can be made: the bearer token can't be read.
pub(super) async fn deliver(
    options: &Options,
    connection: &Connection,
    batch: &[Record],
    is_cautious: bool,
) -> Result<Delivered, Failure> {
    let concurrency = options.concurrency;
    // A list takes events of many streams, so it needs groups of many streams.
    let groups = match options.batch_events_max {
        1 => group_by_stream(batch, concurrency),
        _ => group_by_hash(batch, concurrency),
    };
    let delivery = Delivery {
        batch,
        headers: connection.headers().await?,
        format: options.format,
        connection,
        events_max: options.batch_events_max,
        bytes_max: options.batch_bytes_max,
        events_first: if is_cautious { 1 } else { options.batch_events_max },
        is_list_unanswered: AtomicBool::new(false),
        outages: OutageDetector::new(concurrency),
    };
    let outcomes = deliver_groups(batch, groups, concurrency, |group| delivery.deliver_group(group)).await;
    let is_next_cautious = delivery.is_list_unanswered.into_inner() || delivery.outages.is_down();
    Ok(Delivered { outcomes, is_next_cautious })
}

/// The delivery of one batch.
struct Delivery<'d> {
    batch: &'d [Record],
    headers: HeaderMap,
    format: Format,
    connection: &'d Connection,
    events_max: usize,
    bytes_max: usize,
    /// The most events in the first request of a group.
    events_first: usize,
    /// Whether a list got no answer and was not split, so that the event at fault is unknown.
    is_list_unanswered: AtomicBool,
    outages: OutageDetector,
}

impl<'d> Delivery<'d> {
    /// Delivers the events of a group in order, and returns the outcome of each with its position in the batch.
    async fn deliver_group(&self, group: Group) -> Vec<(usize, Outcome)> {
        let mut outcomes = Vec::with_capacity(group.len());
        let mut rest = group.as_slice();
        // The parts of lists that were split, the next one last.
        let mut parts: Vec<Group> = Vec::new();
        let mut failed: HashSet<PartitionKey<'d>> = HashSet::new();
        let mut events_max = self.events_first;
        let mut had_answer = true;
        while let Some(mut request) = parts.pop().or_else(|| self.next_request(&mut rest, events_max)) {
            self.hold(&mut request, &failed, &mut outcomes);
            if request.is_empty() {
                continue;
            }
            let records: Vec<&Record> = request.iter().map(|position| &self.batch[*position]).collect();
            let outcome = self.connection.post(&self.headers, &records).await;
            self.note(&outcome, request.len());
            if outcome == Outcome::Delivered {
                outcomes.extend(request.into_iter().map(|position| (position, Outcome::Delivered)));
                // The receiver works, so lists grow again after a cautious start.
                events_max = (2 * events_max).min(self.events_max);
                had_answer = true;
                continue;
            }
            // If half of a list gets no answer either, the receiver may be down, and more requests would only burden it.
            let is_outage = is_outage(&outcome);
            let may_split = !is_outage || (had_answer && !self.outages.is_down());
            had_answer = !is_outage;
            if request.len() > 1 && may_split {
                // The first half goes out next, because events of a stream must stay in order.
                let second = request.split_off(request.len() / 2);
                parts.extend([second, request]);
                continue;
            }
            if matches!(outcome, Outcome::Retry(_)) {
                failed.extend(request.iter().map(|position| self.key(*position)));
            }
            if request.len() > 1 {
                self.is_list_unanswered.store(true, Ordering::Relaxed);
                events_max = 1;
            }
            // The first event takes the blame for its list. The next batch tries it alone, and the others lose no attempt.
            let blamed = std::iter::once(outcome).chain(std::iter::repeat(Outcome::Held));
            outcomes.extend(request.into_iter().zip(blamed));
        }
        outcomes
    }

    /// Takes the events out of a request that must not be tried now, and reports them as held.
    fn hold(&self, request: &mut Group, failed: &HashSet<PartitionKey<'d>>, outcomes: &mut Vec<(usize, Outcome)>) {
        let is_down = self.outages.is_down();
        request.retain(|position| {
            let is_held = is_down || failed.contains(&self.key(*position));
            if is_held {
                outcomes.push((*position, Outcome::Held));
            }
            !is_held
        });
    }

    /// Counts the outcome of a request of `events`. The refusal of a list doesn't count: one event may be at fault.
    fn note(&self, outcome: &Outcome, events: usize) {
        if *outcome != Outcome::Delivered && !is_outage(outcome) && events > 1 {
            return;
        }
        self.outages.note(outcome);
        // The receiver asks for a wait, so the rest of the batch sends it no request.
        if matches!(outcome, Outcome::Retry(Failure { is_outage: true, retry_after: Some(_), .. })) {
            self.outages.declare_down();
        }
    }

    fn key(&self, position: usize) -> PartitionKey<'d> {
        self.batch[position].event.partition_key()
    }

    /// Takes the events of the next request, within the limits. An event that exceeds them alone gets its own request.
    fn next_request(&self, rest: &mut &[usize], events_max: usize) -> Option<Group> {
        let mut bytes = 0;
        let fits = |(count, position): (usize, &usize)| {
            bytes += self.format.text(&self.batch[*position].event).len();
            count == 0 || count < events_max && list_bytes(bytes, count + 1) <= self.bytes_max
        };
        let count = rest.iter().enumerate().map(fits).take_while(|fits| *fits).count();
        let (request, after) = rest.split_at(count);
        *rest = after;
        (!request.is_empty()).then(|| request.to_vec())
    }
}

/// Whether the request failed like every other one now. A doubtful list is split, because one of its events may be at fault.
fn is_outage(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Retry(Failure { is_outage: true, is_doubtful: false, .. }))
}
