//! Waits for space if the journal cannot be opened because the disk is full. Until then callbacks get a 503, and CSS sends them
//! again.

use std::time::Duration;

use axum::Router;
use tokio::time::sleep;

use super::service_manager;
use super::unready::answer_during;
use crate::http::{Limits, Port};
use crate::journal::JournalError;

/// The wait before the next try to open the journal.
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// Calls `open` until it succeeds, or fails for another reason than a full disk. Until then, each listener answers by its router.
///
/// # Errors
/// `open` failed for another reason, or a listener cannot be shared.
pub(super) async fn open_when_disk_has_space<T>(
    listeners: [(&Port, Limits, Router); 2],
    mut open: impl AsyncFnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let error = match open().await {
        Err(error) if is_disk_full(&error) => error,
        result => return result,
    };
    tracing::error!("{error:#}; callbacks get a 503 until there is space");
    // What starts after livehook must not wait for space.
    service_manager::ready("the disk is full: callbacks get a 503 until there is space");
    let opened = answer_during(listeners, async {
        loop {
            sleep(RETRY_WAIT).await;
            match open().await {
                Err(error) if is_disk_full(&error) => {}
                result => return result,
            }
        }
    });
    let opened = opened.await?;
    tracing::info!("the disk has space again");
    Ok(opened)
}

fn is_disk_full(error: &anyhow::Error) -> bool {
    error.downcast_ref::<JournalError>().is_some_and(JournalError::is_disk_full)
}
