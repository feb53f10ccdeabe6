//! Why sessions ended: queries for counts, and what they return.

use super::stream_filter::StreamFilter;
use crate::callback::{Reason, ReasonCategory};

/// A query for the ends of sessions in a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopQuery {
    /// The beginning of the time, in Unix ms.
    pub from_ms: i64,
    /// The first moment after the time, in Unix ms.
    pub until_ms: i64,
    /// Only sessions of these streams.
    pub streams: StreamFilter,
}

/// The ends of sessions in a time, counted by reason, stream and node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopCounts {
    /// The time of each end in Unix ms and its category, the latest first.
    pub ends: Vec<(i64, ReasonCategory)>,
    /// Whether there were too many to count. Then only the latest are.
    pub is_cut: bool,
    /// How many ended for each reason, the most frequent one first.
    pub reasons: Vec<(Reason, usize)>,
    /// The streams with the most interruptions, with their number.
    pub streams: Vec<(StreamName, usize)>,
    /// The nodes with the most interruptions, with their number.
    pub nodes: Vec<(String, usize)>,
}

/// The names of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamName {
    /// The push domain, in lower case.
    pub domain: String,
    /// The app name.
    pub app_name: String,
    /// The stream name.
    pub stream: String,
}
