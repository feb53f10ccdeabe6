//! What the allocator of the feature `jemalloc` needs from a running service.

/// Starts jemalloc's own thread, which returns unused memory to the system within 10 s. Without it, only later requests would
/// make jemalloc look. The thread sleeps while there is nothing to return.
#[cfg(feature = "jemalloc")]
pub(super) fn return_unused_memory() {
    if let Err(error) = tikv_jemalloc_ctl::background_thread::write(true) {
        tracing::warn!(
            error = error.to_string(),
            "jemalloc cannot start its thread, so unused memory is returned late"
        );
    }
}

/// The system's allocator has no such thread.
#[cfg(not(feature = "jemalloc"))]
pub(super) fn return_unused_memory() {}
