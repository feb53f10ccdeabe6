//! Blocking work of a sink, on a thread where it may block.

use super::contract::Failure;

/// Runs `work` on a thread for blocking calls, and returns its result.
///
/// # Errors
/// The thread ended without a result.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(Failure::outage)
}
