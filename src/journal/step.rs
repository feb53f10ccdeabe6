//! The workers of the sinks and of the index take the journal in steps, so that a test can make one step at a time.

use std::time::Duration;

/// The result of a step: whether the worker has more to do, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The worker can take another step at once.
    More,
    /// The worker has nothing to do until the journal has a new record, or until one of its own pauses ends.
    Idle,
    /// The worker can do nothing before the end of this wait.
    Wait(Duration),
}
