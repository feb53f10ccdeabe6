//! How `dead-letters list` and `dead-letters show` print a dead letter.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::callback::EventId;
use crate::cli::render::{Column, Detail, NAME_CHARACTERS_MAX, Row, TextCell, Tone};
use crate::journal::DeadLetter;
use crate::moment::Moment;

/// A dead letter.
#[derive(Debug, Serialize)]
pub(super) struct DeadLetterRow {
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
    /// The full event; a list leaves it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Box<RawValue>>,
    #[serde(skip)]
    line: String,
}

impl DeadLetterRow {
    /// A row without the event.
    pub(super) fn new(dead_letter: DeadLetter) -> DeadLetterRow {
        let event = dead_letter.event;
        let key = event.partition_key();
        DeadLetterRow {
            number: dead_letter.number,
            sink: dead_letter.sink,
            attempts: dead_letter.attempts,
            reason: dead_letter.failure,
            failed: Moment(dead_letter.failed_at_ms),
            redriven: dead_letter.redriven_at_ms.map(Moment),
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

    /// The same row with the full event.
    pub(super) fn with_event(self) -> DeadLetterRow {
        DeadLetterRow { event: RawValue::from_string(self.line.clone()).ok(), ..self }
    }

    /// The event as sinks receive it, one line of JSON.
    pub(super) fn line(&self) -> &str {
        &self.line
    }

    /// Everything except the event, for people.
    pub(super) fn details(&self) -> Vec<Detail> {
        vec![
            ("number", TextCell::new(self.number)),
            ("sink", TextCell::new(&self.sink)),
            ("reason", self.reason(usize::MAX)),
            ("attempts", TextCell::new(self.attempts)),
            ("failed", TextCell::moment(self.failed)),
            ("redriven", TextCell::optional_moment(self.redriven)),
            ("received", TextCell::moment(self.received)),
            ("type", TextCell::new(&self.event_type)),
            ("stream", self.stream()),
            ("event id", TextCell::new(self.id)),
        ]
    }

    fn reason(&self, characters_max: usize) -> TextCell {
        TextCell::already_escaped(&self.reason, characters_max).toned(Tone::Bad)
    }

    fn stream(&self) -> TextCell {
        TextCell::stream(&self.domain, &self.app_name, &self.stream)
    }
}

impl Row for DeadLetterRow {
    const COLUMNS: &'static [Column<DeadLetterRow>] = &[
        Column::right("NUMBER", |row| TextCell::new(row.number)),
        Column::left("SINK", |row| TextCell::new(&row.sink)),
        Column::left("FAILED", |row| TextCell::moment(row.failed)),
        Column::right("ATTEMPTS", |row| TextCell::new(row.attempts)),
        Column::left("REDRIVEN", |row| TextCell::optional_moment(row.redriven)),
        Column::left("TYPE", |row| TextCell::new(&row.event_type)),
        Column::left("STREAM", DeadLetterRow::stream),
        Column::left("REASON", |row| row.reason(NAME_CHARACTERS_MAX)),
    ];

    const CSV_MEMBERS: &'static [&'static str] = &[
        "number", "sink", "attempts", "reason", "failed", "redriven", "id", "type", "domain", "app_name", "stream",
        "received",
    ];
}
