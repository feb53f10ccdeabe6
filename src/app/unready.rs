//! Answers requests while the service cannot serve yet: nearly every path gets a 503 with the reason.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::admin::Unready;
use crate::clock;
use crate::config::Config;
use crate::http::{self, CLOSE, ErrorBody, Hooks, Limits, Port};
use crate::telemetry::{Metrics, UnreadyReason};

/// How long the requests in flight may take when `work` is done. Then they are cut off, because the service must start.
const DRAIN_MAX: Duration = Duration::from_millis(250);

/// Waits for `work` and returns its result. Until then, each listener answers by its router. The ports stay open afterwards.
///
/// # Errors
/// `work` failed, or a listener cannot be shared.
pub(super) async fn answer_during<T>(
    listeners: impl IntoIterator<Item = (&Port, Limits, Router)>,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let (stop, stopped) = watch::channel(false);
    // Dropping the set ends all of them.
    let mut servers = JoinSet::new();
    for (port, limits, router) in listeners {
        let mut stopped = stopped.clone();
        let stop = async move {
            // If the sender is gone, the server stops as well.
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        servers.spawn(http::serve(port.duplicate()?, router, Hooks::default(), limits, stop));
    }
    let result = work.await?;
    stop.send_replace(true);
    let drained = async { while servers.join_next().await.is_some() {} };
    let _ = timeout(DRAIN_MAX, drained).await;
    Ok(result)
}

/// The routes of the admin endpoint, which is bound to `local`, see [`Unready`].
pub(super) fn admin_router(
    config: &Config,
    metrics: &Arc<Metrics>,
    reason: UnreadyReason,
    answer: ErrorBody,
    local: SocketAddr,
) -> Router {
    let (data_dir, metrics) = (config.data_dir.clone(), Arc::clone(metrics));
    Unready { data_dir, metrics, reason, answer, clock: clock::system_clock }.router(&config.admin, local)
}

/// The routes of the receiver's listener: `/livez` answers 200, and every other path gets `answer`.
pub(super) fn receiver_router(answer: ErrorBody) -> Router {
    Router::new().route("/livez", get(|| async { "ok\n" })).fallback(|| async { (CLOSE, answer) })
}
