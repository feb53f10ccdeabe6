//! Doubtful failures: answers that mostly mean an outage, but may also mean that the destination refuses one event for good.
//!
//! While no event passes, the destination is at fault, and its events wait. If other events pass, the event is at fault. If other
//! events passed in the batch in which it failed first, and none comes later, its own further failures decide.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::journal::{Offset, Record};
use crate::sink::{Failure, Outcome};

/// The failures after which an event is at fault, counted from the first event that passed after its first failure. More than
/// one, because a destination that is being repaired or replaced refuses some requests and takes others.
const FAILURES_MAX: u32 = 3;

/// The failures after which an event is at fault without a later event. Many more, because the events that passed in its first
/// batch may have passed before the destination broke. With the usual pauses, these take some five minutes.
const FAILURES_ALONE_MAX: u32 = 20;

/// The most events that are remembered. An event that is forgotten starts again with no failure.
const EVENTS_MAX: usize = 10_000;

/// The doubtful failures of one sink.
#[derive(Default)]
pub(super) struct Doubts {
    /// How many events passed since the start of the process.
    passed: u64,
    /// How many events have failed for the first time.
    doubted: u64,
    events: HashMap<Offset, Doubt>,
}

/// The doubtful failures of one event.
struct Doubt {
    /// How many events had passed when the event failed first.
    passed_before: u64,
    /// The failures since then, without those before another event passed.
    failures: u32,
    /// The failures since then, as long as no other event passes or fails after its first batch.
    failures_alone: u32,
    /// How many events had failed for the first time, at the end of that batch. `None` if no event passed in it.
    doubted_before: Option<u64>,
}

impl Doubt {
    /// Takes in another failure, and returns whether the event is at fault. Before this batch, `passed` events had passed and
    /// `doubted` had failed.
    fn is_at_fault(&mut self, passed: u64, doubted: u64) -> bool {
        self.failures += u32::from(passed > self.passed_before);
        self.failures_alone += u32::from(self.doubted_before == Some(doubted));
        self.failures >= FAILURES_MAX || self.failures_alone >= FAILURES_ALONE_MAX
    }
}

impl Doubts {
    /// Takes in the outcomes of a batch, and turns a doubtful failure into a rejection if the event is at fault.
    pub(super) fn decide(&mut self, batch: &[Record], outcomes: &mut [Outcome]) {
        // The order within a batch is unknown, so an event that passes counts from the next batch on.
        let passed_before = self.passed;
        let passed = outcomes.iter().filter(|outcome| **outcome == Outcome::Delivered).count() as u64;
        self.passed += passed;
        if self.events.len() > EVENTS_MAX {
            self.events.clear();
        }
        let new = batch
            .iter()
            .zip(&*outcomes)
            .filter(|(record, outcome)| is_doubtful(outcome) && !self.events.contains_key(&record.offset));
        self.doubted += new.count() as u64;
        for (record, outcome) in batch.iter().zip(outcomes) {
            match outcome {
                Outcome::Held => {}
                Outcome::Retry(Failure { is_doubtful: true, reason, .. }) => match self.events.entry(record.offset) {
                    Entry::Vacant(place) => {
                        let doubted_before = (passed > 0).then_some(self.doubted);
                        place.insert(Doubt {
                            passed_before: self.passed,
                            failures: 0,
                            failures_alone: 0,
                            doubted_before,
                        });
                    }
                    Entry::Occupied(mut doubt) => {
                        if doubt.get_mut().is_at_fault(passed_before, self.doubted) {
                            doubt.remove();
                            *outcome = Outcome::rejected(format!("{reason} (other events pass)"));
                        }
                    }
                },
                _ => {
                    self.events.remove(&record.offset);
                }
            }
        }
    }
}

