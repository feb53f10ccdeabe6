//! From the journal to the sinks: one worker per sink, with retries, dead letters and resends.

mod backoff;
mod doubts;
mod new_events;
mod outcome;
mod outlet;
mod pending;
mod replay_selection;
mod resend;
mod status;
#[cfg(test)]
mod testing;
mod worker;

pub use backoff::RetryOptions;
pub use outlet::Outlet;
pub use replay_selection::ReplaySelection;
pub use status::{Status, StatusView};
pub use worker::Worker;
