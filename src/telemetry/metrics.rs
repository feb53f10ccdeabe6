//! Every metric of the service.
//!
//! Labels come from closed sets only: names of event types, outcomes that livehook knows, the names of configured
//! sinks, and the fingerprints of configured keys. Nothing that a sender writes becomes a label.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::attempts::AttemptMetrics;
use super::configuration::ConfigMetrics;
use super::disk::DiskMetrics;
use super::gauges::set;
use super::key_use::KeyMetrics;
use super::labels::{CallbackLabels, DeliveryLabels, DeliveryOutcome, ReasonLabels, SinkLabels};
use super::limits::LimitMetrics;
use super::process::ProcessMetrics;
use super::readiness::{ReadinessMetrics, UnreadyReason};
use super::registrar::{Registrar, durations};
use super::text_format::{TextFormat, classic};
use super::tls::TlsMetrics;
use crate::callback::{EventType, ReasonCategory};

/// Every metric, and the registry that encodes them.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    callbacks: Family<CallbackLabels, Counter>,
    /// The counters in `callbacks` with the outcome `stored`, by event type, the most frequent first. Without this list, every
    /// stored callback would search for its counter under a lock.
    stored: Vec<(EventType, OnceLock<Counter>)>,
    callback_duration: Histogram,
    expired_by: Histogram,
    commit_duration: Histogram,
    batch_records: Histogram,
    journal_unanswered: Gauge<f64, AtomicU64>,
    clock: Gauge<f64, AtomicU64>,
    dedupe_window: Gauge,
    deliveries: Family<DeliveryLabels, Counter>,
    delivery_lag: Family<SinkLabels, Gauge>,
    oldest_pending: Family<SinkLabels, Gauge<f64, AtomicU64>>,
    dead_letters: Family<SinkLabels, Gauge>,
    delivery_held_streams: Family<SinkLabels, Gauge>,
    delivery_blocked: Family<SinkLabels, Gauge>,
    streams_live: Gauge,
    sessions_ended: Family<ReasonLabels, Counter>,
    session_duration: Histogram,
    index_lag: Gauge,
    index_replaced: Counter,
    without_sequence: Counter,
    feed_subscribers: Gauge,
    readiness: ReadinessMetrics,
    disk: DiskMetrics,
    limits: LimitMetrics,
    attempts: AttemptMetrics,
    keys: KeyMetrics,
    tls: TlsMetrics,
    config: ConfigMetrics,
    process: ProcessMetrics,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    /// Makes every metric, at zero.
    pub fn new() -> Metrics {
        let mut registry = Registry::with_prefix("livehook");
        let sessions_ended = Family::<ReasonLabels, Counter>::default();
        for category in ReasonCategory::ALL {
            // Prometheus computes an increase only if it has scraped the zero before.
            drop(sessions_ended.get_or_create(&ReasonLabels { reason_category: category.label() }));
        }
        registry.register("build", "The running version", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        let mut registrar = Registrar(&mut registry);
        Metrics {
            callbacks: registrar.zero("callbacks", "Requests to the receiver, by outcome"),
            callback_duration: registrar.register(
                "callback_duration_seconds",
                "Time from the head of a request to its answer",
                durations(),
            ),
            expired_by: registrar.register(
                "expired_by_seconds",
                "How late callbacks were that were refused as expired",
                retries(),
            ),
            commit_duration: registrar.register(
                "journal_commit_duration_seconds",
                "Time of one commit of the journal, including its sync",
                durations(),
            ),
            batch_records: registrar.register(
                "journal_batch_records",
                "Events stored in one commit",
                powers_of_two(12),
            ),
            journal_unanswered: registrar.zero(
                "journal_unanswered_seconds",
                "How long the disk has not answered the last request of the journal",
            ),
            clock: registrar
                .zero("clock_timestamp_seconds", "The system clock as Unix time, to compare with another one"),
            dedupe_window: registrar.zero("dedupe_window_seconds", "Span within which every duplicate is recognized"),
            deliveries: registrar.zero("deliveries", "Attempts to deliver an event to a sink, by outcome"),
            delivery_lag: registrar.zero("delivery_lag_records", "Records that a sink is behind the journal"),
            oldest_pending: registrar
                .zero("delivery_oldest_pending_seconds", "Age of the oldest event that a sink has not delivered"),
            dead_letters: registrar.zero("dead_letters", "Dead letters of a sink"),
            delivery_held_streams: registrar.zero(
                "delivery_held_streams",
                "Streams whose events wait in the journal, because an earlier one of the stream has failed",
            ),
            delivery_blocked: registrar
                .zero("delivery_blocked", "1 while a sink reads no more events because too many have failed"),
            streams_live: registrar.zero("streams_live", "Live streams"),
            sessions_ended: registrar.register("sessions_ended", "Ended sessions, by reason", sessions_ended),
            session_duration: registrar.register(
                "session_duration_seconds",
                "Duration of ended sessions",
                powers_of_two(20),
            ),
            index_lag: registrar.zero("index_lag_records", "Records that the index is behind the journal"),
            index_replaced: registrar
                .zero("index_replaced", "How often livehook replaced an index that it could not use"),
            without_sequence: registrar.zero(
                "events_without_sequence",
                "Pushes, stops and push anomalies without a usable sequence, which belong to no session",
            ),
            feed_subscribers: registrar.zero("feed_subscribers", "Subscribers of the feed"),
            readiness: ReadinessMetrics::new(&mut registrar),
            disk: DiskMetrics::new(&mut registrar),
            limits: LimitMetrics::new(&mut registrar),
            attempts: AttemptMetrics::new(&mut registrar),
            keys: KeyMetrics::new(&mut registrar),
            tls: TlsMetrics::new(&mut registrar),
            config: ConfigMetrics::new(&mut registrar),
            process: ProcessMetrics::new(),
            stored: EventType::known().map(|event_type| (event_type, OnceLock::new())).collect(),
            registry,
        }
    }

    /// Makes the counters of these outcomes, at zero: `of_types` with every event type, `without_type` with the type `none`.
    ///
    /// Prometheus computes an increase only from a value that it has scraped before. Without the zero, it would miss the
    /// first refusal.
    pub fn expect_callbacks(&self, of_types: &[&'static str], without_type: &[&'static str]) {
        let labels = EventType::known().map(EventType::label).chain([EventType::Unknown(0).label()]);
        let of_types = labels.flat_map(|event_type| of_types.iter().map(move |outcome| (event_type, *outcome)));
        for (event_type, outcome) in of_types.chain(without_type.iter().map(|outcome| ("none", *outcome))) {
            drop(self.callbacks.get_or_create(&CallbackLabels { event_type, outcome }));
        }
    }

    /// Makes the counters of a sink, at zero, for the reason that [`Metrics::expect_callbacks`] gives.
    pub fn expect_deliveries(&self, sink: &str) {
        for outcome in DeliveryOutcome::ALL {
            self.deliveries(sink, outcome, 0);
        }
        self.attempts.expect(sink);
    }

    /// Removes the metrics of a sink that is no longer configured. Its last values would trigger alerts for ever.
    pub fn forget_sink(&self, sink: &str) {
        for outcome in DeliveryOutcome::ALL {
            self.deliveries.remove(&DeliveryLabels { sink: sink.to_owned(), outcome: outcome.label() });
        }
        let labels = SinkLabels::of(sink);
        self.delivery_lag.remove(&labels);
        self.oldest_pending.remove(&labels);
        self.dead_letters.remove(&labels);
        self.delivery_held_streams.remove(&labels);
        self.delivery_blocked.remove(&labels);
        self.attempts.forget(sink);
    }

    /// Counts an answered request to the callback path, or to a path that does not exist. `event_type` is `None` if the body has no
    /// readable type. `outcome` is `stored`, `duplicate`, or the error word of the answer.
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

    /// Counts a request whose head could not be read, by the error word of its answer.
    pub fn unreadable(&self, outcome: &'static str) {
        self.callbacks.get_or_create(&CallbackLabels { event_type: "none", outcome }).inc();
    }

    /// Records how long before its arrival the signature of a refused callback had expired, in seconds.
    pub fn expired_by(&self, expired_by_secs: i64) {
        self.expired_by.observe(expired_by_secs as f64);
    }

    /// Records a commit of the journal: the number of events, and its time.
    pub fn commit(&self, records: usize, duration: Duration) {
        self.commit_duration.observe(duration.as_secs_f64());
        self.batch_records.observe(records as f64);
    }

    /// Sets how long the disk has not answered the last request of the journal.
    pub fn journal_unanswered(&self, age: Duration) {
        self.journal_unanswered.set(age.as_secs_f64());
    }

    /// Sets what the system clock shows, in Unix ms.
    pub fn clock(&self, now_ms: i64) {
        self.clock.set(now_ms as f64 / 1000.0);
    }

    /// Sets the span within which every duplicate is recognized, in seconds.
    pub fn dedupe_window(&self, span_secs: i64) {
        self.dedupe_window.set(span_secs);
    }

    /// Counts attempts of one sink with the same outcome.
    pub fn deliveries(&self, sink: &str, outcome: DeliveryOutcome, count: u64) {
        let labels = DeliveryLabels { sink: sink.to_owned(), outcome: outcome.label() };
        self.deliveries.get_or_create(&labels).inc_by(count);
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

    /// Sets the number of a sink's held streams, and whether the sink reads no more events because too many have failed.
    pub fn delivery_held(&self, sink: &str, streams: usize, is_blocked: bool) {
        let labels = SinkLabels { sink: sink.to_owned() };
        set(&self.delivery_held_streams.get_or_create(&labels), streams);
        self.delivery_blocked.get_or_create(&labels).set(i64::from(is_blocked));
    }

    /// Counts a session that has ended, with its duration in ms if it is known.
    pub fn session_ended(&self, category: ReasonCategory, duration_ms: Option<i64>) {
        self.sessions_ended.get_or_create(&ReasonLabels { reason_category: category.label() }).inc();
        if let Some(duration_ms) = duration_ms {
            self.session_duration.observe(duration_ms as f64 / 1000.0);
        }
    }

    /// Counts events without the sequence that their type should have.
    pub fn events_without_sequence(&self, count: u64) {
        self.without_sequence.inc_by(count);
    }

    /// Sets how many streams are live, and how many records the index is behind.
    pub fn index(&self, streams_live: i64, lag_records: i64) {
        self.streams_live.set(streams_live);
        self.index_lag.set(lag_records);
    }

    /// Counts an index that was replaced because it could not be used.
    pub fn index_replaced(&self) {
        self.index_replaced.inc();
    }

    /// Sets why the receiver can't store events; `None` if it can.
    pub fn readiness(&self, unready: Option<UnreadyReason>) {
        self.readiness.set(unready);
    }

    /// The space on the disk.
    pub fn disk(&self) -> &DiskMetrics {
        &self.disk
    }

    /// The limits next to the metrics of what they limit.
    pub fn limits(&self) -> &LimitMetrics {
        &self.limits
    }

    /// The attempts of each sink.
    pub fn attempts(&self) -> &AttemptMetrics {
        &self.attempts
    }

    /// The use of each callback key.
    pub fn keys(&self) -> &KeyMetrics {
        &self.keys
    }

    /// The TLS of each listener.
    pub fn tls(&self) -> &TlsMetrics {
        &self.tls
    }

    /// The process.
    pub fn process(&self) -> &ProcessMetrics {
        &self.process
    }

    /// The configuration in use, and its last reload.
    pub fn config(&self) -> &ConfigMetrics {
        &self.config
    }

    /// Names the data directory, so that the space of its volume can be measured. Call it once.
    pub fn watch_volume(&mut self, data_dir: PathBuf) {
        self.disk.watch(data_dir);
    }

    /// Sets how many subscribers the feed has.
    pub fn feed_subscribers(&self, count: usize) {
        set(&self.feed_subscribers, count);
    }

    /// Returns every metric as text.
    pub fn encode(&self, format: TextFormat) -> String {
        let mut text = String::new();
        // Writing to a `String` cannot fail.
        let _ = encode_registry(&mut text, &self.registry);
        let _ = encode_registry(&mut text, &self.config.description());
        let _ = encode_registry(&mut text, self.process.registry());
        let _ = encode_eof(&mut text);
        match format {
            TextFormat::OpenMetrics => text,
            TextFormat::Classic => classic(&text),
        }
    }
}

/// Buckets of one minute up to 15 minutes. CSS tries again once a minute, at most twelve times.
fn retries() -> Histogram {
    Histogram::new((0..16).map(|retry| f64::from(retry) * 60.0))
}

/// Buckets at powers of two from 1: 12 reach 2,048, a large batch; 20 reach 524,288, six days in seconds.
fn powers_of_two(buckets: u16) -> Histogram {
    Histogram::new(exponential_buckets(1.0, 2.0, buckets))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_has(text: &str, lines: &[&str]) {
        for line in lines {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }

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
        metrics.keys().of("3f2a91bc").verified(1_700_000_000_500);
        drop(metrics.keys().of("0c5d77e1"));
        let text = metrics.encode(TextFormat::Classic);
        assert_has(
            &text,
            &[
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
                r#"livehook_callbacks_verified_total{key="3f2a91bc"} 1"#,
                r#"livehook_callbacks_verified_total{key="0c5d77e1"} 0"#,
                r#"livehook_callback_key_last_used_timestamp_seconds{key="3f2a91bc"} 1700000000.5"#,
                r#"livehook_callback_key_last_used_timestamp_seconds{key="0c5d77e1"} 0"#,
                "livehook_feed_subscribers 0",
                r#"livehook_build_info{version=""#,
            ],
        );
        assert!(!text.contains("4711"));
    }

    #[test]
    fn expected_counters_start_at_zero() {
        let metrics = Metrics::new();
        metrics.expect_callbacks(&["stored", "signature_mismatch"], &["not_found"]);
        metrics.expect_deliveries("archive");
        let text = metrics.encode(TextFormat::Classic);
        assert_has(
            &text,
            &[
                r#"livehook_callbacks_total{event_type="push",outcome="stored"} 0"#,
                r#"livehook_callbacks_total{event_type="highlights",outcome="stored"} 0"#,
                r#"livehook_callbacks_total{event_type="unknown",outcome="signature_mismatch"} 0"#,
                r#"livehook_callbacks_total{event_type="none",outcome="not_found"} 0"#,
                r#"livehook_deliveries_total{sink="archive",outcome="dead_letter"} 0"#,
                r#"livehook_sessions_ended_total{reason_category="client"} 0"#,
            ],
        );
        assert_eq!(text.matches("outcome=\"not_found\"").count(), 1);
        metrics.dead_letters("archive", 3);
        metrics.forget_sink("archive");
        assert!(!metrics.encode(TextFormat::Classic).contains("archive"));
    }
}
