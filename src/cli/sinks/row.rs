//! How `sinks list` prints a sink.

use serde::{Deserialize, Serialize};

use crate::cli::render::{Column, NAME_CHARACTERS_MAX, Row, TextCell, Tone};
use crate::journal::ConsumerView;
use crate::moment::{self, Moment};

/// A sink, as the API returns it, or as the journal alone knows it.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct SinkRow {
    name: String,
    #[serde(rename = "type")]
    type_name: Option<String>,
    #[serde(default)]
    state: State,
    #[serde(rename(deserialize = "lag"))]
    pending: i64,
    oldest_pending: Option<String>,
    /// How long ago the oldest pending event was received.
    #[serde(default)]
    oldest_pending_secs: Option<i64>,
    last_delivered: Option<String>,
    attempt: Option<u32>,
    last_error: Option<String>,
    dead_letters: i64,
    #[serde(default)]
    held_streams: usize,
    #[serde(default)]
    blocked: bool,
}

/// How a sink does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// It takes events, or has none to take.
    #[default]
    Working,
    /// Its last attempt failed. It tries again.
    Failing,
    /// It reads no more events, because too many have failed.
    Blocked,
    /// No service runs.
    Stopped,
}

impl SinkRow {
    /// A sink whose service doesn't run.
    pub(super) fn of_consumer(consumer: ConsumerView) -> SinkRow {
        SinkRow {
            name: consumer.name,
            state: State::Stopped,
            pending: consumer.pending,
            oldest_pending: consumer.oldest_pending_ms.map(|received_ms| Moment(received_ms).to_string()),
            dead_letters: consumer.dead_letters,
            ..SinkRow::default()
        }
    }

    /// Adds what follows from the rest.
    pub(super) fn complete(&mut self, now_ms: i64) {
        self.state = match self {
            SinkRow { state: State::Stopped, .. } => State::Stopped,
            SinkRow { blocked: true, .. } => State::Blocked,
            SinkRow { last_error: Some(_), .. } => State::Failing,
            _ => State::Working,
        };
        let oldest_ms = self.oldest_pending.as_deref().and_then(|text| moment::parse(text, now_ms).ok());
        self.oldest_pending_secs = oldest_ms.map(|oldest_ms| (now_ms - oldest_ms).max(0) / 1000);
    }

    fn state_cell(&self) -> TextCell {
        match self.state {
            State::Working => TextCell::new("working").toned(Tone::Good),
            State::Failing => TextCell::new("failing").toned(Tone::Bad),
            State::Blocked => TextCell::new("blocked").toned(Tone::Bad),
            State::Stopped => TextCell::new("stopped"),
        }
    }
}

fn moment_cell(text: Option<&str>) -> TextCell {
    // The text is complete, so the present time has no part in its meaning.
    match text.map(|text| moment::parse(text, 0)) {
        Some(Ok(time_ms)) => TextCell::moment(Moment(time_ms)),
        _ => TextCell::new(text.unwrap_or_default()),
    }
}

impl Row for SinkRow {
    const COLUMNS: &'static [Column<SinkRow>] = &[
        Column::left("SINK", |row| TextCell::name(&row.name)),
        Column::left("TYPE", |row| TextCell::optional(row.type_name.as_deref())),
        Column::left("STATE", SinkRow::state_cell),
        Column::right("PENDING", |row| TextCell::new(row.pending)),
        Column::right("OLDEST", |row| {
            row.oldest_pending_secs
                .map_or_else(|| TextCell::new(""), |secs| TextCell::duration(secs.saturating_mul(1000)))
        }),
        Column::left("LAST SUCCESS", |row| moment_cell(row.last_delivered.as_deref())),
        Column::right("DEAD LETTERS", |row| TextCell::new(row.dead_letters)),
        // The service has escaped the reason.
        Column::left("LAST ERROR", |row| {
            TextCell::already_escaped(row.last_error.as_deref().unwrap_or_default(), NAME_CHARACTERS_MAX)
        }),
    ];

    const CSV_MEMBERS: &'static [&'static str] = &[
        "name",
        "type",
        "state",
        "pending",
        "oldest_pending",
        "oldest_pending_secs",
        "last_delivered",
        "attempt",
        "last_error",
        "dead_letters",
        "held_streams",
        "blocked",
    ];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::{Output, OutputFormat, print_rows};
    use crate::journal::Offset;

    const NOW: &str = "2026-05-01T12:00:00Z";

    fn printed(mut rows: Vec<SinkRow>, format: OutputFormat) -> String {
        let now_ms = moment::parse(NOW, 0).unwrap();
        rows.iter_mut().for_each(|row| row.complete(now_ms));
        let mut written = Vec::new();
        print_rows(&rows, format, &mut Output::to(&mut written)).unwrap();
        String::from_utf8(written).unwrap()
    }

    fn rows() -> Vec<SinkRow> {
        let of_api = |json: &str| serde_json::from_str(json).unwrap();
        vec![
            of_api(
                r#"{"name":"archive","type":"file","cursor":9,"lag":0,"oldest_pending":null,"attempt":1,"last_error":null,
                "last_delivered":"2026-05-01T11:59:00.000Z","dead_letters":0,"failing":null,"held_streams":0,"blocked":false}"#,
            ),
            of_api(
                r#"{"name":"backend","type":"http","cursor":2,"lag":7,"oldest_pending":"2026-05-01T09:58:00.000Z","attempt":4,
                "last_error":"https://b answered 503","last_delivered":null,"dead_letters":2,"held_streams":1,"blocked":false}"#,
            ),
            of_api(
                r#"{"name":"full","type":"http","lag":1000,"oldest_pending":null,"attempt":4,"last_error":"x",
                "last_delivered":null,"dead_letters":0,"held_streams":1000,"blocked":true}"#,
            ),
            SinkRow::of_consumer(ConsumerView {
                name: "offline".to_owned(),
                cursor: Offset(4),
                position: Offset(4),
                is_retired: false,
                pending: 3,
                oldest_pending_ms: Some(moment::parse("2026-05-01T11:59:18Z", 0).unwrap()),
                dead_letters: 1,
            }),
        ]
    }

    #[test]
    fn sinks_in_each_format() {
        let all = [OutputFormat::Table, OutputFormat::Json, OutputFormat::Csv].map(|format| printed(rows(), format));
        insta::assert_snapshot!(all.join("\n"));
    }
}
