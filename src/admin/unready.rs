//! The admin endpoint of a service that cannot open its journal yet: `/livez`, `/metrics` with the values that are known, and the
//! reason for every other path.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use super::Options;
use super::access::Access;
use super::guard::{self, Guard};
use super::health::livez;
use super::logins::Logins;
use super::metrics::encoded;
use crate::clock::Clock;
use crate::http::{CLOSE, ErrorBody};
use crate::telemetry::{Metrics, UnreadyReason};

/// The state of a service that cannot open its journal yet.
#[derive(Clone)]
pub struct Unready {
    /// The folder of the journal.
    pub data_dir: PathBuf,
    /// Every metric.
    pub metrics: Arc<Metrics>,
    /// Why the service is not ready, for the metrics.
    pub reason: UnreadyReason,
    /// The answer for every path but `/livez` and `/metrics`.
    pub answer: ErrorBody,
    /// Returns the current time in Unix ms.
    pub clock: Clock,
}

impl Unready {
    /// Returns the routes of the admin listener, which is bound to `local`. `/metrics` needs the token when it always does.
    pub fn router(self, options: &Options, local: SocketAddr) -> Router {
        let guard = Arc::new(Guard::new(Access::shared(options), local, Arc::new(Logins::new(self.clock))));
        let answer = self.answer.clone();
        Router::new()
            .route("/metrics", get(metrics))
            .route_layer(from_fn_with_state(guard, guard::check))
            .with_state(Arc::new(self))
            .route("/livez", get(livez))
            .fallback(|| async { (CLOSE, answer) })
    }
}

async fn metrics(State(unready): State<Arc<Unready>>, headers: HeaderMap) -> Response<Body> {
    let Unready { data_dir, metrics, reason, clock, .. } = unready.as_ref();
    metrics.clock(clock());
    metrics.readiness(Some(*reason));
    metrics.process().refresh();
    metrics.disk().refresh();
    // livehook has to open the database to see its used and its held part. The used part is never larger than the file.
    let file_bytes = |name: &str| data_dir.join(name).metadata().map_or(0, |file| file.len());
    let (journal, index) = (file_bytes("journal.db"), file_bytes("index.db"));
    metrics.disk().journal(journal, journal, 0);
    metrics.disk().index(index, index);
    encoded(metrics, &headers)
}
