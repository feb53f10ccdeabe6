//! Which time and which streams an address of the time line asks for.

use crate::admin::pages::view::View;
use crate::admin::pages::window::{Span, Window};
use crate::callback::ReasonCategory;
use crate::index::LaneQuery;

/// How many lanes a page has.
const LANES_MAX: usize = 50;

/// The spans that the page offers.
pub(super) const SPANS: [Span; 3] = [Span::Hour, Span::Day, Span::Week];

/// The time and the streams that an address asks for.
pub(super) struct Wanted {
    pub(super) window: Window,
    pub(super) query: LaneQuery,
    /// Counted from 1.
    pub(super) page: usize,
}

impl Wanted {
    pub(super) fn of(view: &View) -> Wanted {
        let window = Window::of(view, &SPANS, Span::Day);
        let page = view.choice("page", |text| text.parse().ok()).unwrap_or(1).clamp(1, 400);
        let query = LaneQuery {
            from_ms: window.from_ms,
            until_ms: window.until_ms,
            streams: view.streams(),
            category: view.choice("reason", |text| text.parse::<ReasonCategory>().ok()),
            errcode: view.choice("code", |text| text.parse().ok()),
            node: view.parameter("node"),
            skip: (page - 1) * LANES_MAX,
            limit: LANES_MAX,
        };
        Wanted { window, query, page }
    }

    /// Whether the address selects streams.
    pub(super) fn is_filtered(&self) -> bool {
        let all = LaneQuery { from_ms: self.query.from_ms, until_ms: self.query.until_ms, ..LaneQuery::default() };
        LaneQuery { skip: 0, limit: 0, ..self.query.clone() } != all
    }
}
