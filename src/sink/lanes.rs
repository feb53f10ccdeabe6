//! Several deliveries at once, and still in order within a stream: a batch is split into lanes, of which each is
//! delivered from its first event to its last.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::{DeliveryError, Outcome};
use crate::callback::PartitionKey;
use crate::journal::Record;

/// Positions in a batch, ascending. Events of one stream are all in the same lane.
pub(super) type Lane = Vec<usize>;

/// A lane for each stream, in the order of their first events; a single one for all where one is all that may run at once,
/// so that events then go out in the order in which they came.
pub(super) fn by_stream(batch: &[Record], concurrency: usize) -> Vec<Lane> {
    if concurrency <= 1 {
        return by_hash(batch, 1);
    }
    let mut lanes: Vec<Lane> = Vec::new();
    let mut lane_of = HashMap::new();
    for (position, record) in batch.iter().enumerate() {
        let lane = *lane_of.entry(record.event.partition_key()).or_insert_with(|| {
            lanes.push(Lane::new());
            lanes.len() - 1
        });
        lanes[lane].push(position);
    }
    lanes
}

/// So many lanes, each with many streams. A stream's lane depends on nothing else, so that what is delivered together
/// once is together again when it is tried again.
pub(super) fn by_hash(batch: &[Record], lanes_max: usize) -> Vec<Lane> {
    let mut lanes = vec![Lane::new(); lanes_max.max(1)];
    for (position, record) in batch.iter().enumerate() {
        let mut hasher = DefaultHasher::new();
        record.event.partition_key().hash(&mut hasher);
        let lane = hasher.finish() % lanes.len() as u64;
        lanes[lane as usize].push(position);
    }
    lanes.retain(|lane| !lane.is_empty());
    lanes
}

/// Delivers lanes, at most `concurrency` at once, and puts their answers in the order of the batch. What a lane does not
/// answer for counts as not tried.
pub(super) async fn run<F>(
    batch: &[Record],
    lanes: Vec<Lane>,
    concurrency: usize,
    deliver: impl Fn(Lane) -> F,
) -> Vec<Outcome>
where
    F: Future<Output = Vec<(usize, Outcome)>>,
{
    let mut outcomes = Vec::with_capacity(batch.len());
    let mut waiting = lanes.into_iter();
    let mut running: FuturesUnordered<F> = waiting.by_ref().take(concurrency.max(1)).map(&deliver).collect();
    while let Some(answers) = running.next().await {
        outcomes.extend(answers);
        running.extend(waiting.next().map(&deliver));
    }
    in_place(batch, outcomes)
}

/// Answers in the order of the batch. What there is none for was not tried.
pub(super) fn in_place(batch: &[Record], answers: Vec<(usize, Outcome)>) -> Vec<Outcome> {
    let mut outcomes = vec![Err(DeliveryError::Held); batch.len()];
    for (position, outcome) in answers {
        outcomes[position] = outcome;
    }
    outcomes
}

/// What became of an attempt, and whether the other end seems to take nothing at all.
pub(super) struct Attempt {
    pub(super) outcome: Outcome,
    pub(super) is_outage: bool,
}

/// The way through a lane, one event after the other. One that fails holds up the later ones of its stream; an outage all.
pub(super) struct Walk<'w> {
    batch: &'w [Record],
    lane: std::vec::IntoIter<usize>,
    outages: &'w Outages,
    failed: HashSet<PartitionKey<'w>>,
    outcomes: Vec<(usize, Outcome)>,
}

impl<'w> Walk<'w> {
    pub(super) fn new(batch: &'w [Record], lane: Lane, outages: &'w Outages) -> Walk<'w> {
        let outcomes = Vec::with_capacity(lane.len());
        Walk { batch, lane: lane.into_iter(), outages, failed: HashSet::new(), outcomes }
    }

    /// The next event to try, with its position.
    pub(super) fn next(&mut self) -> Option<(usize, &'w Record)> {
        if self.outages.is_over() {
            return None;
        }
        let free = |position: &usize| !self.failed.contains(&self.batch[*position].event.partition_key());
        self.lane.find(free).map(|position| (position, &self.batch[position]))
    }

    /// Takes what became of it.
    pub(super) fn note(&mut self, position: usize, attempt: Attempt) {
        self.outages.note(&attempt.outcome, attempt.is_outage);
        if matches!(attempt.outcome, Err(DeliveryError::Transient { .. })) {
            self.failed.insert(self.batch[position].event.partition_key());
        }
        self.outcomes.push((position, attempt.outcome));
    }

    /// The answers for all that was tried.
    pub(super) fn finish(self) -> Vec<(usize, Outcome)> {
        self.outcomes
    }
}

/// So many events may be refused for now, one after the other, while others may still pass. More of them are an outage.
const REFUSALS_IN_A_ROW: usize = 5;

/// Tells when the other end takes nothing, so that the rest of a batch is left alone. Once told, it holds to the end of the
/// batch, whatever is still under way. Two things tell it, while nothing is done with for good between:
///
/// - As many outages in a row as deliveries run at once, so that in a true outage nobody waits for more than one of each, and
///   at least two, so that one event that always times out does not keep all others from being tried.
/// - As many transient failures of any kind, and at least [`REFUSALS_IN_A_ROW`].
pub(super) struct Outages {
    outages: AtomicUsize,
    failures: AtomicUsize,
    most: usize,
}

