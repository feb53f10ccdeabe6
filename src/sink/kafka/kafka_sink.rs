//! The sink itself: keeps the connection, and delivers the events of each partition in order.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::connection::{Connection, Unproduced};
use super::options::Options;
use super::partitioner::partition;
use super::record::{TOPIC_BYTES_MAX, escaped, record};
use crate::journal::Record;
use crate::sink::outage::OutageDetector;
use crate::sink::parallel::{Group, deliver_groups, none_tried};
use crate::sink::{Failure, Outcome, Sink};

/// The most partitions that have a request in flight.
const CONCURRENCY: usize = 16;

/// The most bytes of events in one request. Brokers take 1 MB by default, and a record has more than the event.
const REQUEST_BYTES_MAX: usize = 512 * 1024;

/// Produces events to topics.
pub struct KafkaSink {
    options: Options,
    connection: Option<Connection>,
}

/// The events of one partition.
#[derive(Default)]
struct Partitions {
    groups: BTreeMap<(String, i32), Group>,
    /// The events that belong to no partition, with their outcomes.
    outcomes: Vec<(usize, Outcome)>,
}

impl KafkaSink {
    /// Makes the sink. It touches nothing until it delivers.
    pub fn new(options: Options) -> KafkaSink {
        KafkaSink { options, connection: None }
    }
}

impl Partitions {
    fn of(batch: &[Record], options: &Options, connection: &Connection) -> Partitions {
        let mut partitions = Partitions::default();
        for (position, Record { event, .. }) in batch.iter().enumerate() {
            let topic = options.topic.fill(event, escaped);
            if topic.len() > TOPIC_BYTES_MAX {
                let reason = format!("the topic of the event has more than {TOPIC_BYTES_MAX} bytes");
                partitions.outcomes.push((position, Outcome::Rejected { reason }));
                continue;
            }
            // An unknown topic is found out by the delivery, which holds the events after it.
            let count = connection.partition_count(&topic).unwrap_or(0);
            let partition = partition(event.partition_key().as_str().as_bytes(), count);
            partitions.groups.entry((topic, partition)).or_default().push(position);
        }
        partitions
    }
}

/// Delivers the events of a partition in requests of several events. If the brokers refuse a request, its events go singly. After
/// any other failure the later events wait, so that the order stays.
async fn deliver_partition(
    batch: &[Record],
    (topic, partition): &(String, i32),
    positions: &[usize],
    (connection, options): (&Connection, &Options),
    outages: &OutageDetector,
) -> Vec<(usize, Outcome)> {
    let mut outcomes = Vec::with_capacity(positions.len());
    let (mut done, mut single_until) = (0, 0);
    while done < positions.len() && !outages.is_down() {
        let count = if done < single_until { 1 } else { request_length(batch, &positions[done..], options) };
        let request = &positions[done..done + count];
        let records = request.iter().map(|position| record(&batch[*position].event, options.format)).collect();
        let produced = match connection.partition_count(topic) {
            Ok(_) => connection.produce(topic, *partition, records, options).await,
            Err(failure) => Err(Unproduced::Broken(failure)),
        };
        let outcome = match produced {
            Ok(()) => Outcome::Delivered,
            Err(Unproduced::Refused(reason)) if count == 1 => Outcome::Rejected { reason },
            Err(Unproduced::Refused(_)) => {
                single_until = done + count;
                continue;
            }
            Err(Unproduced::Broken(failure)) => {
                outages.note(&failure.clone().into());
                outcomes.push((request[0], failure.into()));
                break;
            }
        };
        outages.note(&outcome);
        outcomes.extend(request.iter().map(|position| (*position, outcome.clone())));
        done += count;
    }
    outcomes
}

/// How many of these events fit into one request.
fn request_length(batch: &[Record], positions: &[usize], options: &Options) -> usize {
    let mut bytes = 0;
    let fits = |position: &&usize| {
        bytes += batch[**position].event.line().len();
        bytes <= REQUEST_BYTES_MAX
    };
    positions.iter().take(options.batch_events_max).take_while(fits).count().max(1)
}

#[async_trait]
impl Sink for KafkaSink {
    async fn deliver(&mut self, batch: &[Record]) -> Vec<Outcome> {
        // Taken out, so that a delivery that is dropped leaves no connection with answers on the way.
        let open = match self.connection.take() {
            Some(mut open) => open.renew_partition_counts().await.map(|()| open),
            None => Connection::open(&self.options).await,
        };
        let open = match open {
            Ok(open) => open,
            Err(failure) => return none_tried(batch, failure),
        };
        let Partitions { groups, outcomes: rejected } = Partitions::of(batch, &self.options, &open);
        let outages = OutageDetector::new(CONCURRENCY.min(groups.len()));
        let by_first: BTreeMap<usize, (&(String, i32), &Group)> =
            groups.iter().map(|(partition, positions)| (positions[0], (partition, positions))).collect();
        let deliver = |group: Group| {
            let (partition, positions) = by_first[&group[0]];
            deliver_partition(batch, partition, positions, (&open, &self.options), &outages)
        };
        let firsts = by_first.keys().map(|first| vec![*first]).collect();
        let mut outcomes = deliver_groups(batch, firsts, CONCURRENCY, deliver).await;
        for (position, outcome) in rejected {
            outcomes[position] = outcome;
        }
        let has_failed = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Retry(_)));
        self.connection = (!has_failed).then_some(open);
        outcomes
    }

    async fn probe(&mut self) -> Result<String, Failure> {
        let shown = self.options.shown();
        let open = Connection::open(&self.options).await?;
        let topic = self.options.topic.text();
        let Some((start, _)) = topic.split_once('{') else {
            let count = open.partition_count(topic)?;
            return Ok(format!(
                "{shown} can be reached, and has `{topic}` with {count} partitions; livehook sent no event"
            ));
        };
        if open.topics().any(|topic| topic.starts_with(start)) {
            return Ok(format!(
                "{shown} can be reached, and has topics that begin with `{start}`; livehook sent no event"
            ));
        }
        Err(Failure::outage(format!("{shown} has no topic that begins with `{start}`: create the topics")))
    }
}
