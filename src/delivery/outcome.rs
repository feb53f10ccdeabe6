//! The outcome of a batch: decides on each event by the retry rules, and sums up. New events and resends share it.

use std::collections::HashSet;
use std::time::Duration;

use super::backoff::RetryOptions;
use crate::journal::Record;
use crate::sink::{Failure, Outcome};
use crate::telemetry::{DeliveryOutcome, Metrics};

/// What the worker does with an event after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Finishes it: the sink has it.
    Done,
    /// Keeps it and its number of attempts, because the sink did not try it.
    Hold,
    /// Tries it again.
    Retry {
        /// Why the attempt failed.
        reason: String,
        /// The wait that the destination asked for.
        retry_after: Option<Duration>,
    },
    /// Gives it up: the destination rejected it, or its attempts are used up.
    GiveUp {
        /// Why the last attempt failed.
        reason: String,
    },
}

/// The sum of the outcomes of a batch.
#[derive(Debug, Default)]
pub(super) struct BatchOutcome {
    pub(super) delivered: u64,
    retried: u64,
    given_up: u64,
    held: u64,
    /// The first reason of an [`Outcome::Retry`], even if its event was given up.
    pub(super) failure: Option<String>,
    /// The longest wait that the destination asked for.
    pub(super) retry_after: Option<Duration>,
    /// Whether the sink reported an outage.
    has_outage: bool,
    /// Whether the destination asked for a wait in that outage.
    has_asked_for_wait: bool,
}

impl BatchOutcome {
    /// Decides on one event. `attempts` counts this attempt, and `age_ms` is the age of the event at its end.
    pub(super) fn decide(&mut self, outcome: Outcome, retry: &RetryOptions, attempts: u32, age_ms: i64) -> Decision {
        let Failure { reason, retry_after, is_outage, .. } = match outcome {
            Outcome::Delivered => {
                self.delivered += 1;
                return Decision::Done;
            }
            Outcome::Held => {
                self.held += 1;
                return Decision::Hold;
            }
            Outcome::Rejected { reason } => {
                self.given_up += 1;
                return Decision::GiveUp { reason };
            }
            Outcome::Retry(failure) => failure,
        };
        // Also if this event is given up, because the sink failed all the same.
        self.failure.get_or_insert_with(|| reason.clone());
        self.retry_after = self.retry_after.max(retry_after);
        self.has_outage |= is_outage;
        self.has_asked_for_wait |= is_outage && retry_after.is_some();
        if retry.gives_up(attempts, age_ms) {
            self.given_up += 1;
            return Decision::GiveUp { reason };
        }
        self.retried += 1;
        Decision::Retry { reason, retry_after }
    }

    /// Whether any event is finished: delivered or given up.
    pub(super) fn is_any_done(&self) -> bool {
        self.delivered + self.given_up > 0
    }

    /// Whether the sink seems to be down, as far as this batch shows.
    pub(super) fn is_outage(&self) -> bool {
        // A single delivery proves that the destination is up, unless the destination itself asks for a wait.
        self.has_asked_for_wait || self.has_outage && self.delivered == 0
    }

    /// Turns a batch of held events alone into an outage. Otherwise the worker would try again without a pause.
    pub(super) fn blame_sink_without_progress(&mut self) {
        if self.held > 0 && self.failure.is_none() && !self.is_any_done() {
            self.failure = Some("the sink tried none of the events and reported no failure".to_owned());
            self.has_outage = true;
        }
    }

    /// Adds to the metrics of a sink. `given_up` is the label for events that were given up.
    pub(super) fn count(&self, metrics: &Metrics, sink: &str, given_up: DeliveryOutcome) {
        for (outcome, count) in [
            (DeliveryOutcome::Delivered, self.delivered),
            (DeliveryOutcome::Transient, self.retried),
            (given_up, self.given_up),
        ] {
            if count > 0 {
                metrics.deliveries(sink, outcome, count);
            }
        }
    }
}

/// Whether the sink skipped the rest of a batch: it held an event of a stream in which no event of the batch had failed.
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
    use crate::delivery::testing::event_of;
    use crate::journal::Offset;

    fn sum(outcomes: Vec<Outcome>) -> BatchOutcome {
        let mut sum = BatchOutcome::default();
        for outcome in outcomes {
            sum.decide(outcome, &RetryOptions::default(), 1, 0);
        }
        sum.blame_sink_without_progress();
        sum
    }

    fn refused() -> Outcome {
        Failure::of_event("no room").into()
    }

    #[test]
    fn an_outage_differs_from_a_failed_event() {
        let away = || Outcome::Retry(Failure::outage("away"));
        let asked = |secs, is_outage| {
            let retry_after = Some(Duration::from_secs(secs));
            Outcome::Retry(Failure { retry_after, is_outage, ..Failure::outage("later") })
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
            assert_eq!(sum(outcomes.clone()).is_outage(), is_outage, "{outcomes:?}");
        }
        let sum = sum(vec![asked(1, false), away(), asked(3, true), asked(2, true)]);
        assert_eq!((sum.retry_after, sum.failure.as_deref()), (Some(Duration::from_secs(3)), Some("later")));
    }

    #[test]
    fn a_held_free_stream_cuts_a_batch_short() {
        let batch: Vec<Record> = (1..)
            .zip(["a", "b", "a"])
            .map(|(offset, stream)| Record { offset: Offset(offset), event: event_of(stream, 1) })
            .collect();
        assert!(!is_cut_short(&batch, &[refused(), Outcome::Delivered, Outcome::Held]));
        assert!(is_cut_short(&batch, &[refused(), Outcome::Held, Outcome::Held]));
        assert!(is_cut_short(&batch, &[Outcome::Delivered, refused(), Outcome::Held]));
        assert!(!is_cut_short(&[], &[]));
    }
}
