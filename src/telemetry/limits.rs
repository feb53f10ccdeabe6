//! The limits, as metrics with the names of what they limit, so that one rule can alert before any of them is reached.

use prometheus_client::metrics::gauge::Gauge;

use super::gauges::set;
use super::registrar::Registrar;

/// The limits of the service, and the numbers that have no metric elsewhere.
#[derive(Debug)]
pub struct LimitMetrics {
    journal_bytes: Gauge,
    dedupe_ids: Gauge,
    dedupe_ids_max: Gauge,
    connections: Gauge,
    connections_max: Gauge,
    bodies_bytes: Gauge,
    bodies_bytes_max: Gauge,
    subscribers_max: Gauge,
}

/// The limits that the service runs with.
#[derive(Clone, Copy, Debug)]
pub struct LimitValues {
    /// The largest size of the journal, in bytes.
    pub journal_bytes: u64,
    /// The most ids that the dedupe window remembers.
    pub dedupe_ids: u64,
    /// The most connections of the receiver.
    pub connections: usize,
    /// The most memory for the bodies of the receiver, in bytes.
    pub bodies_bytes: usize,
    /// The most subscribers of the feed.
    pub subscribers: usize,
}

impl LimitMetrics {
    pub(super) fn new(registrar: &mut Registrar<'_>) -> LimitMetrics {
        LimitMetrics {
            journal_bytes: registrar.zero("journal_bytes_max", "Largest size of the journal"),
            dedupe_ids: registrar.zero("dedupe_ids", "Ids that the dedupe window remembers"),
            dedupe_ids_max: registrar.zero("dedupe_ids_max", "Most ids that the dedupe window can remember"),
            connections: registrar.zero("receiver_connections", "Open connections of the receiver"),
            connections_max: registrar.zero("receiver_connections_max", "Most connections of the receiver"),
            bodies_bytes: registrar
                .zero("receiver_bodies_bytes", "Memory of bodies and of events that are not stored yet"),
            bodies_bytes_max: registrar.zero("receiver_bodies_bytes_max", "Most memory of bodies and of such events"),
            subscribers_max: registrar.zero("feed_subscribers_max", "Most subscribers of the feed"),
        }
    }

    /// Sets all limits.
    pub fn set(&self, values: LimitValues) {
        set(&self.journal_bytes, values.journal_bytes);
        set(&self.dedupe_ids_max, values.dedupe_ids);
        set(&self.connections_max, values.connections);
        set(&self.bodies_bytes_max, values.bodies_bytes);
        set(&self.subscribers_max, values.subscribers);
    }

    /// Sets how many connections the receiver has.
    pub fn connections(&self, count: usize) {
        set(&self.connections, count);
    }

    /// Sets how much memory the bodies of the receiver take.
    pub fn bodies_bytes(&self, bytes: usize) {
        set(&self.bodies_bytes, bytes);
    }

    /// Sets how many ids the dedupe window remembers.
    pub fn dedupe_ids(&self, count: usize) {
        set(&self.dedupe_ids, count);
    }
}
