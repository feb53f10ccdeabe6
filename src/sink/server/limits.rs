//! The limits of what one request to a server holds, and of how long it may take.

use std::time::Duration;

use crate::journal::Record;
use crate::sink::mistake::Mistakes;
use crate::sink::parallel::none_tried;
use crate::sink::{Failure, Outcome};

const TIMEOUT_SECS_MAX: u64 = 3600;

const BATCH_EVENTS_MAX: usize = 10_000;

/// The most bytes of events in one request. An event that is larger gets a request of its own.
const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// `timeout_secs` and `batch_events_max` of a sink.
#[derive(Clone, Copy, Debug)]
pub(in crate::sink) struct Limits {
    /// `timeout_secs`
    pub(in crate::sink) timeout_secs: u64,
    /// `batch_events_max`
    pub(in crate::sink) batch_events_max: usize,
}

impl Limits {
    /// Adds the mistakes in these keys.
    pub(in crate::sink) fn check(self, mistakes: &mut Mistakes) {
        mistakes.check_range("timeout_secs", self.timeout_secs, 1..=TIMEOUT_SECS_MAX);
        mistakes.check_range("batch_events_max", self.batch_events_max, 1..=BATCH_EVENTS_MAX);
    }

    /// How long a request may take.
    pub(in crate::sink) fn timeout(self) -> Duration {
        Duration::from_secs(self.timeout_secs)
    }
}

/// Splits a batch into requests of at most `events_max` events and about 1 MiB, in order.
pub(in crate::sink) fn requests(batch: &[Record], events_max: usize) -> impl Iterator<Item = &[Record]> {
    let mut rest = batch;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |(count, record): &(usize, &Record)| {
            bytes += record.event.line().len();
            *count == 0 || *count < events_max && bytes <= BATCH_BYTES_MAX
        };
        let count = rest.iter().enumerate().take_while(fits).count();
        let (request, after) = rest.split_at(count);
        rest = after;
        (!request.is_empty()).then_some(request)
    })
}

/// The outcomes of a batch whose first `done` events are delivered. The next one failed, and the rest was not tried.
pub(in crate::sink) fn delivered_until(batch: &[Record], done: usize, failure: Failure) -> Vec<Outcome> {
    let mut outcomes = none_tried(&batch[done.min(batch.len())..], failure);
    outcomes.splice(0..0, std::iter::repeat_n(Outcome::Delivered, batch.len() - outcomes.len()));
    outcomes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::testing::{names, records};

    #[test]
    fn requests_hold_a_batch_in_order() {
        let batch = records(7);
        let sizes = |events_max| requests(&batch, events_max).map(<[Record]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(3), [3, 3, 1]);
        assert_eq!(sizes(10), [7]);
        assert_eq!(requests(&[], 3).count(), 0);
    }

    #[test]
    fn failure_holds_the_rest() {
        let batch = records(3);
        let of = |done| names(&delivered_until(&batch, done, Failure::outage("away")));
        assert_eq!(of(0), ["retry", "held", "held"]);
        assert_eq!(of(2), ["delivered", "delivered", "retry"]);
    }
}
