//! Whether the receiver can store events, and why not.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::registrar::Registrar;

/// Why the receiver can't store events now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnreadyReason {
    /// The disk is full, and the journal waits for space.
    DiskFull,
    /// Another livehook uses the data directory.
    Standby,
    /// The service is stopping.
    Stopping,
    /// The journal has reached its size limit, and nothing can be pruned.
    JournalFull,
    /// The journal cannot be written.
    JournalFailed,
    /// The disk has not finished a commit for a long time.
    DiskHangs,
}

impl UnreadyReason {
    const ALL: [UnreadyReason; 6] = [
        UnreadyReason::DiskFull,
        UnreadyReason::Standby,
        UnreadyReason::Stopping,
        UnreadyReason::JournalFull,
        UnreadyReason::JournalFailed,
        UnreadyReason::DiskHangs,
    ];

    fn label(self) -> &'static str {
        match self {
            UnreadyReason::DiskFull => "disk_full",
            UnreadyReason::Standby => "standby",
            UnreadyReason::Stopping => "stopping",
            UnreadyReason::JournalFull => "journal_full",
            UnreadyReason::JournalFailed => "journal_failed",
            UnreadyReason::DiskHangs => "disk_hangs",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UnreadyLabels {
    reason: &'static str,
}

/// The metrics of readiness.
#[derive(Debug)]
pub(super) struct ReadinessMetrics {
    ready: Gauge,
    unready: Family<UnreadyLabels, Gauge>,
}

impl ReadinessMetrics {
    pub(super) fn new(registrar: &mut Registrar<'_>) -> ReadinessMetrics {
        let metrics = ReadinessMetrics {
            ready: registrar.zero("ready", "1 if the receiver can store events, as /readyz says, and 0 if not"),
            unready: registrar
                .zero("unready", "1 for the reason why the receiver can store no events, and 0 for others"),
        };
        metrics.set_reason(None);
        metrics
    }

    /// Sets why the receiver can't store events; `None` if it can.
    pub(super) fn set(&self, unready: Option<UnreadyReason>) {
        self.ready.set(i64::from(unready.is_none()));
        self.set_reason(unready);
    }

    fn set_reason(&self, unready: Option<UnreadyReason>) {
        for reason in UnreadyReason::ALL {
            let labels = UnreadyLabels { reason: reason.label() };
            self.unready.get_or_create(&labels).set(i64::from(unready == Some(reason)));
        }
    }
}
