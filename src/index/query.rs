//! What can be asked for, and in which order it is given.

use utoipa::ToSchema;

use crate::callback::{ReasonCategory, StreamSelection};
use crate::session::State;

/// What sessions are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase", default = json!("started"))]
pub enum Sort {
    /// When they started.
    #[default]
    Started,
    /// When they ended; those that have not count as the latest.
    Ended,
    /// How long they lasted; those that are live count as the longest, the one that started first before all; those of which
    /// it is not known, as of stale ones, as the shortest.
    Duration,
}

/// Which end comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase", default = json!("descending"))]
pub enum Order {
    /// The largest.
    #[default]
    Descending,
    /// The smallest.
    Ascending,
}

/// Which sessions are wanted, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionQuery {
    /// Of which streams.
    pub selection: StreamSelection,
    /// In which states; empty for all.
    pub states: Vec<State>,
    /// Started then or later, in Unix ms.
    pub since_ms: Option<i64>,
    /// Started before, in Unix ms.
    pub until_ms: Option<i64>,
    /// Stopped for one of these reasons; empty for all.
    pub categories: Vec<ReasonCategory>,
    /// What they are sorted by.
    pub sort: Sort,
    /// Which end comes first.
    pub order: Order,
    /// After the one that had this [`super::SessionView::place`].
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

/// Which broadcasts are wanted: those whose first session is asked for, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BroadcastQuery {
    /// Of which streams.
    pub selection: StreamSelection,
    /// In which states; empty for all.
    pub states: Vec<State>,
    /// Started then or later, in Unix ms.
    pub since_ms: Option<i64>,
    /// Started before, in Unix ms.
    pub until_ms: Option<i64>,
    /// After the one that had this [`super::BroadcastView::place`].
    pub after: Option<(i64, i64)>,
    /// At most this many.
    pub limit: usize,
}
