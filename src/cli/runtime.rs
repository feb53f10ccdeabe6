//! The async runtime of a command.

use anyhow::Context;

/// Runs a future to its end, on a runtime of one thread.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("the runtime cannot be started")?;
    let result = runtime.block_on(future);
    // What blocks still, such as a look-up of a name or a write to a stdout that nobody reads, must not hold up the end.
    runtime.shutdown_background();
    Ok(result)
}
