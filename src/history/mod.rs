//! Answers queries for events and sessions: from the index as far as it goes, and from the journal for the rest.
//!
//! The admin endpoint and the command line both read through this module, so the boundary between index and journal is
//! drawn once. It only reads, and prints nothing.

mod event_query;
mod event_source;
mod fresh_index;
mod manual_end;
mod session_events;
#[cfg(test)]
pub(crate) mod testing;

pub use event_query::{EventPage, EventQuery};
pub use event_source::{EventSource, PAGE_BYTES_MAX, SCAN_RECORDS_MAX, usable_index};
pub use fresh_index::{FreshIndex, IndexDifference, IndexGap};
pub use manual_end::{EndDecision, EndError, EndRequest};
pub use session_events::SessionEvents;
