//! The async runtime of a command.

use anyhow::Context;

/// Runs a future to its end on a single thread.
///
/// # Errors
/// The runtime cannot be started.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start the async runtime")?;
    let result = runtime.block_on(future);
    // A DNS lookup or a write to a blocked stdout may never end. The process must not wait for it.
    runtime.shutdown_background();
    Ok(result)
}
