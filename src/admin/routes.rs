//! The admin endpoint, on a listener of its own:
//!
//! - `/livez`: 200 while the process answers at all
//! - `/readyz`: 200 while the receiver would store an event, else 503. The state of the sinks is detail, and detail is for
//!   those who could also read the metrics
//! - `/metrics`: every metric, for Prometheus
//! - `/api/v1`: the API, see [`api`]
//!
//! What changes something needs the token wherever it comes from, and `application/json`, which no form of a web page can
//! send. Nothing here touches the journal's storage.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, OriginalUri, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Response, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get};
use axum::{Extension, Json, Router};
use serde::Serialize;
use tokio::sync::watch;

use super::api::{self, Api};
use super::guard::{bears_token, has_one_host, host_is_allowed, is_cross_site, may_change};
use super::problem::problem_response;
use super::{Options, Token};
use crate::clock::Clock;
use crate::delivery::Status;
use crate::http::{ErrorBody, LogLimit};
use crate::index;
use crate::journal::Journal;
use crate::receiver::{HourlyCounts, RecentRefusals};
use crate::telemetry::Metrics;

/// The parts of the service that the admin endpoint tells of.
#[derive(Clone)]
pub struct Sources {
    /// Where the journal and the index are.
    pub data_dir: PathBuf,
    /// The journal.
    pub journal: Arc<dyn Journal>,
    /// Every metric.
    pub metrics: Arc<Metrics>,
    /// Each sink.
    pub sinks: Vec<Arc<Status>>,
    /// The index; `None` where it is switched off.
    pub index: Option<Arc<index::Status>>,
    /// The last callbacks that were refused.
    pub refusals: Arc<RecentRefusals>,
    /// How many callbacks came to which end.
    pub tally: Arc<HourlyCounts>,
    /// Whether the service is stopping.
    pub draining: Arc<AtomicBool>,
    /// The same, to be watched.
    pub stopping: watch::Receiver<bool>,
}

/// What the admin endpoint works with.
pub struct Admin {
    token: Option<Token>,
    allowed_hosts: Vec<String>,
    sources: Sources,
    clock: Clock,
    refusals: LogLimit,
    api: Arc<Api>,
}

impl Admin {
    /// Puts the endpoint together. `clock` gives the time in Unix ms.
    pub fn new(options: &Options, sources: Sources, clock: Clock) -> Admin {
        let (token, allowed_hosts) = (options.token.clone(), options.allowed_hosts.clone());
        let api = Arc::new(Api::new(&sources, options.subscribers_max, clock));
        Admin { token, allowed_hosts, sources, clock, refusals: LogLimit::default(), api }
    }

    /// Hands the events that come to the subscribers of the feed, until the service is stopping. To be run beside the
    /// listener, on the same runtime.
    pub async fn run_feed(self: Arc<Admin>) {
        self.api.feed().run().await;
    }

    /// Lets the questions to the API that are under way finish, or ends them after a while, and closes every file that they
    /// were read from. What needs none, such as `/readyz`, is answered further on.
    pub async fn close(&self) {
        self.api.close().await;
    }

    /// The routes of a listener that is bound to `local`, for [`crate::http::serve`].
    ///
    /// On a loopback address the Host header must name the loopback, and no token is asked for. Elsewhere all but `/livez`
    /// and the status of `/readyz` needs the token, and is closed to everybody while none is configured.
    pub fn router(self: Arc<Admin>, local: SocketAddr) -> Router {
        let guard = if local.ip().to_canonical().is_loopback() { Guard::Host } else { Guard::Token };
        let guarded = |change: MethodRouter<_>| change.route_layer(from_fn_with_state(Arc::clone(&self), check_change));
        Router::new()
            .route("/livez", get(livez))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .fallback(not_found)
            .with_state(Arc::clone(&self))
            .nest(api::PREFIX, Arc::clone(&self.api).router(guarded))
            .method_not_allowed_fallback(method_not_allowed)
            .layer(from_fn_with_state((guard, self), check))
    }

    fn readiness(&self, has_detail: bool) -> Readiness<'_> {
        let health = self.sources.journal.health();
        let draining = self.sources.draining.load(Ordering::Relaxed);
        let sinks = self.sources.sinks.iter().map(|status| {
            let view = status.view();
            SinkView {
                name: &status.sink,
                type_name: status.type_name,
                cursor: view.cursor,
                lag: lag(health.head.0, view.cursor),
                oldest_pending_secs: self.age_secs(view.oldest_pending_ms),
                attempt: view.attempt,
                last_error: view.last_error,
                dead_letters: view.dead_letters,
            }
        });
        Readiness {
            ready: health.refuses.is_none() && !draining,
            detail: has_detail.then(|| Detail {
                draining,
                journal: JournalView { head: health.head.0, refuses: health.refuses.map(|error| error.to_string()) },
                sinks: sinks.collect(),
                index: self.sources.index.as_ref().map(|status| {
                    let view = status.view();
                    IndexView {
                        cursor: view.cursor,
                        lag: lag(health.head.0, view.cursor),
                        rebuilding: view.is_rebuilding,
                        last_error: view.last_error,
                    }
                }),
            }),
        }
    }

    /// Brings the metrics up to date that are told by states and not by what happens.
    fn refresh_metrics(&self) {
        let health = self.sources.journal.health();
        let head = health.head.0;
        self.sources.metrics.journal_unanswered(health.unanswered);
        for status in &self.sources.sinks {
            let view = status.view();
            let oldest_pending_secs = self.age_secs(view.oldest_pending_ms).unwrap_or(0.0);
            self.sources.metrics.delivery_lag(&status.sink, lag(head, view.cursor), oldest_pending_secs);
            self.sources.metrics.dead_letters(&status.sink, view.dead_letters);
        }
        if let Some(index) = &self.sources.index {
            let view = index.view();
            self.sources.metrics.index(view.live_streams, lag(head, view.cursor));
        }
        self.sources.metrics.feed_subscribers(self.api.feed().subscribers());
    }

    /// Logs, at a bounded rate, that a request is refused. What the sender wrote is not in it.
    fn log(&self, request: &Request, answer: &ErrorBody) {
        let error = answer.word();
        let Some(suppressed) = self.refusals.admit(error, Instant::now()) else { return };
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let client = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip().to_canonical());
        tracing::warn!(%client, error, suppressed, "a request to the admin endpoint was refused: {}", answer.message());
    }

    fn age_secs(&self, received_ms: Option<i64>) -> Option<f64> {
        received_ms.map(|received_ms| (self.clock)().saturating_sub(received_ms).max(0) as f64 / 1000.0)
    }
}

