//! The lanes of the time line: queries for them, and what they return.

use super::stream_filter::StreamFilter;
use crate::callback::{Reason, ReasonCategory};
use crate::session::{SessionId, Span, State};

/// A query for the streams that were on in a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaneQuery {
    /// The beginning of the time, in Unix ms.
    pub from_ms: i64,
    /// The first moment after the time, in Unix ms.
    pub until_ms: i64,
    /// Only these streams.
    pub streams: StreamFilter,
    /// Only streams with a stop of this category.
    pub category: Option<ReasonCategory>,
    /// Only streams with a stop of this code.
    pub errcode: Option<i64>,
    /// Only streams with a push to this node.
    pub node: Option<String>,
    /// How many streams are left out at the beginning.
    pub skip: usize,
    /// At most this many streams.
    pub limit: usize,
}

/// A page of lanes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LanePage {
    /// The lanes, the one with the newest push first.
    pub lanes: Vec<Lane>,
    /// Whether there are more on the next page.
    pub has_more: bool,
    /// Whether there were too many sessions to search them all, so that streams may be missing.
    pub is_cut: bool,
    /// The longest gap within a broadcast, in ms.
    pub bridge_gap_ms: i64,
}

/// A stream, with its sessions in the time of the query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lane {
    /// The push domain, in lower case.
    pub domain: String,
    /// The app name.
    pub app_name: String,
    /// The stream name.
    pub stream: String,
    /// Its sessions, the earliest start first.
    pub sessions: Vec<LaneSession>,
    /// If there are too many sessions: from when on they are complete, in Unix ms. Earlier ones are missing, unless they reach into
    /// the time or have no end.
    pub complete_from_ms: Option<i64>,
}

/// A session on a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneSession {
    /// The session's id.
    pub id: SessionId,
    /// When it started, in Unix ms.
    pub started_ms: i64,
    /// When it was last on, in Unix ms; `i64::MAX` while it is live.
    pub until_ms: i64,
    /// Its state.
    pub state: State,
    /// Why it ended.
    pub reason: Option<Reason>,
    /// The pusher's address.
    pub user_address: Option<String>,
}

impl LaneSession {
    /// Its time and state, for broadcasts.
    pub fn span(&self) -> Span {
        Span { started_ms: self.started_ms, until_ms: self.until_ms, state: self.state }
    }
}
