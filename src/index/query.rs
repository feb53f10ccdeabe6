//! Queries for sessions and broadcasts: which ones, in which order, how many.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::callback::{ReasonCategory, StreamSelection};
use crate::session::State;

/// What sessions are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(default = json!("started"))]
pub enum Sort {
    /// When they started.
    #[default]
    Started,
    /// When they ended; sessions without an end count as the latest.
    Ended,
    /// How long they lasted. Live sessions count as the longest, the earliest start first. Sessions of unknown duration count as
    /// the shortest.
    Duration,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(default = json!("descending"))]
pub enum Order {
    /// The largest comes first.
    #[default]
    Descending,
    /// The smallest comes first.
    Ascending,
}

/// A query for sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionQuery {
    /// Only those of these streams.
    pub selection: StreamSelection,
    /// Only those in one of these states; empty for all.
    pub states: Vec<State>,
    /// Only those that started at this time or later, in Unix ms.
    pub since_ms: Option<i64>,
    /// Only those that started before this time, in Unix ms.
    pub until_ms: Option<i64>,
    /// Only those that stopped for one of these reasons; empty for all.
    pub categories: Vec<ReasonCategory>,
    /// What they are sorted by.
    pub sort: Sort,
    /// The order of the list.
    pub order: Order,
    /// Only those after this [`super::SessionView::place`].
    pub after: Option<(i64, i64)>,
    /// At most this many.
    pub limit: usize,
}

impl Default for SessionQuery {
    fn default() -> SessionQuery {
        SessionQuery {
            selection: StreamSelection::default(),
            states: Vec::new(),
            since_ms: None,
            until_ms: None,
            categories: Vec::new(),
            sort: Sort::default(),
            order: Order::default(),
            after: None,
            limit: 100,
        }
    }
}

/// A query for broadcasts, whose first sessions are compared with it. The newest comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BroadcastQuery {
    /// Only those of these streams.
    pub selection: StreamSelection,
    /// Only those in one of these states; empty for all.
    pub states: Vec<State>,
    /// Only those that started at this time or later, in Unix ms.
    pub since_ms: Option<i64>,
    /// Only those that started before this time, in Unix ms.
    pub until_ms: Option<i64>,
    /// Only those after this [`super::BroadcastView::place`].
    pub after: Option<(i64, i64)>,
    /// At most this many.
    pub limit: usize,
}

impl Default for BroadcastQuery {
    fn default() -> BroadcastQuery {
        BroadcastQuery {
            selection: StreamSelection::default(),
            states: Vec::new(),
            since_ms: None,
            until_ms: None,
            after: None,
            limit: 100,
        }
    }
}
