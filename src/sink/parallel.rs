//! Delivers several streams at once, and the events of each stream in order: a batch is split into groups, and each group is
//! delivered from its first event to its last.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::contract::{Failure, Outcome};
use super::outage::OutageDetector;
use crate::callback::PartitionKey;
use crate::journal::Record;

/// Positions in a batch, ascending. All events of a stream are in the same group.
pub(super) type Group = Vec<usize>;

/// Makes a group of each stream, in the order of their first events. If only one delivery may run at once, all events are one
/// group, so that they go out in the order in which they came.
pub(super) fn group_by_stream(batch: &[Record], concurrency: usize) -> Vec<Group> {
    if concurrency <= 1 {
        return group_by_hash(batch, 1);
    }
    let mut groups: Vec<Group> = Vec::new();
    let mut group_of = HashMap::new();
    for (position, record) in batch.iter().enumerate() {
        let group = *group_of.entry(record.event.partition_key()).or_insert_with(|| {
            groups.push(Group::new());
            groups.len() - 1
        });
        groups[group].push(position);
    }
    groups
}

/// Makes at most `groups_max` groups of many streams each. The hash of a stream alone decides its group, so that streams that
/// share a request share it again in the next attempt.
pub(super) fn group_by_hash(batch: &[Record], groups_max: usize) -> Vec<Group> {
    let mut groups = vec![Group::new(); groups_max.max(1)];
    for (position, record) in batch.iter().enumerate() {
        // Its keys are fixed, unlike those of a `HashMap`, so a stream keeps its group.
        let mut hasher = DefaultHasher::new();
        record.event.partition_key().hash(&mut hasher);
        let group = hasher.finish() % groups.len() as u64;
        groups[group as usize].push(position);
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// Delivers the groups, at most `concurrency` at once, and returns the outcomes in the order of the batch. An event without
/// an outcome is held.
pub(super) async fn deliver_groups<F>(
    batch: &[Record],
    groups: Vec<Group>,
    concurrency: usize,
    deliver: impl Fn(Group) -> F,
) -> Vec<Outcome>
where
    F: Future<Output = Vec<(usize, Outcome)>>,
{
    let mut outcomes = Vec::with_capacity(batch.len());
    let mut waiting = groups.into_iter();
    let mut running: FuturesUnordered<F> = waiting.by_ref().take(concurrency.max(1)).map(&deliver).collect();
    while let Some(delivered) = running.next().await {
        outcomes.extend(delivered);
        running.extend(waiting.next().map(&deliver));
    }
    in_order(batch, outcomes)
}

/// Returns the outcomes in the order of the batch. An event without an outcome is held.
pub(super) fn in_order(batch: &[Record], outcomes: Vec<(usize, Outcome)>) -> Vec<Outcome> {
    // Groups finish in any order, but the worker pairs outcomes with events by position.
    let mut ordered = vec![Outcome::Held; batch.len()];
    for (position, outcome) in outcomes {
        ordered[position] = outcome;
    }
    ordered
}

/// The delivery of one group, one event after another. An event that fails holds up the later ones of its stream; an outage
/// holds up all.
pub(super) struct GroupDelivery<'b> {
    batch: &'b [Record],
    rest: std::vec::IntoIter<usize>,
    outages: &'b OutageDetector,
    failed: HashSet<PartitionKey<'b>>,
    outcomes: Vec<(usize, Outcome)>,
}

impl<'b> GroupDelivery<'b> {
    pub(super) fn new(batch: &'b [Record], group: Group, outages: &'b OutageDetector) -> GroupDelivery<'b> {
        let outcomes = Vec::with_capacity(group.len());
        GroupDelivery { batch, rest: group.into_iter(), outages, failed: HashSet::new(), outcomes }
    }

    /// Returns the next event to try, with its position in the batch.
    pub(super) fn next(&mut self) -> Option<(usize, &'b Record)> {
        if self.outages.is_down() {
            return None;
        }
        let is_free = |position: &usize| !self.failed.contains(&self.batch[*position].event.partition_key());
        self.rest.find(is_free).map(|position| (position, &self.batch[position]))
    }

    /// Stores the outcome of an event.
    pub(super) fn note(&mut self, position: usize, outcome: Outcome) {
        self.outages.note(&outcome);
        // A rejected event is finished, so the later events of its stream may pass.
        if matches!(outcome, Outcome::Retry(_)) {
            self.failed.insert(self.batch[position].event.partition_key());
        }
        self.outcomes.push((position, outcome));
    }

    /// Returns the outcome of every event that was tried, with its position in the batch.
    pub(super) fn finish(self) -> Vec<(usize, Outcome)> {
        self.outcomes
    }
}

