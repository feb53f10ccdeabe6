//! The API of the admin endpoint, for the tools of users: streams, sessions, events, dead letters, replays and more, as JSON.
//!
//! Handlers read the journal and the index through [`readers`], and let the journal make every change. A wrong request is
//! answered with a [problem](super::problem) that names the parameter and its valid values. Lists are pages, see [`page`].

mod body;
mod changes;
mod concurrency_limit;
mod dead_letters;
mod error_codes;
mod etag;
mod events;
mod feed;
mod follow;
mod json;
mod openapi;
mod page;
mod parameters;
mod path;
mod query;
mod readers;
mod rebuild;
mod refusals;
mod reload;
mod replay_count;
mod replays;
mod responses;
mod routes;
mod session_end;
mod sessions;
mod sinks;
mod state;
mod stats;
mod streams;
#[cfg(test)]
mod tests;

pub(super) use feed::{Feed, Seat};
pub(super) use routes::router;
pub(super) use state::Api;
