//! Every metric by name.
//!
//! Labels come from closed sets only: names of event types, outcomes that this program knows, and sinks that were
//! configured. Nothing that a sender writes becomes a label.

use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

use crate::callback::{EventType, ReasonCategory};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallbackLabels {
    event_type: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason_category: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SinkLabels {
    sink: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeliveryLabels {
    sink: String,
    outcome: &'static str,
}

/// What became of one try to deliver an event, as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The sink has it.
    Delivered,
    /// It will be tried again.
    Transient,
    /// It became a dead letter.
    DeadLetter,
    /// It was sent again, and given up again: a dead letter stayed one, or a replay passed it over.
    Refused,
    /// The sink's filter left it out.
    Filtered,
}

/// Every metric, and the registry that writes them out.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    callbacks: Family<CallbackLabels, Counter>,
    /// The counters among `callbacks` of what was stored, which each success would otherwise look up under a lock. The
    /// types that come most often are first.
    stored: Vec<(EventType, OnceLock<Counter>)>,
    callback_duration: Histogram,
    expired_by: Histogram,
    commit_duration: Histogram,
    batch_records: Histogram,
    journal_bytes: Gauge,
    journal_unanswered: Gauge<f64, AtomicU64>,
    dedupe_window: Gauge,
    deliveries: Family<DeliveryLabels, Counter>,
    delivery_lag: Family<SinkLabels, Gauge>,
    oldest_pending: Family<SinkLabels, Gauge<f64, AtomicU64>>,
    dead_letters: Family<SinkLabels, Gauge>,
    streams_live: Gauge,
    sessions_ended: Family<ReasonLabels, Counter>,
    session_duration: Histogram,
    index_lag: Gauge,
    without_sequence: Counter,
    feed_subscribers: Gauge,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    /// Makes all metrics, each at zero.
    pub fn new() -> Metrics {
        let mut registry = Registry::with_prefix("livehook");
        let sessions_ended = Family::<ReasonLabels, Counter>::default();
        for category in ReasonCategory::ALL {
            // From the start at zero, so that the first one shows as an increase.
            drop(sessions_ended.get_or_create(&ReasonLabels { reason_category: category.label() }));
        }
        registry.register("build", "The running version", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        let mut named = Named(&mut registry);
        Metrics {
            callbacks: named.zero("callbacks", "Requests to the receiver, by what became of them"),
            callback_duration: named.given(
                "callback_duration_seconds",
                "Time from the head of a callback's request to its answer",
                durations(),
            ),
            expired_by: named.given(
                "expired_by_seconds",
                "How long after the expiry of its signature a refused callback came",
                retries(),
            ),
            commit_duration: named.given(
                "journal_commit_duration_seconds",
                "Time that one commit of the journal takes, its sync included",
                durations(),
            ),
            batch_records: named.given("journal_batch_records", "Events stored in one commit", powers_of_two(12)),
            journal_bytes: named.zero("journal_bytes", "Used size of the journal"),
            journal_unanswered: named
                .zero("journal_unanswered_seconds", "How long the disk has been at what the journal gave it last"),
            dedupe_window: named.zero("dedupe_window_seconds", "The span within which a duplicate is surely told"),
            deliveries: named.zero("deliveries", "Events given to a sink, by what became of the try"),
            delivery_lag: named.zero("delivery_lag_records", "Records that a sink has not passed"),
            oldest_pending: named
                .zero("delivery_oldest_pending_seconds", "Age of the oldest event that a sink has not taken"),
            dead_letters: named.zero("dead_letters", "Events that a sink gave up on"),
            streams_live: named.zero("streams_live", "Streams that are live"),
            sessions_ended: named.given("sessions_ended", "Sessions that have ended, by why", sessions_ended),
            session_duration: named.given(
                "session_duration_seconds",
                "How long the sessions lasted that have ended",
                powers_of_two(20),
            ),
            index_lag: named.zero("index_lag_records", "Records that the index has not taken in"),
            without_sequence: named
                .zero("events_without_sequence", "Pushes, stops and anomalies that belong to no session"),
            feed_subscribers: named.zero("feed_subscribers", "Clients that are subscribed to the feed"),
            stored: EventType::known().map(|event_type| (event_type, OnceLock::new())).collect(),
            registry,
        }
    }

    /// Counts an answered request to the callback path, or to one where nothing is. `event_type` is `None` where none
    /// could be read; `outcome` is `stored`, `duplicate`, or the `error` word of the answer.
    pub fn callback(&self, event_type: Option<EventType>, outcome: &'static str, duration: Duration) {
        let label = event_type.map_or("none", EventType::label);
        let labels = CallbackLabels { event_type: label, outcome };
        let mut stored = self.stored.iter().filter(|_| outcome == "stored");
        match stored.find(|(known, _)| Some(*known) == event_type) {
            Some((_, counter)) => counter.get_or_init(|| self.callbacks.get_or_create(&labels).clone()).inc(),
            None => self.callbacks.get_or_create(&labels).inc(),
        };
        self.callback_duration.observe(duration.as_secs_f64());
    }

    /// Counts a request whose head could not be read, by the `error` word of its answer.
    pub fn unreadable(&self, outcome: &'static str) {
        self.callbacks.get_or_create(&CallbackLabels { event_type: "none", outcome }).inc();
    }

    /// Notes how many seconds after `t` a callback came that was refused for it.
    pub fn expired_by(&self, by_secs: i64) {
        self.expired_by.observe(by_secs as f64);
    }

    /// Notes a commit of so many events.
    pub fn commit(&self, records: usize, duration: Duration) {
        self.commit_duration.observe(duration.as_secs_f64());
        self.batch_records.observe(records as f64);
    }

    /// Sets the used size of the journal.
    pub fn journal_bytes(&self, bytes: u64) {
        self.journal_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Sets how long the disk has been at what the journal gave it last.
    pub fn journal_unanswered(&self, age: Duration) {
        self.journal_unanswered.set(age.as_secs_f64());
    }

    /// Sets the span within which a duplicate is surely told, in seconds.
    pub fn dedupe_window(&self, span_secs: i64) {
        self.dedupe_window.set(span_secs);
    }

    /// Counts tries of one sink that ended alike.
    pub fn deliveries(&self, sink: &str, outcome: DeliveryOutcome, count: u64) {
        let outcome = match outcome {
            DeliveryOutcome::Delivered => "delivered",
            DeliveryOutcome::Transient => "transient",
            DeliveryOutcome::DeadLetter => "dead_letter",
            DeliveryOutcome::Refused => "refused",
            DeliveryOutcome::Filtered => "filtered",
        };
        self.deliveries.get_or_create(&DeliveryLabels { sink: sink.to_owned(), outcome }).inc_by(count);
    }

    /// Sets how far a sink is behind: in records, and by the age of its oldest pending event in seconds.
    pub fn delivery_lag(&self, sink: &str, records: i64, oldest_pending_secs: f64) {
        let labels = SinkLabels { sink: sink.to_owned() };
        self.delivery_lag.get_or_create(&labels).set(records);
        self.oldest_pending.get_or_create(&labels).set(oldest_pending_secs);
    }

    /// Sets how many dead letters a sink has.
    pub fn dead_letters(&self, sink: &str, count: i64) {
        self.dead_letters.get_or_create(&SinkLabels { sink: sink.to_owned() }).set(count);
    }

    /// Counts a session that has ended, with its duration in ms as far as it is known.
    pub fn session_ended(&self, category: ReasonCategory, duration_ms: Option<i64>) {
        self.sessions_ended.get_or_create(&ReasonLabels { reason_category: category.label() }).inc();
        if let Some(duration_ms) = duration_ms {
            self.session_duration.observe(duration_ms as f64 / 1000.0);
        }
    }

    /// Counts events that should name a push and do not.
    pub fn events_without_sequence(&self, count: u64) {
        self.without_sequence.inc_by(count);
    }

    /// Sets how many streams are live, and how many records the index is behind.
    pub fn index(&self, streams_live: i64, lag_records: i64) {
        self.streams_live.set(streams_live);
        self.index_lag.set(lag_records);
    }

    /// Sets how many clients are subscribed to the feed.
    pub fn feed_subscribers(&self, count: usize) {
        self.feed_subscribers.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Every metric in the OpenMetrics text format.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

/// Gives metrics their names.
struct Named<'a>(&'a mut Registry);

impl Named<'_> {
    fn zero<M: Metric + Clone + Default>(&mut self, name: &str, help: &str) -> M {
        self.given(name, help, M::default())
    }

    fn given<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.0.register(name, help, metric.clone());
        metric
    }
}

/// From a tenth of a millisecond, a fast disk's sync, to twice the time after which CSS gives up, in seconds.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.0001, 2.0, 19))
}

