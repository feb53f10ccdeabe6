//! Answers while the journal cannot be opened because the disk is full: callbacks get a 503, and CSS sends them again.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::http::{self, ErrorBody, Hooks, Limits};
use crate::journal::JournalError;

/// The wait before the next try to open the journal.
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// Calls `open` until it succeeds, or fails for another reason than a full disk. Until then, every path of the listeners except
/// `/livez` answers 503.
///
/// # Errors
/// `open` failed for another reason, or a listener cannot be shared.
pub(super) async fn open_when_disk_has_space<T>(
    listeners: [(&TcpListener, Limits); 2],
    mut open: impl AsyncFnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let error = match open().await {
        Err(error) if is_disk_full(&error) => error,
        result => return result,
    };
    tracing::error!("{error:#}; callbacks get a 503 until there is space");
    let (stop, stopped) = watch::channel(false);
    let mut servers = JoinSet::new();
    for (listener, limits) in listeners {
        let mut stopped = stopped.clone();
        let stop = async move {
            // If the sender is gone, the server stops as well.
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        servers.spawn(http::serve(copy_of(listener)?, router(), Hooks::default(), limits, stop));
    }
    let result = loop {
        sleep(RETRY_WAIT).await;
        match open().await {
            Err(error) if is_disk_full(&error) => {}
            result => break result,
        }
    };
    stop.send_replace(true);
    if result.is_ok() {
        tracing::info!("the disk has space again");
        while servers.join_next().await.is_some() {}
    }
    result
}

fn is_disk_full(error: &anyhow::Error) -> bool {
    error.downcast_ref::<JournalError>().is_some_and(JournalError::is_disk_full)
}

/// Another listener on the same socket, so that the port stays open when this one is closed.
fn copy_of(listener: &TcpListener) -> std::io::Result<TcpListener> {
    let copy = std::os::fd::AsFd::as_fd(listener).try_clone_to_owned()?;
    TcpListener::from_std(std::net::TcpListener::from(copy))
}

fn router() -> Router {
    Router::new().route("/livez", get(|| async { "ok\n" })).fallback(|| async { (http::CLOSE, ErrorBody::DISK_FULL) })
}
