//! The read model: live streams, sessions, and the offset of each event in the journal.
//!
//! It is derived from the journal and stored in `index.db` next to it. [`Worker`] follows the journal as a consumer of its own:
//! an event's changes and the cursor are written in one transaction, so each event counts exactly once. Sessions outlive the
//! journal's records, by [`Options::retention_days`]. [`Reader`] answers queries, also in another process.
//!
//! [`crate::session`] decides which events make a session. This module only stores the result.

mod apply;
mod backup;
mod error;
mod event_table;
mod following;
mod hours;
mod lane_views;
mod multiple_rows;
mod options;
mod pruning;
mod query;
mod reader;
mod rebuild;
mod rebuilt_sessions;
mod replacing;
mod schema;
mod sequences;
mod session_stretches;
mod settings;
mod status;
mod stop_views;
mod store;
mod stored_session;
mod stream_filter;
mod stream_table;
#[cfg(test)]
mod testing;
mod views;

pub use backup::backup;
pub use error::IndexError;
pub use following::Worker;
pub use lane_views::{Lane, LanePage, LaneQuery, LaneSession};
pub use options::{CONSUMER, Options};
pub use query::{BroadcastQuery, LiveQuery, LiveSort, Order, SessionQuery, Sort};
pub use reader::{HourCount, Inspection, Reader, SESSION_EVENTS_MAX};
pub use rebuild::{Rebuilt, rebuild};
pub use settings::Settings;
pub use status::{Status, StatusView};
pub use stop_views::{StopCounts, StopQuery, StreamName};
pub use store::Store;
pub use stream_filter::StreamFilter;
pub use views::{BroadcastView, LivePage, ReasonView, SessionView, StreamView};
