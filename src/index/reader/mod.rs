//! Answers queries, next to the worker or in another process. Every call is a few short reads, and blocks.

mod broadcasts;
mod conditions;
mod earlier_sessions;
mod events;
mod hours;
mod inspection;
mod lane_filter;
mod lanes;
mod live_page;
mod media;
mod newest_sessions;
mod open;
mod position;
mod session_events;
mod sessions;
mod stops;
mod stream_names;
mod streams;
#[cfg(test)]
pub(in crate::index) mod testing;

pub use hours::HourCount;
pub use inspection::Inspection;
pub use open::Reader;
pub use session_events::SESSION_EVENTS_MAX;
