//! Doubtful failures: answers that mostly mean an outage, but may also mean that the destination refuses one event for good.
//!
//! While no event passes, the destination is at fault, and its events wait. If other events pass, the event is at fault.

use std::collections::HashMap;

use crate::journal::{Offset, Record};
use crate::sink::{Failure, Outcome};

/// The failures after which an event is at fault, counted from the first event that passed after its first failure. More than
/// one, because a destination that is being repaired or replaced refuses some requests and takes others.
const FAILURES_MAX: u32 = 3;

/// The most events that are remembered. An event that is forgotten starts again with no failure.
const EVENTS_MAX: usize = 10_000;

/// The doubtful failures of one sink.
#[derive(Default)]
pub(super) struct Doubts {
    /// How many events passed since the start of the process.
    passed: u64,
    events: HashMap<Offset, Doubt>,
}

/// The doubtful failures of one event.
struct Doubt {
    /// How many events had passed when the event failed first.
    passed_before: u64,
    /// The failures since then, without those before another event passed.
    failures: u32,
}

impl Doubts {
    /// Takes in the outcomes of a batch, and turns a doubtful failure into a rejection if the event is at fault.
    pub(super) fn decide(&mut self, batch: &[Record], outcomes: &mut [Outcome]) {
        // The order within a batch is unknown, so an event that passes counts from the next batch on.
        let passed_before = self.passed;
        self.passed += outcomes.iter().filter(|outcome| **outcome == Outcome::Delivered).count() as u64;
        if self.events.len() > EVENTS_MAX {
            self.events.clear();
        }
        for (record, outcome) in batch.iter().zip(outcomes) {
            match outcome {
                Outcome::Held => {}
                Outcome::Retry(Failure { is_doubtful: true, reason, .. }) => {
                    let new = Doubt { passed_before: self.passed, failures: 0 };
                    let doubt = self.events.entry(record.offset).or_insert(new);
                    doubt.failures += u32::from(passed_before > doubt.passed_before);
                    if doubt.failures >= FAILURES_MAX {
                        *outcome = Outcome::rejected(format!("{reason} (other events pass)"));
                        self.events.remove(&record.offset);
                    }
                }
                _ => {
                    self.events.remove(&record.offset);
                }
            }
        }
    }
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
