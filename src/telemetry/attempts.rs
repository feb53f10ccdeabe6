//! How each sink's attempts go.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::labels::SinkLabels;
use super::registrar::{Registrar, durations};

/// The attempts of each sink.
#[derive(Debug)]
pub struct AttemptMetrics {
    duration: Family<SinkLabels, Histogram, fn() -> Histogram>,
    number: Family<SinkLabels, Gauge>,
    last_success: Family<SinkLabels, Gauge<f64, AtomicU64>>,
}

impl AttemptMetrics {
    pub(super) fn new(registrar: &mut Registrar<'_>) -> AttemptMetrics {
        let duration = Family::new_with_constructor(durations as fn() -> Histogram);
        AttemptMetrics {
            duration: registrar.register(
                "delivery_duration_seconds",
                "Time that a sink took for a batch of events",
                duration,
            ),
            number: registrar.zero("delivery_attempt", "Number of the next attempt of a sink: 1 if it works"),
            last_success: registrar.zero(
                "delivery_last_success_timestamp_seconds",
                "When a sink last took an event, as Unix time; 0 if it has taken none since the start",
            ),
        }
    }

    pub(super) fn expect(&self, sink: &str) {
        let labels = SinkLabels::of(sink);
        drop(self.duration.get_or_create(&labels));
        self.number.get_or_create(&labels).set(1);
        drop(self.last_success.get_or_create(&labels));
    }

    pub(super) fn forget(&self, sink: &str) {
        let labels = SinkLabels::of(sink);
        self.duration.remove(&labels);
        self.number.remove(&labels);
        self.last_success.remove(&labels);
    }

    /// Records how long a sink took for a batch. `delivered_ms` is the current time (Unix ms) if it took an event.
    pub fn finished(&self, sink: &str, duration: Duration, delivered_ms: Option<i64>) {
        let labels = SinkLabels::of(sink);
        self.duration.get_or_create(&labels).observe(duration.as_secs_f64());
        if let Some(delivered_ms) = delivered_ms {
            self.last_success.get_or_create(&labels).set(delivered_ms as f64 / 1000.0);
        }
    }

    /// Sets the number of a sink's next attempt.
    pub fn next(&self, sink: &str, attempt: u32) {
        self.number.get_or_create(&SinkLabels::of(sink)).set(i64::from(attempt));
    }
}
