//! What became of events that a sink was handed: judged in one place, for new ones and for those that are sent again.

use std::collections::HashSet;
use std::time::Duration;

use crate::delivery::RetryOptions;
use crate::journal::Record;
use crate::sink::{Failure, Outcome};
use crate::telemetry::{DeliveryOutcome, Metrics};

/// What became of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The sink has it.
    Delivered,
    /// It was not tried.
    Held,
    /// It is to be tried again.
    Failed {
        /// Why.
        reason: String,
        /// How long the other side asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// No further try is made.
    GivenUp {
        /// Why the last one failed.
        reason: String,
    },
}

/// How often events of a batch ended how.
#[derive(Debug, Default)]
pub(super) struct HourlyCounts {
    pub(super) delivered: u64,
    pub(super) failed: u64,
    pub(super) given_up: u64,
    held: u64,
    /// Why the first one failed for which another try may succeed, whether or not it is made.
    pub(super) failure: Option<String>,
    /// The longest that the other side asked for.
    pub(super) retry_after: Option<Duration>,
    /// Whether the sink seemed to take nothing at all, and whether it asked to be left alone then.
    has_outage: bool,
    has_demand: bool,
}

impl HourlyCounts {
    /// Judges one outcome: that of attempt number `attempt`, `age_ms` after the event came.
    pub(super) fn judge(&mut self, outcome: Outcome, retry: &RetryOptions, attempt: u32, age_ms: i64) -> Fate {
        let Failure { reason, retry_after, is_outage } = match outcome {
            Outcome::Delivered => {
                self.delivered += 1;
                return Fate::Delivered;
            }
            Outcome::Held => {
                self.held += 1;
                return Fate::Held;
            }
            Outcome::Rejected { reason } => {
                self.given_up += 1;
                return Fate::GivenUp { reason };
            }
            Outcome::Retry(failure) => failure,
        };
        self.failure.get_or_insert_with(|| reason.clone());
        self.retry_after = self.retry_after.max(retry_after);
        self.has_outage |= is_outage;
        self.has_demand |= is_outage && retry_after.is_some();
        if retry.gives_up(attempt, age_ms) {
            self.given_up += 1;
            return Fate::GivenUp { reason };
        }
        self.failed += 1;
        Fate::Failed { reason, retry_after }
    }

    /// Whether the sink had something, or will not get it any more.
    pub(super) fn is_any_done(&self) -> bool {
        self.delivered + self.given_up > 0
    }

    /// Whether the sink takes nothing for now, as far as this batch shows.
    pub(super) fn is_outage(&self) -> bool {
        self.has_demand || self.has_outage && self.delivered == 0
    }

    /// A sink that holds all back without failing itself would make the worker spin.
    pub(super) fn blame_the_sink_for_standing_still(&mut self) {
        if self.held > 0 && self.failure.is_none() && !self.is_any_done() {
            self.failure = Some("the sink held events back and said of none that it had failed".to_owned());
            self.has_outage = true;
        }
    }

    /// Adds to the metrics of a sink; `given_up` is how those count that are given up.
    pub(super) fn count(&self, metrics: &Metrics, sink: &str, given_up: DeliveryOutcome) {
        for (outcome, count) in [
            (DeliveryOutcome::Delivered, self.delivered),
            (DeliveryOutcome::Transient, self.failed),
            (given_up, self.given_up),
        ] {
            if count > 0 {
                metrics.deliveries(sink, outcome, count);
            }
        }
    }
}

/// Whether a sink gave up on a batch before its end: it held back events of streams of which none had failed.
pub(super) fn is_cut_short(batch: &[Record], outcomes: &[Outcome]) -> bool {
    let mut failed = HashSet::new();
    batch.iter().zip(outcomes).any(|(record, outcome)| {
        let key = record.event.partition_key();
        match outcome {
            Outcome::Delivered => return false,
            Outcome::Held => return !failed.contains(&key),
            Outcome::Retry(_) | Outcome::Rejected { .. } => failed.insert(key),
        };
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::worker_tests::event_of;
    use crate::journal::Offset;

    fn judged(outcomes: Vec<Outcome>) -> HourlyCounts {
        let mut tally = HourlyCounts::default();
        for outcome in outcomes {
            tally.judge(outcome, &RetryOptions::default(), 1, 0);
        }
        tally.blame_the_sink_for_standing_still();
        tally
    }

    #[test]
    fn an_outage_is_told_from_the_failure_of_an_event() {
        let away = || Outcome::Retry(Failure::outage("away"));
        let refused = || Outcome::Retry(Failure::of_event("no room"));
        let asked = |secs, is_outage| {
            let retry_after = Some(Duration::from_secs(secs));
            Outcome::Retry(Failure { reason: "later".to_owned(), retry_after, is_outage })
        };
        for (outcomes, is_outage) in [
            (vec![Outcome::Delivered], false),
            (vec![refused(), refused()], false),
            (vec![refused(), away()], true),
            (vec![Outcome::Delivered, away()], false),
            (vec![Outcome::Delivered, asked(1, true)], true),
            (vec![asked(1, false)], false),
            (vec![Outcome::rejected("poison")], false),
            (vec![Outcome::Delivered, Outcome::Held], false),
            (vec![Outcome::Held], true),
        ] {
            assert_eq!(judged(outcomes.clone()).is_outage(), is_outage, "{outcomes:?}");
        }
        let tally = judged(vec![asked(1, false), away(), asked(3, true), asked(2, true)]);
        assert_eq!((tally.retry_after, tally.failure.as_deref()), (Some(Duration::from_secs(3)), Some("later")));
    }

    #[test]
    fn a_batch_is_cut_short_where_more_is_held_than_streams_that_failed() {
        let batch: Vec<Record> = (1..)
            .zip(["a", "b", "a"])
            .map(|(offset, stream)| Record { offset: Offset(offset), event: event_of(stream, 1) })
            .collect();
        let (held, failed) = (|| Outcome::Held, || Outcome::Retry(Failure::of_event("no room")));
        assert!(!is_cut_short(&batch, &[failed(), Outcome::Delivered, held()]));
        assert!(is_cut_short(&batch, &[failed(), held(), held()]));
        assert!(is_cut_short(&batch, &[Outcome::Delivered, failed(), held()]));
        assert!(!is_cut_short(&[], &[]));
    }
}
