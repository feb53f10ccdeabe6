//! The configuration in use, and whether the last reload succeeded.

use std::sync::atomic::AtomicU64;

use arc_swap::ArcSwap;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::registrar::Registrar;

/// The metrics of the configuration.
#[derive(Debug)]
pub struct ConfigMetrics {
    is_last_successful: Gauge,
    last_success: Gauge<f64, AtomicU64>,
    /// A registry of its own, because the labels of a registered info can't change.
    description: ArcSwap<Registry>,
}

impl ConfigMetrics {
    pub(super) fn new(registrar: &mut Registrar<'_>) -> ConfigMetrics {
        let metrics = ConfigMetrics {
            is_last_successful: registrar.zero(
                "config_last_reload_successful",
                "1 if the last reload of the configuration succeeded or there was none, and 0 if it had a mistake",
            ),
            last_success: registrar.zero(
                "config_last_reload_success_timestamp_seconds",
                "When the configuration in use was loaded, as Unix time",
            ),
            description: ArcSwap::from_pointee(Registry::default()),
        };
        metrics.is_last_successful.set(1);
        metrics
    }

    /// Takes in that a configuration was loaded at `now_ms` (Unix ms), at the start or by a reload.
    pub fn loaded(&self, now_ms: i64) {
        self.is_last_successful.set(1);
        self.last_success.set(now_ms as f64 / 1000.0);
    }

    /// Takes in that a reload has failed, so that the configuration in use is not the one in the file.
    pub fn not_loaded(&self) {
        self.is_last_successful.set(0);
    }

    /// Sets the labels of the metric `config`, which describe the configuration.
    pub fn describe(&self, labels: Vec<(&'static str, String)>) {
        let mut registry = Registry::with_prefix("livehook");
        registry.register("config", "The configuration in use", Info::new(labels));
        self.description.store(registry.into());
    }

    pub(super) fn description(&self) -> impl std::ops::Deref<Target = std::sync::Arc<Registry>> + use<> {
        self.description.load()
    }
}
