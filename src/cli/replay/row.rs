//! How `replay` reads a replay from the API and prints it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cli::render::{Column, NAME_CHARACTERS_MAX, Row, TextCell};
use crate::moment::{self, Moment};

/// A replay, as the API returns it.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Replay {
    pub(super) id: i64,
    pub(super) sink: String,
    pub(super) state: String,
    has_sink: bool,
    selection: Value,
    pub(super) counted: Option<u64>,
    pub(super) done: u64,
    pub(super) failed: u64,
    pub(super) missed: Option<u64>,
    pub(super) last_reason: Option<String>,
    created: String,
    pub(super) ended: Option<String>,
}

impl Replay {
    /// Whether it was cancelled before its end.
    pub(super) fn is_cancelled(&self) -> bool {
        self.state == "cancelled"
    }

    /// The progress, such as `3 of 9 events`.
    pub(super) fn progress(&self) -> String {
        match self.counted {
            Some(counted) => format!("{} of {counted} events", self.done),
            None => format!("{} events", self.done),
        }
    }

    fn created(&self) -> TextCell {
        // The text is complete, so the present time has no part in its meaning.
        match moment::parse(&self.created, 0) {
            Ok(created_ms) => TextCell::moment(Moment(created_ms)),
            Err(_) => TextCell::new(&self.created),
        }
    }
}

impl Row for Replay {
    const COLUMNS: &'static [Column<Replay>] = &[
        Column::right("ID", |row| TextCell::new(row.id)),
        Column::left("SINK", |row| TextCell::new(&row.sink)),
        Column::left("STATE", |row| TextCell::new(&row.state)),
        Column::right("EVENTS", |row| TextCell::optional(row.counted)),
        Column::right("DONE", |row| TextCell::new(row.done)),
        Column::right("FAILED", |row| TextCell::new(row.failed)),
        Column::left("CREATED", Replay::created),
        // The service has escaped the reason.
        Column::left("LAST FAILURE", |row| {
            TextCell::already_escaped(row.last_reason.as_deref().unwrap_or_default(), NAME_CHARACTERS_MAX)
        }),
    ];

    const CSV_MEMBERS: &'static [&'static str] =
        &["id", "sink", "state", "counted", "done", "failed", "missed", "last_reason", "created", "ended"];
}
