//! Detects that the destination is down while a batch is being delivered, so that the rest of the batch is skipped.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::contract::{Failure, Outcome};

/// A destination may refuse this many events in a row for now, and still take the next one. More is an outage.
const FAILURES_IN_A_ROW: usize = 5;

/// Detects that the destination is down; the rest of the batch is then skipped. Once detected, an outage lasts until the end
/// of the batch. Either of these shows one, if no event was delivered or rejected in between:
///
/// - As many outcomes in a row that look like an outage as deliveries may run at once, but at least two. So in an outage
///   each running delivery waits for one timeout, and one event that always times out doesn't stop the others.
/// - As many failures of any kind in a row, but at least [`FAILURES_IN_A_ROW`].
pub(super) struct OutageDetector {
    outages: AtomicUsize,
    failures: AtomicUsize,
    outages_max: usize,
}

impl OutageDetector {
    /// A detector for one batch, with up to `concurrency` deliveries at once.
    pub(super) fn new(concurrency: usize) -> OutageDetector {
        OutageDetector { outages: AtomicUsize::new(0), failures: AtomicUsize::new(0), outages_max: concurrency.max(2) }
    }

    /// Whether the rest of the batch must be skipped.
    pub(super) fn is_down(&self) -> bool {
        self.outages.load(Ordering::Relaxed) >= self.outages_max
            || self.failures.load(Ordering::Relaxed) >= self.outages_max.max(FAILURES_IN_A_ROW)
    }

    /// Counts the outcome of an attempt.
    pub(super) fn note(&self, outcome: &Outcome) {
        // Deliveries that were already running may still succeed. The rest of the batch stays skipped.
        if self.is_down() {
            return;
        }
        match outcome {
            // A rejection is an answer, so the destination is up.
            Outcome::Delivered | Outcome::Rejected { .. } => {
                self.outages.store(0, Ordering::Relaxed);
                self.failures.store(0, Ordering::Relaxed);
            }
            Outcome::Retry(Failure { is_outage, .. }) => {
                self.outages.fetch_add(usize::from(*is_outage), Ordering::Relaxed);
                self.failures.fetch_add(1, Ordering::Relaxed);
            }
            Outcome::Held => {}
        }
    }

    /// Skips the rest of the batch from now on.
    pub(super) fn declare_down(&self) {
        self.outages.store(self.outages_max, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outage() -> Outcome {
        Failure::outage("away").into()
    }

    fn refused() -> Outcome {
        Failure::of_event("not now").into()
    }

    #[test]
    fn outages_in_a_row_end_a_batch() {
        let detector = OutageDetector::new(3);
        let [delivered, rejected] = [Outcome::Delivered, Outcome::rejected("no")];
        for outcome in [outage(), outage(), delivered.clone(), outage(), outage(), rejected, outage(), outage()] {
            detector.note(&outcome);
            assert!(!detector.is_down());
        }
        detector.note(&outage());
        detector.note(&delivered);
        assert!(detector.is_down(), "it lasts to the end of the batch");
    }

    #[test]
    fn a_single_outage_ends_no_batch() {
        let detector = OutageDetector::new(0);
        detector.note(&outage());
        assert!(!detector.is_down(), "the event may be at fault");
        detector.declare_down();
        assert!(detector.is_down());
    }

    #[test]
    fn failures_in_a_row_end_a_batch() {
        for (concurrency, failures_max) in [(1, 5), (4, 5), (16, 16)] {
            let detector = OutageDetector::new(concurrency);
            for _ in 1..failures_max {
                detector.note(&refused());
                assert!(!detector.is_down(), "the next event may pass");
            }
            detector.note(&refused());
            assert!(detector.is_down());
        }
    }
}
