//! Diagnostics on stderr, and every metric by name.
//!
//! Labels come from closed sets only: names of event types, outcomes that this program knows, and sinks that were
//! configured. Nothing that a sender writes becomes a label.

mod log;

use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use serde::Deserialize;
use tracing_subscriber::filter::LevelFilter;

use crate::callback::{EventType, ReasonCategory};

pub use log::Log;

/// Diagnostics, as in the section `[log]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LogOptions {
    /// What is written: this level and above.
    pub level: Level,
    /// How it is written.
    pub format: Format,
}

impl Default for LogOptions {
    fn default() -> LogOptions {
        LogOptions { level: Level::Info, format: Format::Text }
    }
}

/// How much is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Failures that need somebody.
    Error,
    /// What may become one.
    Warn,
    /// Start, stop, and what changes.
    Info,
    /// One line a callback and a delivery.
    Debug,
    /// Everything.
    Trace,
}

/// How diagnostics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Sends diagnostics to stderr from here on. A second call changes nothing. Nobody who writes a line waits for stderr, or
/// fails with it; the lines that are still on their way at the end are waited for by [`Log::finish`].
pub fn start_log(options: &LogOptions) -> Log {
    let level = match options.level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    let log = Log::start(std::io::stderr(), |lines| {
        tracing::warn!(lines, "diagnostics were lost: stderr has not taken them fast enough");
    });
    // By default, a line that cannot be written would be told on stderr, and that it cannot be told there is a panic.
    let builder = tracing_subscriber::fmt().with_max_level(level).with_writer(log.writer()).log_internal_errors(false);
    // An error here means that a subscriber is in place already, as in tests.
    let _ = match options.format {
        Format::Text => {
            let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
            builder.with_ansi(colour).with_target(false).try_init()
        }
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
    log
}

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
        // From a tenth of a millisecond, a fast disk's sync, to twice the time after which CSS gives up.
        let durations = || Histogram::new(exponential_buckets(0.0001, 2.0, 19));
        let callbacks = Family::<CallbackLabels, Counter>::default();
        let callback_duration = durations();
        // Seconds past `t`: one retry a minute lies between neighbours, up to the last of the twelve.
        let expired_by = Histogram::new((0..16).map(|retry| f64::from(retry) * 60.0));
        let commit_duration = durations();
        let batch_records = Histogram::new(exponential_buckets(1.0, 2.0, 12));
        let journal_bytes = Gauge::<i64>::default();
        let dedupe_window = Gauge::<i64>::default();
        let deliveries = Family::<DeliveryLabels, Counter>::default();
        let delivery_lag = Family::<SinkLabels, Gauge>::default();
        let oldest_pending = Family::<SinkLabels, Gauge<f64, AtomicU64>>::default();
        let dead_letters = Family::<SinkLabels, Gauge>::default();
        let streams_live = Gauge::<i64>::default();
        let sessions_ended = Family::<ReasonLabels, Counter>::default();
        for category in ReasonCategory::ALL {
            // From the start at zero, so that the first one shows as an increase.
            drop(sessions_ended.get_or_create(&ReasonLabels { reason_category: category.label() }));
        }
        // From a second to some six days.
        let session_duration = Histogram::new(exponential_buckets(1.0, 2.0, 20));
        let index_lag = Gauge::<i64>::default();
        let without_sequence = Counter::default();
        let feed_subscribers = Gauge::<i64>::default();
        registry.register(
            "callbacks",
            "Requests to the receiver, also to a wrong path, by what became of them",
            callbacks.clone(),
        );
        registry.register(
            "callback_duration_seconds",
            "Time from the head of a callback's request to its answer",
            callback_duration.clone(),
        );
        registry.register(
            "expired_by_seconds",
            "How long after the expiry of its signature a refused callback came",
            expired_by.clone(),
        );
        registry.register(
            "journal_commit_duration_seconds",
            "Time that one commit of the journal takes, its sync included",
            commit_duration.clone(),
        );
        registry.register("journal_batch_records", "Events stored in one commit", batch_records.clone());
        registry.register("journal_bytes", "Used size of the journal", journal_bytes.clone());
        registry.register(
            "dedupe_window_seconds",
            "The span within which a duplicate is surely told",
            dedupe_window.clone(),
        );
        registry.register("deliveries", "Events given to a sink, by what became of the try", deliveries.clone());
        registry.register("delivery_lag_records", "Records that a sink has not passed", delivery_lag.clone());
        registry.register(
            "delivery_oldest_pending_seconds",
            "Age of the oldest event that a sink has not taken",
            oldest_pending.clone(),
        );
        registry.register("dead_letters", "Events that a sink gave up on", dead_letters.clone());
        registry.register("streams_live", "Streams that are live", streams_live.clone());
        registry.register("sessions_ended", "Sessions that have ended, by why", sessions_ended.clone());
        registry.register(
            "session_duration_seconds",
            "How long the sessions lasted that have ended",
            session_duration.clone(),
        );
        registry.register("index_lag_records", "Records that the index has not taken in", index_lag.clone());
        registry.register(
            "events_without_sequence",
            "Pushes, stops and anomalies that name no push and so belong to no session",
            without_sequence.clone(),
        );
        registry.register("feed_subscribers", "Clients that are subscribed to the feed", feed_subscribers.clone());
        registry.register("build", "The running version", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        Metrics {
            registry,
            callbacks,
            stored: EventType::known().map(|event_type| (event_type, OnceLock::new())).collect(),
            callback_duration,
            expired_by,
            commit_duration,
            batch_records,
            journal_bytes,
            dedupe_window,
            deliveries,
            delivery_lag,
            oldest_pending,
            dead_letters,
            streams_live,
            sessions_ended,
            session_duration,
            index_lag,
            without_sequence,
            feed_subscribers,
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