fn is_doubtful(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Retry(Failure { is_doubtful: true, .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::testing::event_of;

    fn decided(doubts: &mut Doubts, outcomes: &[(i64, Outcome)]) -> Vec<Outcome> {
        let record = |(offset, _): &(i64, Outcome)| Record { offset: Offset(*offset), event: event_of("s", 1) };
        let batch: Vec<Record> = outcomes.iter().map(record).collect();
        let mut outcomes: Vec<Outcome> = outcomes.iter().map(|(_, outcome)| outcome.clone()).collect();
        doubts.decide(&batch, &mut outcomes);
        outcomes
    }

    fn doubtful() -> Outcome {
        Failure { is_doubtful: true, ..Failure::outage("404") }.into()
    }

    #[test]
    fn events_wait_while_none_passes() {
        let mut doubts = Doubts::default();
        decided(&mut doubts, &[(1, Outcome::Delivered)]);
        for _ in 0..100 {
            let outcomes = decided(&mut doubts, &[(2, doubtful()), (3, doubtful()), (4, Outcome::Held)]);
            assert_eq!(outcomes, [doubtful(), doubtful(), Outcome::Held]);
        }
        // The destination was set up, so the events pass at last.
        decided(&mut doubts, &[(2, Outcome::Delivered), (3, Outcome::Delivered)]);
        assert_eq!(decided(&mut doubts, &[(2, doubtful())]), [doubtful()], "a replay starts without a failure");
    }

    #[test]
    fn an_event_is_at_fault_if_others_pass() {
        let mut doubts = Doubts::default();
        let together = decided(&mut doubts, &[(1, doubtful()), (2, Outcome::Delivered)]);
        assert_eq!(together[0], doubtful(), "the other event may have passed first");
        assert_eq!(decided(&mut doubts, &[(1, doubtful())]), [doubtful()]);
        assert_eq!(decided(&mut doubts, &[(1, doubtful()), (3, Outcome::Delivered)])[0], doubtful());
        assert_eq!(decided(&mut doubts, &[(1, doubtful())]), [doubtful()]);
        assert_eq!(decided(&mut doubts, &[(1, doubtful())]), [doubtful()]);
        assert_eq!(decided(&mut doubts, &[(1, doubtful())]), [Outcome::rejected("404 (other events pass)")]);
    }

    #[test]
    fn a_mixed_batch_ends_without_later_events() {
        let mut doubts = Doubts::default();
        let mixed = [(1, doubtful()), (2, Outcome::Delivered), (3, doubtful())];
        assert_eq!(decided(&mut doubts, &mixed)[2], doubtful());
        for _ in 1..FAILURES_ALONE_MAX {
            assert_eq!(decided(&mut doubts, &[(1, doubtful()), (3, doubtful())]), [doubtful(), doubtful()]);
        }
        let rejected = Outcome::rejected("404 (other events pass)");
        assert_eq!(decided(&mut doubts, &[(1, doubtful()), (3, doubtful())]), [rejected.clone(), rejected]);
    }

    #[test]
    fn a_destination_that_breaks_gets_all() {
        let mut doubts = Doubts::default();
        decided(&mut doubts, &[(1, Outcome::Delivered), (2, doubtful())]);
        // A later event fails too, so the destination is at fault: it broke within the first batch.
        for _ in 0..100 {
            let outcomes = decided(&mut doubts, &[(2, doubtful()), (3, doubtful()), (4, Outcome::Held)]);
            assert_eq!(outcomes, [doubtful(), doubtful(), Outcome::Held]);
        }
    }

    #[test]
    fn a_repaired_destination_gets_all() {
        let mut doubts = Doubts::default();
        for _ in 0..10 {
            decided(&mut doubts, &[(1, doubtful()), (2, Outcome::Held)]);
        }
        // Repaired during the batch.
        assert_eq!(decided(&mut doubts, &[(1, doubtful()), (2, Outcome::Delivered)])[0], doubtful());
        assert_eq!(decided(&mut doubts, &[(1, Outcome::Delivered)]), [Outcome::Delivered]);
        assert!(doubts.events.is_empty());
    }

    #[test]
    fn forgotten_events_wait() {
        let mut doubts = Doubts::default();
        for offset in 0..30_000 {
            decided(&mut doubts, &[(offset, doubtful())]);
        }
        assert!(doubts.events.len() <= EVENTS_MAX + 1);
    }
}