/// How many records a sink is behind. Offsets have gaps, so it may be fewer.
pub(super) fn lag(head: i64, cursor: i64) -> i64 {
    head.saturating_sub(cursor).max(0)
}

#[derive(Serialize)]
struct Readiness<'a> {
    ready: bool,
    #[serde(flatten)]
    detail: Option<Detail<'a>>,
}

#[derive(Serialize)]
struct Detail<'a> {
    draining: bool,
    journal: JournalView,
    sinks: Vec<SinkView<'a>>,
    index: Option<IndexView>,
}

#[derive(Serialize)]
struct IndexView {
    cursor: i64,
    lag: i64,
    rebuilding: bool,
    last_error: Option<String>,
}

#[derive(Serialize)]
struct JournalView {
    head: i64,
    refuses: Option<String>,
}

#[derive(Serialize)]
struct SinkView<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    type_name: &'static str,
    cursor: i64,
    lag: i64,
    oldest_pending_secs: Option<f64>,
    attempt: u32,
    last_error: Option<String>,
    dead_letters: i64,
}

/// What protects a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    /// The Host header: else a page in a browser of this machine could read here, by a name that it has pointed at
    /// the loopback (DNS rebinding).
    Host,
    /// The bearer token.
    Token,
}

/// Whether a request may see all that there is to see.
#[derive(Clone, Copy, Debug)]
struct IsTrusted(bool);

async fn check(State((guard, admin)): State<(Guard, Arc<Admin>)>, mut request: Request, next: Next) -> Response<Body> {
    let is_open = matches!(request.uri().path(), "/livez" | "/readyz");
    let is_trusted = guard == Guard::Host || bears_token(request.headers(), admin.token.as_ref());
    request.extensions_mut().insert(IsTrusted(is_trusted));
    let why_not = match guard {
        _ if !has_one_host(&request) => Some(ErrorBody::NOT_ONE_HOST),
        _ if is_cross_site(request.headers()) => Some(ErrorBody::CROSS_SITE),
        Guard::Host if !host_is_allowed(&request, &admin.allowed_hosts) => Some(ErrorBody::HOST_NOT_ALLOWED),
        Guard::Token if !is_open && !is_trusted => Some(ErrorBody::UNAUTHORIZED),
        _ => None,
    };
    match &why_not {
        Some(answer) => admin.log(&request, answer),
        // It is answered, but with less than to the right token, so that guesses would show.
        None if !is_trusted && request.headers().contains_key(AUTHORIZATION) => {
            admin.log(&request, &ErrorBody::UNAUTHORIZED);
        }
        None => {}
    }
    let mut response = match why_not {
        Some(answer) => refused(answer, request.uri(), &request),
        None => next.run(request).await,
    };
    // A browser must not take for a page or a script what holds names that anybody may have chosen.
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Everything here is of the moment, but for what says otherwise.
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Lets through who may change something. Whether a path is there, and is changed by this method, is known before.
async fn check_change(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response<Body> {
    match may_change(&request, admin.token.as_ref()) {
        Ok(()) => next.run(request).await,
        Err(answer) => {
            admin.log(&request, &answer);
            problem_response(answer, !request.body().is_end_stream())
        }
    }
}

async fn livez() -> &'static str {
    "ok\n"
}

async fn readyz(
    State(admin): State<Arc<Admin>>,
    Extension(IsTrusted(is_trusted)): Extension<IsTrusted>,
) -> impl IntoResponse {
    let readiness = admin.readiness(is_trusted);
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness)).into_response()
}

async fn metrics(State(admin): State<Arc<Admin>>) -> Response<Body> {
    admin.refresh_metrics();
    let mut response = Response::new(Body::from(admin.sources.metrics.encode()));
    let openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(openmetrics));
    response
}

async fn not_found(OriginalUri(uri): OriginalUri, request: Request) -> Response<Body> {
    refused(ErrorBody::not_found(uri.path()), &uri, &request)
}

async fn method_not_allowed(OriginalUri(uri): OriginalUri, request: Request) -> Response<Body> {
    refused(ErrorBody::OTHER_METHOD, &uri, &request)
}

/// Why a request is not answered, in the form that belongs to where it was sent.
fn refused(answer: ErrorBody, uri: &Uri, request: &Request) -> Response<Body> {
    let close = !request.body().is_end_stream();
    if is_api(uri.path()) { problem_response(answer, close) } else { answer.into_response(close) }
}

/// Whether what is wrong is told as the API tells it.
fn is_api(path: &str) -> bool {
    path.strip_prefix(api::PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests;
