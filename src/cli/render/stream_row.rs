//! A live stream as a row.

use super::rows::Row;
use super::session_cells::{address_cell, anomalies_cell, since, size_cell, warned};
use super::table::Column;
use super::text_cell::TextCell;
use super::timed::Timed;
use crate::index::StreamView;

/// A live stream, and the time when it was read.
pub(crate) type StreamRow = Timed<StreamView>;

impl Row for StreamRow {
    const COLUMNS: &'static [Column<StreamRow>] = &[
        Column::left("SINCE", |row| TextCell::moment(row.view.live_since)),
        Column::right("FOR", |row| TextCell::duration(since(row.view.live_since, row.now_ms))),
        Column::left("STREAM", |row| TextCell::stream(&row.view.domain, &row.view.app_name, &row.view.stream)),
        Column::left("FROM", |row| address_cell(row.view.user_address.as_deref())),
        Column::left("SIZE", |row| size_cell(row.view.width, row.view.height)),
        // A second push of a stream may be a backup, or an encoder that was forgotten.
        Column::right("PUSHES", |row| warned(row.view.pushes, row.view.pushes > 1)),
        Column::right("ANOMALIES", |row| anomalies_cell(row.view.anomalies)),
        Column::left("SESSION", |row| TextCell::new(&row.view.session)),
    ];

    const CSV_MEMBERS: &'static [&'static str] = &[
        "domain",
        "app_name",
        "stream",
        "live_since",
        "pushes",
        "session",
        "user_address",
        "node",
        "width",
        "height",
        "last_event",
        "anomalies",
    ];
}