/// The outcomes of a batch if the sink could try no event: only the first one fails, so that no other loses an attempt.
pub(super) fn none_tried(batch: &[Record], failure: Failure) -> Vec<Outcome> {
    let mut outcomes = vec![Outcome::Held; batch.len()];
    if let Some(first) = outcomes.first_mut() {
        *first = Outcome::Retry(failure);
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::sink::testing::records_of_streams;

    #[test]
    fn a_stream_is_in_one_group_and_in_order() {
        let batch = records_of_streams(&["a", "b", "a", "c", "b", "a"]);
        assert_eq!(group_by_stream(&batch, 2), [vec![0, 2, 5], vec![1, 4], vec![3]]);
        assert_eq!(group_by_stream(&batch, 1), [vec![0, 1, 2, 3, 4, 5]]);
        for groups_max in [0, 1, 2, 16] {
            let groups = group_by_hash(&batch, groups_max);
            assert!(groups.len() <= groups_max.max(1));
            assert_eq!(groups.iter().map(Vec::len).sum::<usize>(), batch.len());
            let group_of = |position| groups.iter().position(|group| group.contains(&position));
            assert!(group_of(0) == group_of(2) && group_of(2) == group_of(5) && group_of(1) == group_of(4));
            assert!(groups.iter().all(|group| group.is_sorted()));
        }
    }

    #[test]
    fn a_streams_group_ignores_other_streams() {
        let all = records_of_streams(&["a", "b", "c", "d", "e"]);
        let some = records_of_streams(&["d", "b"]);
        let share_a_group =
            |groups: Vec<Group>, one, other| groups.iter().any(|group| group.contains(&one) && group.contains(&other));
        for groups_max in 1..8 {
            let among_all = share_a_group(group_by_hash(&all, groups_max), 1, 3);
            assert_eq!(among_all, share_a_group(group_by_hash(&some, groups_max), 0, 1));
        }
    }

    #[tokio::test]
    async fn groups_run_within_the_concurrency_limit() {
        let batch = records_of_streams(&["a", "b", "c", "d", "a", "e"]);
        let (running, running_max) = (Cell::new(0), Cell::new(0));
        let deliver = |group: Group| {
            let (running, running_max) = (&running, &running_max);
            async move {
                running.set(running.get() + 1);
                running_max.set(running_max.get().max(running.get()));
                tokio::task::yield_now().await;
                running.set(running.get() - 1);
                // The last event of each group gets no outcome.
                group[..group.len() - 1].iter().map(|position| (*position, Outcome::Delivered)).collect()
            }
        };
        let outcomes = deliver_groups(&batch, group_by_stream(&batch, 3), 3, deliver).await;
        assert_eq!(running_max.get(), 3);
        assert_eq!(outcomes[0], Outcome::Delivered);
        assert_eq!(outcomes[1..], vec![Outcome::Held; 5]);
        assert_eq!(deliver_groups(&[], Vec::new(), 3, deliver).await, []);
    }

    #[test]
    fn an_untried_batch_costs_one_attempt() {
        let batch = records_of_streams(&["a", "b"]);
        let failure = Failure::outage("away");
        assert_eq!(none_tried(&batch, failure.clone()), [Outcome::Retry(failure.clone()), Outcome::Held]);
        assert_eq!(none_tried(&[], failure), []);
    }
}
