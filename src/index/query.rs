//! Queries for sessions and broadcasts: which ones, in which order, how many.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::callback::{ReasonCategory, StreamSelection};
use crate::moment::TimeRange;
use crate::session::State;

/// The order of sessions.
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
    /// Only the ones of these streams.
    pub selection: StreamSelection,
    /// Only the ones in one of these states; empty for all.
    pub states: Vec<State>,
    /// Only the ones that started in this time.
    pub started: TimeRange,
    /// Only the ones that stopped for one of these reasons; empty for all.
    pub categories: Vec<ReasonCategory>,
    /// By which value they are sorted.
    pub sort: Sort,
    /// The order of the list.
    pub order: Order,
    /// Only the ones after this [`super::SessionView::place`].
    pub after: Option<(i64, i64)>,
    /// At most this many.
    pub limit: usize,
}

impl Default for SessionQuery {
    fn default() -> SessionQuery {
        SessionQuery {
            selection: StreamSelection::default(),
            states: Vec::new(),
            started: TimeRange::default(),
            categories: Vec::new(),
            sort: Sort::default(),
            order: Order::default(),
            after: None,
            limit: 100,
        }
    }
}

/// A query for broadcasts. The one that started last comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BroadcastQuery {
    /// Only the ones of these streams.
    pub selection: StreamSelection,
    /// Only the ones in one of these states; empty for all.
    pub states: Vec<State>,
    /// Only the ones that started in this time.
    pub started: TimeRange,
    /// Only the ones after this [`super::BroadcastView::place`].
    pub after: Option<(i64, i64)>,
    /// At most this many.
    pub limit: usize,
}

impl Default for BroadcastQuery {
    fn default() -> BroadcastQuery {
        BroadcastQuery {
            selection: StreamSelection::default(),
            states: Vec::new(),
            started: TimeRange::default(),
            after: None,
            limit: 100,
        }
    }
}

/// The order of live streams, as people look for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LiveSort {
    /// When they went live.
    #[default]
    Since,
    /// By domain, app name and stream name.
    Name,
}

/// A query for live streams, as people look for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveQuery {
    /// Only streams whose `domain/app name/stream` has this text, in any case; empty for all.
    pub text: String,
    /// By which value they are sorted.
    pub sort: LiveSort,
    /// The order of the list.
    pub order: Order,
    /// How many are left out at the beginning.
    pub skip: usize,
    /// At most this many.
    pub limit: usize,
}
