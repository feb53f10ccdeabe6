//! Rebuilds the index from the journal while it answers queries and new records arrive.

use super::follower::Follower;
use crate::index::{IndexError, Store};
use crate::journal::Offset;

/// The rebuild in progress, if there is one.
#[derive(Default)]
pub(super) struct LiveRebuild {
    /// The last record of the rebuild.
    until: Option<Offset>,
}

impl LiveRebuild {
    /// Continues a rebuild that was interrupted; `None` if none was.
    pub(super) fn resume(&mut self, follower: &Follower, until: Option<Offset>) {
        if until.is_some() {
            follower.status.set_rebuild_begun();
        }
        self.until = until;
    }

    /// Begins a rebuild at the journal's oldest record.
    ///
    /// # Errors
    /// The journal cannot be read, or the index cannot be written.
    pub(super) async fn begin(&mut self, follower: &mut Follower) -> Result<(), IndexError> {
        let (first, head) = follower.bounds().await?;
        follower.go_back_to(first, head).await?;
        tracing::info!(from = %first, to = %head, "the index is being rebuilt from the journal");
        self.until = Some(head);
        follower.status.set_rebuild_begun();
        Ok(())
    }

    /// Ends the rebuild if its last record was read, or if the journal has no more: its last record may be pruned.
    ///
    /// # Errors
    /// The index cannot be written.
    pub(super) async fn end_if_done(&mut self, follower: &Follower, has_read_all: bool) -> Result<(), IndexError> {
        let Some(until) = self.until else { return Ok(()) };
        if follower.cursor() >= until || has_read_all {
            follower.index.run(Store::end_rebuild).await?;
            self.until = None;
            follower.status.set_rebuild_done();
            tracing::info!(cursor = %follower.cursor(), "the index was rebuilt");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
