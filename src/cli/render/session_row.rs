//! A session as a row.

use super::reason::reason_cell;
use super::rows::Row;
use super::session_cells::{address_cell, anomalies_cell, lasted_cell, state_cell};
use super::table::Column;
use super::text_cell::TextCell;
use super::timed::Timed;
use crate::index::SessionView;

/// A session, and the time when it was read.
pub(crate) type SessionRow = Timed<SessionView>;

impl SessionRow {
    /// The duration of the session. It's unknown if the session is stale.
    pub(crate) fn lasted(&self) -> TextCell {
        let view = &self.view;
        lasted_cell(view.state, view.started, view.duration_ms, self.now_ms)
    }
}

impl Row for SessionRow {
    const COLUMNS: &'static [Column<SessionRow>] = &[
        Column::left("STARTED", |row| TextCell::moment(row.view.started)),
        Column::left("LASTED", SessionRow::lasted),
        Column::left("STATE", |row| state_cell(row.view.state)),
        Column::left("STREAM", |row| TextCell::stream(&row.view.domain, &row.view.app_name, &row.view.stream)),
        Column::left("REASON", |row| reason_cell(row.view.reason.as_ref().map(|view| &view.reason))),
        Column::left("FROM", |row| address_cell(row.view.user_address.as_deref())),
        Column::right("ANOMALIES", |row| anomalies_cell(row.view.anomalies)),
        Column::left("ID", |row| TextCell::new(&row.view.id)),
    ];

    const CSV_MEMBERS: &'static [&'static str] = &[
        "id",
        "state",
        "domain",
        "app_name",
        "stream",
        "sequence",
        "appid",
        "started",
        "ended",
        "duration_ms",
        "reason.errcode",
        "reason.sub",
        "reason.category",
        "reason.meaning",
        "reason.actor",
        "reason.advice",
        "reason.is_hint",
        "reason.errmsg",
        "user_address",
        "node",
        "width",
        "height",
        "first_event",
        "last_event",
        "push_event_id",
        "stop_event_id",
        "manual_end_event_id",
        "anomalies",
        "recordings",
        "screenshots",
    ];
}
