//! A dead letter as `livehook dead-letters` shows it.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::callback::EventId;
use crate::cli::render::cell::{Cell, NAME_CHARACTERS_MAX, Tone};
use crate::cli::render::human;
use crate::cli::render::listing::Row;
use crate::cli::render::table::Column;
use crate::journal::DeadLetter;
use crate::moment::Moment;

/// One dead letter.
#[derive(Debug, Serialize)]
pub(super) struct LetterRow {
    number: i64,
    sink: String,
    attempts: u32,
    reason: String,
    failed: Moment,
    redriven: Option<Moment>,
    id: EventId,
    #[serde(rename = "type")]
    event_type: String,
    domain: String,
    app_name: String,
    stream: String,
    received: Moment,
    /// The event in full, where it is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Box<RawValue>>,
    #[serde(skip)]
    line: String,
}

impl LetterRow {
    /// The row of a dead letter, without its event.
    pub(super) fn new(letter: DeadLetter) -> LetterRow {
        let event = letter.event;
        let key = event.partition_key();
        LetterRow {
            number: letter.number,
            sink: letter.sink,
            attempts: letter.attempts,
            reason: letter.failure,
            failed: Moment(letter.failed_at_ms),
            redriven: letter.redriven_at_ms.map(Moment),
            id: event.id(),
            event_type: event.event_type().to_string(),
            domain: key.domain().into_owned(),
            app_name: key.app_name().into_owned(),
            stream: key.stream().into_owned(),
            received: Moment(event.received_ms()),
            event: None,
            line: event.line().to_owned(),
        }
    }

    /// The same with its event.
    pub(super) fn with_event(self) -> LetterRow {
        LetterRow { event: RawValue::from_string(self.line.clone()).ok(), ..self }
    }

    /// The event as every sink gets it.
    pub(super) fn line(&self) -> &str {
        &self.line
    }

    /// Everything but the event, for people.
    pub(super) fn labelled(&self) -> Vec<(&'static str, Cell)> {
        vec![
            ("number", Cell::new(self.number)),
            ("sink", Cell::new(&self.sink)),
            ("reason", Cell::told(&self.reason, usize::MAX).toned(Tone::Bad)),
            ("attempts", Cell::new(self.attempts)),
            ("failed", Cell::new(human::moment(self.failed.0))),
            ("redriven", self.redriven()),
            ("received", Cell::new(human::moment(self.received.0))),
            ("type", Cell::new(&self.event_type)),
            ("stream", Cell::stream(&self.domain, &self.app_name, &self.stream)),
            ("event id", Cell::new(self.id)),
        ]
    }

    fn redriven(&self) -> Cell {
        Cell::optional(self.redriven.map(|redriven| human::moment(redriven.0)))
    }
}

impl Row for LetterRow {
    const COLUMNS: &'static [Column] = &[
        Column::right("NUMBER"),
        Column::left("SINK"),
        Column::left("FAILED"),
        Column::right("ATTEMPTS"),
        Column::left("REDRIVEN"),
        Column::left("TYPE"),
        Column::left("STREAM"),
        Column::left("REASON"),
    ];

    const CSV_MEMBERS: &'static [&'static str] = &[
        "number", "sink", "attempts", "reason", "failed", "redriven", "id", "type", "domain", "app_name", "stream",
        "received",
    ];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::new(self.number),
            Cell::new(&self.sink),
            Cell::new(human::moment(self.failed.0)),
            Cell::new(self.attempts),
            self.redriven(),
            Cell::new(&self.event_type),
            Cell::stream(&self.domain, &self.app_name, &self.stream),
            Cell::told(&self.reason, NAME_CHARACTERS_MAX).toned(Tone::Bad),
        ]
    }
}
