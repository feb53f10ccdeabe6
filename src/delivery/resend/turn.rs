//! Redrives and replays return the same type, so [`Resends`](super::Resends) stores the results of both in the same way.

use crate::delivery::outcome::BatchOutcome;
use crate::journal::{RedriveAttempt, ReplayProgress};

/// The result of one turn of a redrive or a replay.
#[derive(Debug)]
pub(super) enum Turn {
    /// Events were sent or skipped.
    Taken(BatchOutcome, Results),
    /// There are events to send, but not yet.
    Later,
    /// There is nothing to send.
    Nothing,
}

/// What a turn changes in the journal.
#[derive(Debug, Default)]
pub(super) struct Results {
    /// The dead letters that were tried.
    pub(super) redrive_attempts: Vec<RedriveAttempt>,
    /// The progress of the replay.
    pub(super) replay: Option<ReplayProgress>,
}
