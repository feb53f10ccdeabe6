//! What a step of a worker leaves to do.

use std::time::Duration;

/// What a step leaves to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The worker can take another step at once.
    More,
    /// The worker has nothing to do until a new record comes or a pause ends.
    Idle,
    /// The worker can do nothing before the end of this wait.
    Wait(Duration),
}
