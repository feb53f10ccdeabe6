//! Registers metrics, and makes the histograms that several groups of metrics share.

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry};

/// Registers metrics under their names.
pub(super) struct Registrar<'a>(pub(super) &'a mut Registry);

impl Registrar<'_> {
    /// Registers a metric that starts at zero.
    pub(super) fn zero<M: Metric + Clone + Default>(&mut self, name: &str, help: &str) -> M {
        self.register(name, help, M::default())
    }

    /// Registers a metric.
    pub(super) fn register<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.0.register(name, help, metric.clone());
        metric
    }
}

/// Buckets from 0.1 ms, the sync of a fast disk, to 26 s, longer than CSS waits for an answer.
pub(super) fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.0001, 2.0, 19))
}
