//! The callback endpoint: `POST <receiver.path>` takes a callback, makes its event durable and answers 200.
//!
//! The life of a request: `routes` checks its head, `body` reads it within limits, [`crate::callback`] parses and
//! verifies it, `storing` waits for the journal, `answers` holds every answer.

mod answers;
mod body;
mod hourly_counts;
mod options;
mod outcomes;
mod recent_refusals;
mod refused_body;
mod routes;
mod storing;

pub use hourly_counts::HourlyCounts;
pub use options::Options;
pub use recent_refusals::RecentRefusals;
pub(crate) use recent_refusals::{ERRORS, KeptRefusal, RefusalWord};
pub use routes::{Receiver, ReceiverError, router};