/// Seconds past `t`: one retry a minute lies between neighbours, up to the last of the twelve.
fn retries() -> Histogram {
    Histogram::new((0..16).map(|retry| f64::from(retry) * 60.0))
}

/// Powers of two. With 12 buckets up to some 2,000, a large batch; with 20 up to six days in seconds.
fn powers_of_two(buckets: u16) -> Histogram {
    Histogram::new(exponential_buckets(1.0, 2.0, buckets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_its_name() {
        let metrics = Metrics::new();
        metrics.callback(Some(EventType::Push), "duplicate", Duration::from_millis(1));
        for _ in 0..3 {
            metrics.callback(Some(EventType::Push), "stored", Duration::from_millis(1));
        }
        metrics.callback(None, "malformed", Duration::from_millis(1));
        metrics.callback(Some(EventType::Unknown(4711)), "stored", Duration::from_millis(1));
        metrics.deliveries("archive", DeliveryOutcome::Delivered, 2);
        metrics.delivery_lag("archive", 3, 0.5);
        metrics.dead_letters("archive", 0);
        let text = metrics.encode();
        for line in [
            r#"livehook_callbacks_total{event_type="push",outcome="stored"} 3"#,
            r#"livehook_callbacks_total{event_type="push",outcome="duplicate"} 1"#,
            r#"livehook_callbacks_total{event_type="none",outcome="malformed"} 1"#,
            r#"livehook_callbacks_total{event_type="unknown",outcome="stored"} 1"#,
            "livehook_callback_duration_seconds_count 6",
            "livehook_expired_by_seconds_count 0",
            "livehook_journal_commit_duration_seconds_count 0",
            "livehook_journal_batch_records_count 0",
            "livehook_journal_bytes 0",
            "livehook_journal_unanswered_seconds 0",
            "livehook_dedupe_window_seconds 0",
            r#"livehook_deliveries_total{sink="archive",outcome="delivered"} 2"#,
            r#"livehook_delivery_lag_records{sink="archive"} 3"#,
            r#"livehook_delivery_oldest_pending_seconds{sink="archive"} 0.5"#,
            r#"livehook_dead_letters{sink="archive"} 0"#,
            "livehook_feed_subscribers 0",
            r#"livehook_build_info{version=""#,
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("4711"));
    }
}