impl Outages {
    /// For one batch.
    pub(super) fn new(concurrency: usize) -> Outages {
        Outages { outages: AtomicUsize::new(0), failures: AtomicUsize::new(0), most: concurrency.max(2) }
    }

    /// Whether nothing more is to be tried.
    pub(super) fn is_over(&self) -> bool {
        self.outages.load(Ordering::Relaxed) >= self.most
            || self.failures.load(Ordering::Relaxed) >= self.most.max(REFUSALS_IN_A_ROW)
    }

    /// Takes note of an attempt.
    pub(super) fn note(&self, outcome: &Outcome, is_outage: bool) {
        if self.is_over() {
            return;
        }
        if matches!(outcome, Ok(()) | Err(DeliveryError::Permanent { .. })) {
            self.outages.store(0, Ordering::Relaxed);
            self.failures.store(0, Ordering::Relaxed);
            return;
        }
        self.outages.fetch_add(usize::from(is_outage), Ordering::Relaxed);
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Tries nothing more.
    pub(super) fn end(&self) {
        self.outages.store(self.most, Ordering::Relaxed);
    }
}

/// The answers for a batch of which nothing could be tried: the first event failed, and no other loses an attempt.
pub(super) fn none_tried(batch: &[Record], error: DeliveryError) -> Vec<Outcome> {
    let mut outcomes = vec![Err(DeliveryError::Held); batch.len()];
    if let Some(first) = outcomes.first_mut() {
        *first = Err(error);
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::sink::fixture::records_of_streams;

    #[test]
    fn a_stream_is_in_one_lane_and_in_order() {
        let batch = records_of_streams(&["a", "b", "a", "c", "b", "a"]);
        assert_eq!(by_stream(&batch, 2), [vec![0, 2, 5], vec![1, 4], vec![3]]);
        assert_eq!(by_stream(&batch, 1), [vec![0, 1, 2, 3, 4, 5]]);
        for lanes_max in [0, 1, 2, 16] {
            let lanes = by_hash(&batch, lanes_max);
            assert!(lanes.len() <= lanes_max.max(1) && lanes.iter().map(Vec::len).sum::<usize>() == batch.len());
            let lane_of = |position| lanes.iter().position(|lane| lane.contains(&position));
            assert!(lane_of(0) == lane_of(2) && lane_of(2) == lane_of(5) && lane_of(1) == lane_of(4));
            assert!(lanes.iter().all(|lane| lane.is_sorted()));
        }
    }

    #[test]
    fn the_lane_of_a_stream_does_not_depend_on_its_company() {
        let all = records_of_streams(&["a", "b", "c", "d", "e"]);
        let some = records_of_streams(&["d", "b"]);
        let together =
            |lanes: Vec<Lane>, one, other| lanes.iter().any(|lane| lane.contains(&one) && lane.contains(&other));
        for lanes_max in 1..8 {
            assert_eq!(together(by_hash(&all, lanes_max), 1, 3), together(by_hash(&some, lanes_max), 0, 1));
        }
    }

    #[tokio::test]
    async fn no_more_lanes_than_allowed_run_at_once_and_answers_find_their_places() {
        let batch = records_of_streams(&["a", "b", "c", "d", "a", "e"]);
        let (running, most) = (Cell::new(0), Cell::new(0));
        let deliver = |lane: Lane| {
            let (running, most) = (&running, &most);
            async move {
                running.set(running.get() + 1);
                most.set(most.get().max(running.get()));
                tokio::task::yield_now().await;
                running.set(running.get() - 1);
                // The last of each is not answered for.
                lane[..lane.len() - 1].iter().map(|position| (*position, Ok(()))).collect()
            }
        };
        let outcomes = run(&batch, by_stream(&batch, 3), 3, deliver).await;
        assert_eq!(most.get(), 3);
        let held = || Err(DeliveryError::Held);
        assert_eq!(outcomes, [Ok(()), held(), held(), held(), held(), held()]);
        assert_eq!(run(&[], Vec::new(), 3, deliver).await, []);
    }

    #[test]
    fn failures_in_a_row_end_a_batch() {
        let (done, failed) = (Ok(()), Err(DeliveryError::transient("away")));
        let refused_for_good = Err(DeliveryError::permanent("no"));
        let outages = Outages::new(3);
        for outcome in [&failed, &failed, &done, &failed, &failed, &refused_for_good, &failed, &failed] {
            outages.note(outcome, outcome == &failed);
            assert!(!outages.is_over());
        }
        outages.note(&failed, true);
        outages.note(&done, false);
        assert!(outages.is_over());
        let outages = Outages::new(0);
        outages.note(&failed, true);
        assert!(!outages.is_over(), "one may be the event's own fault");
        outages.end();
        assert!(outages.is_over());
        for (concurrency, most) in [(1, 5), (4, 5), (16, 16)] {
            let outages = Outages::new(concurrency);
            for _ in 1..most {
                outages.note(&failed, false);
                assert!(!outages.is_over(), "others may pass");
            }
            outages.note(&failed, false);
            assert!(outages.is_over());
        }
    }

    #[test]
    fn a_batch_that_could_not_be_tried_costs_one_attempt() {
        let batch = records_of_streams(&["a", "b"]);
        let error = DeliveryError::transient("away");
        assert_eq!(none_tried(&batch, error.clone()), [Err(error.clone()), Err(DeliveryError::Held)]);
        assert_eq!(none_tried(&[], error), []);
    }
}
