//! The parts of the service that the admin endpoint reads.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::Reloads;
use crate::callback::InstanceName;
use crate::clock::Clock;
use crate::delivery::Statuses;
use crate::http::BodyBudget;
use crate::index;
use crate::journal::{AppendError, Health, Journal};
use crate::receiver::{HourlyCounts, RecentRefusals};
use crate::telemetry::{Metrics, UnreadyReason};

/// The parts of the receiver's configuration that the pages show. A reload replaces them.
#[derive(Clone, Debug, Default)]
pub struct ReceiverSummary {
    /// The address that it listens on.
    pub listen: String,
    /// The path that CSS posts to.
    pub path: String,
    /// The fingerprint of each callback key.
    pub fingerprints: Vec<String>,
}

/// The parts of the service that the admin endpoint reads.
#[derive(Clone)]
pub struct Sources {
    /// The folder with the journal and the index.
    pub data_dir: PathBuf,
    /// The journal.
    pub journal: Arc<dyn Journal>,
    /// Every metric.
    pub metrics: Arc<Metrics>,
    /// The status of each sink, in the order of the configuration.
    pub sinks: Statuses,
    /// The status of the index; `None` if the index is switched off.
    pub index: Option<Arc<index::Status>>,
    /// The receiver's address, path and keys.
    pub receiver: Arc<ArcSwap<ReceiverSummary>>,
    /// The memory for the bodies of the receiver.
    pub bodies: Arc<BodyBudget>,
    /// The newest refusals.
    pub refusals: Arc<RecentRefusals>,
    /// The counts of callbacks by hour and outcome.
    pub hourly_counts: Arc<HourlyCounts>,
    /// Whether the service is stopping, for `/readyz`.
    pub draining: Arc<AtomicBool>,
    /// Turns true when the feed must end.
    pub stopping: watch::Receiver<bool>,
    /// Takes requests to reload the configuration.
    pub reloads: Reloads,
    /// The name of this instance.
    pub instance: InstanceName,
    /// Returns the current time in Unix ms.
    pub clock: Clock,
}

impl Sources {
    /// Whether the receiver would store an event. A service that is stopping must get no further callbacks.
    pub(super) fn is_ready(&self, health: &Health) -> bool {
        self.reason_unready(health).is_none()
    }

    /// Returns why the receiver would not store an event; `None` if it would.
    pub(super) fn reason_unready(&self, health: &Health) -> Option<UnreadyReason> {
        match &health.unavailable {
            _ if self.draining.load(Ordering::Relaxed) => Some(UnreadyReason::Stopping),
            None => None,
            Some(AppendError::Full) => Some(UnreadyReason::JournalFull),
            Some(AppendError::Stalled(_) | AppendError::Overloaded) => Some(UnreadyReason::DiskHangs),
            Some(AppendError::DiskFull(_)) => Some(UnreadyReason::DiskFull),
            Some(AppendError::Broken(_) | AppendError::Closed) => Some(UnreadyReason::JournalFailed),
        }
    }

    /// Returns how long ago a moment was, in seconds. Never negative, also if the system clock was set back.
    pub(super) fn age_secs(&self, moment_ms: i64) -> f64 {
        (self.clock)().saturating_sub(moment_ms).max(0) as f64 / 1000.0
    }
}

/// Returns how many records a consumer is behind the journal's head. Offsets have gaps, so it may be fewer.
pub(super) fn lag(head: i64, cursor: i64) -> i64 {
    head.saturating_sub(cursor).max(0)
}
