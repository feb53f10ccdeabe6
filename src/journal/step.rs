//! The result of one step of a worker that reads the journal.

use std::time::Duration;

/// What a step leaves to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The worker can take another step at once.
    More,
    /// The worker has nothing to do until the journal has a new record, or until one of its own pauses ends.
    Idle,
    /// The worker can do nothing before the end of this wait.
    Wait(Duration),
}
