//! A broadcast as a row.

use super::rows::Row;
use super::session_cells::{lasted_cell, state_cell, warned};
use super::table::Column;
use super::text_cell::TextCell;
use super::time;
use super::timed::Timed;
use crate::index::BroadcastView;

/// A broadcast, and the time when it was read.
pub(crate) type BroadcastRow = Timed<BroadcastView>;

impl BroadcastRow {
    fn longest_gap(&self) -> TextCell {
        TextCell::optional((self.view.interruptions > 0).then(|| time::duration(self.view.longest_gap_ms)))
    }
}

impl Row for BroadcastRow {
    const COLUMNS: &'static [Column<BroadcastRow>] = &[
        Column::left("STARTED", |row| TextCell::moment(row.view.started)),
        Column::left("LASTED", |BroadcastRow { view, now_ms }| {
            lasted_cell(view.state, view.started, view.duration_ms, *now_ms)
        }),
        Column::left("STATE", |row| state_cell(row.view.state)),
        Column::left("STREAM", |row| TextCell::stream(&row.view.domain, &row.view.app_name, &row.view.stream)),
        Column::right("SESSIONS", |row| TextCell::new(row.view.sessions)),
        Column::right("GAPS", |row| warned(row.view.interruptions, row.view.interruptions > 0)),
        Column::right("LONGEST GAP", BroadcastRow::longest_gap),
        Column::left("FIRST SESSION", |row| TextCell::new(&row.view.first_session)),
    ];

    const CSV_MEMBERS: &'static [&'static str] = &[
        "domain",
        "app_name",
        "stream",
        "state",
        "started",
        "ended",
        "duration_ms",
        "sessions",
        "interruptions",
        "longest_gap_ms",
        "gaps_ms",
        "first_session",
        "last_session",
    ];
}
