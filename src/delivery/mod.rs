//! From the journal to the sinks: one worker per sink, with retries, dead letters and resends.

mod backoff;
mod catch_up;
mod doubts;
mod held;
mod new_events;
mod order;
mod outcome;
mod outlet;
mod pending;
mod replay_selection;
mod report;
mod requests;
mod resend;
mod status;
mod statuses;
#[cfg(test)]
mod testing;
mod worker;

pub use backoff::RetryOptions;
pub use order::Order;
pub use outlet::Outlet;
pub use replay_selection::ReplaySelection;
pub use requests::{Requests, SkipSelection};
pub use status::{FailingEvent, PastFailure, Status, StatusView};
pub use statuses::Statuses;
pub use worker::Worker;
