//! `/metrics`: every metric as text, for Prometheus and what reads its formats.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, Response};
use axum::response::IntoResponse;

use super::accept::text_format;
use super::api::Feed;
use super::sources::{Sources, lag};
use crate::telemetry::Metrics;

/// `GET /metrics`.
pub(super) async fn metrics(
    State((sources, feed)): State<(Arc<Sources>, Arc<Feed>)>,
    headers: HeaderMap,
) -> Response<Body> {
    refresh(&sources, &feed);
    encoded(&sources.metrics, &headers)
}

/// Returns every metric in the format that the client prefers.
pub(super) fn encoded(metrics: &Metrics, headers: &HeaderMap) -> Response<Body> {
    let format = text_format(headers);
    ([(CONTENT_TYPE, format.content_type()), (VARY, "accept")], metrics.encode(format)).into_response()
}

/// Sets the metrics that show a state. Counters and histograms are kept up to date by the code that counts.
fn refresh(sources: &Sources, feed: &Feed) {
    let metrics = &sources.metrics;
    let health = sources.journal.health();
    let head = health.head.0;
    metrics.journal_unanswered(health.busy_for);
    metrics.clock((sources.clock)());
    metrics.readiness(sources.reason_unready(&health));
    metrics.process().refresh();
    metrics.disk().refresh();
    metrics.limits().bodies_bytes(sources.bodies.used_bytes());
    for status in sources.sinks.all().iter() {
        let view = status.view();
        let oldest_pending_secs = view.oldest_pending_ms.map_or(0.0, |received_ms| sources.age_secs(received_ms));
        metrics.delivery_lag(&status.sink, lag(head, view.cursor), oldest_pending_secs);
        metrics.attempts().next(&status.sink, view.attempt);
        metrics.dead_letters(&status.sink, view.dead_letters);
        metrics.delivery_held(&status.sink, view.held_streams, view.is_blocked);
    }
    if let Some(index) = &sources.index {
        let view = index.view();
        metrics.index(view.live_streams, lag(head, view.cursor));
    }
    metrics.feed_subscribers(feed.subscribers());
}
