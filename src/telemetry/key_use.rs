//! How often each callback key verifies a callback, and when it did so last. While a key is being changed, this shows when the old
//! one can go.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::labels::KeyLabels;
use super::registrar::Registrar;

/// The use of each callback key.
#[derive(Debug)]
pub struct KeyMetrics {
    verified: Family<KeyLabels, Counter>,
    last_used: Family<KeyLabels, Gauge<f64, AtomicU64>>,
}

/// The use of one key.
#[derive(Clone, Debug)]
pub struct KeyUse {
    verified: Counter,
    last_used: Gauge<f64, AtomicU64>,
}

impl KeyMetrics {
    pub(super) fn new(registrar: &mut Registrar<'_>) -> KeyMetrics {
        KeyMetrics {
            verified: registrar.zero("callbacks_verified", "Callbacks that a key has verified, by its fingerprint"),
            last_used: registrar.zero(
                "callback_key_last_used_timestamp_seconds",
                "When a key last verified a callback, as Unix time; 0 if it has verified none since the start",
            ),
        }
    }

    /// Removes the metrics of a key that is no longer configured.
    pub fn forget(&self, fingerprint: &str) {
        let labels = KeyLabels { key: fingerprint.to_owned() };
        self.verified.remove(&labels);
        self.last_used.remove(&labels);
    }

    /// Returns the metrics of the key with a fingerprint. They begin at zero, so that Prometheus sees the first increase.
    pub fn of(&self, fingerprint: &str) -> KeyUse {
        let labels = KeyLabels { key: fingerprint.to_owned() };
        let verified = self.verified.get_or_create(&labels).clone();
        KeyUse { verified, last_used: self.last_used.get_or_create(&labels).clone() }
    }
}

impl KeyUse {
    /// Counts a callback that the key verified at `now_ms` (Unix ms).
    pub fn verified(&self, now_ms: i64) {
        self.verified.inc();
        self.last_used.set(now_ms as f64 / 1000.0);
    }
}
