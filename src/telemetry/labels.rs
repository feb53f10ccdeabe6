//! The labels of metrics, and the outcomes of deliveries that are one of them.

use prometheus_client::encoding::EncodeLabelSet;

/// The name of a configured sink.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SinkLabels {
    pub(super) sink: String,
}

impl SinkLabels {
    pub(super) fn of(sink: &str) -> SinkLabels {
        SinkLabels { sink: sink.to_owned() }
    }
}

/// The fingerprint of a configured callback key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KeyLabels {
    pub(super) key: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CallbackLabels {
    pub(super) event_type: &'static str,
    pub(super) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReasonLabels {
    pub(super) reason_category: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct DeliveryLabels {
    pub(super) sink: String,
    pub(super) outcome: &'static str,
}

/// How one attempt to deliver an event ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The sink has the event.
    Delivered,
    /// It failed, and will be tried again.
    Transient,
    /// The event became a dead letter.
    DeadLetter,
    /// A redrive or a replay failed for good: the dead letter stays, or the replay goes on without the event.
    Refused,
    /// The filter of the sink left the event out.
    Filtered,
}

impl DeliveryOutcome {
    pub(super) const ALL: [DeliveryOutcome; 5] = [
        DeliveryOutcome::Delivered,
        DeliveryOutcome::Transient,
        DeliveryOutcome::DeadLetter,
        DeliveryOutcome::Refused,
        DeliveryOutcome::Filtered,
    ];

    pub(super) fn label(self) -> &'static str {
        match self {
            DeliveryOutcome::Delivered => "delivered",
            DeliveryOutcome::Transient => "transient",
            DeliveryOutcome::DeadLetter => "dead_letter",
            DeliveryOutcome::Refused => "refused",
            DeliveryOutcome::Filtered => "filtered",
        }
    }
}
