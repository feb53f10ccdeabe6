//! The callback endpoint: `POST <receiver.path>` takes a callback, makes its event durable and answers 200.
//!
//! The life of a request: `routes` loads the present rules and chooses the handler, and `callback_receiver` checks its head.
//! [`crate::http`] reads the body within limits, [`crate::callback`] parses and verifies it, `storing` waits for the journal, and
//! `answers` holds every answer.

mod answers;
mod callback_receiver;
mod hourly_counts;
mod minute_counts;
mod options;
mod outcomes;
mod recent_refusals;
mod refused_body;
mod routes;
mod rules;
mod storing;

pub use callback_receiver::CallbackReceiver;
pub use hourly_counts::HourlyCounts;
pub use options::Options;
pub use recent_refusals::RecentRefusals;
pub(crate) use recent_refusals::{ERRORS, KeptRefusal, RefusalWord};
