//! `/livez` and `/readyz`: whether the process answers, and whether the receiver would store an event.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::{Extension, Json, extract};
use serde::Serialize;

use super::guard::IsTrusted;
use super::sources::{Sources, lag};

/// `GET /livez`: 200 as long as the process answers at all.
pub(super) async fn livez() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: 200 if the receiver would store an event, and 503 if not. A trusted request also gets the state of the journal,
/// the sinks and the index.
pub(super) async fn readyz(
    extract::State(sources): extract::State<Arc<Sources>>,
    Extension(IsTrusted(is_trusted)): Extension<IsTrusted>,
) -> impl IntoResponse {
    let readiness = Readiness::of(&sources, is_trusted);
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness)).into_response()
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    state: State,
    #[serde(flatten)]
    detail: Option<Detail>,
}

/// Why the receiver would store an event, or not.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ready,
    /// The journal can't store an event.
    Unavailable,
    /// The service is stopping. Its receiver still takes callbacks, but a load balancer must choose another one.
    Stopping,
}

#[derive(Serialize)]
struct Detail {
    draining: bool,
    journal: JournalView,
    sinks: Vec<SinkView>,
    index: Option<IndexView>,
}

#[derive(Serialize)]
struct JournalView {
    head: i64,
    refuses: Option<String>,
}

#[derive(Serialize)]
struct SinkView {
    name: String,
    #[serde(rename = "type")]
    type_name: &'static str,
    cursor: i64,
    lag: i64,
    oldest_pending_secs: Option<f64>,
    attempt: u32,
    last_error: Option<String>,
    dead_letters: i64,
}

#[derive(Serialize)]
struct IndexView {
    cursor: i64,
    lag: i64,
    rebuilding: bool,
    last_error: Option<String>,
}

impl Readiness {
    fn of(sources: &Sources, has_detail: bool) -> Readiness {
        let health = sources.journal.health();
        let head = health.head.0;
        let ready = sources.is_ready(&health);
        let draining = sources.draining.load(Ordering::Relaxed);
        let state = match (ready, draining) {
            (true, _) => State::Ready,
            (false, true) => State::Stopping,
            (false, false) => State::Unavailable,
        };
        let detail = has_detail.then(|| Detail {
            draining,
            journal: JournalView { head, refuses: health.unavailable.map(|error| error.to_string()) },
            sinks: SinkView::all(sources, head),
            index: IndexView::of(sources, head),
        });
        Readiness { ready, state, detail }
    }
}

impl SinkView {
    fn all(sources: &Sources, head: i64) -> Vec<SinkView> {
        let sinks = sources.sinks.all();
        let views = sinks.iter().map(|status| {
            let view = status.view();
            SinkView {
                name: status.sink.clone(),
                type_name: status.type_name,
                cursor: view.cursor,
                lag: lag(head, view.cursor),
                oldest_pending_secs: view.oldest_pending_ms.map(|received_ms| sources.age_secs(received_ms)),
                attempt: view.attempt,
                last_error: view.last_error,
                dead_letters: view.dead_letters,
            }
        });
        views.collect()
    }
}

impl IndexView {
    fn of(sources: &Sources, head: i64) -> Option<IndexView> {
        let view = sources.index.as_ref()?.view();
        Some(IndexView {
            cursor: view.cursor,
            lag: lag(head, view.cursor),
            rebuilding: view.is_rebuilding,
            last_error: view.last_error,
        })
    }
}
