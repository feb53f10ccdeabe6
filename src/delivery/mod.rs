//! From the journal to the sinks: one worker a sink, with retries, dead letters and replays.

#[cfg(test)]
mod again_tests;
mod backoff;
mod replay_selection;
mod status;
mod worker;
#[cfg(test)]
mod worker_tests;

use serde::Deserialize;

pub use replay_selection::ReplaySelection;
pub use status::{Status, StatusView};
pub use worker::{Step, Worker};

/// How a sink's failures are retried, as in `retry` of a sink's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RetryOptions {
    /// The first wait, in ms; it doubles with each further attempt.
    pub wait_ms_first: u64,
    /// The longest wait, in ms.
    pub wait_ms_max: u64,
    /// How often an event is tried before it becomes a dead letter; unset is without end.
    pub attempts_max: Option<u32>,
    /// How old an event may get, since it was received, before it becomes a dead letter, in seconds; unset is without end.
    pub age_secs_max: Option<u64>,
}

impl Default for RetryOptions {
    fn default() -> RetryOptions {
        RetryOptions { wait_ms_first: 500, wait_ms_max: 60_000, attempts_max: None, age_secs_max: None }
    }
}
