//! The flags that select dead letters.

use serde_json::{Value, json};

use crate::callback::EventId;
use crate::cli::args::TimeRangeArguments;
use crate::journal::DeadLetterSelection;
use crate::moment::Moment;

/// Which dead letters.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(super) struct SelectionArguments {
    /// Only dead letters of this sink, even if the sink is no longer configured
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,
    #[command(flatten)]
    time_range: TimeRangeArguments,
    /// Only the dead letter with this number, or all dead letters of the event with this id. Repeat the flag for more
    #[arg(long = "id", value_name = "ID", value_parser = DeadLetterId::parse)]
    ids: Vec<DeadLetterId>,
}

impl SelectionArguments {
    /// Returns the selection.
    ///
    /// # Errors
    /// The time range is empty: wrong usage.
    pub(super) fn selection(&self) -> anyhow::Result<DeadLetterSelection> {
        let failed = self.time_range.range()?;
        Ok(DeadLetterSelection { sink: self.sink.clone(), failed, ..selection_of(&self.ids) })
    }
}

/// How the user names a dead letter: by its number, or by the id of its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeadLetterId {
    Number(i64),
    Event(EventId),
}

impl DeadLetterId {
    /// Parses a number or an event id.
    pub(super) fn parse(text: &str) -> Result<DeadLetterId, &'static str> {
        let number = text.parse().map(DeadLetterId::Number);
        let id = || text.parse().map(DeadLetterId::Event);
        number.or_else(|_| id()).map_err(|_| "must be the number of a dead letter (17) or the id of an event")
    }
}

/// Returns the selection of these dead letters.
pub(super) fn selection_of(ids: &[DeadLetterId]) -> DeadLetterSelection {
    let mut selection = DeadLetterSelection::default();
    for id in ids {
        match id {
            DeadLetterId::Number(number) => selection.numbers.push(*number),
            DeadLetterId::Event(id) => selection.ids.push(*id),
        }
    }
    selection
}

/// Returns the body of a request that selects the same dead letters. The API accepts an empty selection only as `all`.
pub(super) fn request_body(selection: &DeadLetterSelection) -> Value {
    if *selection == DeadLetterSelection::default() {
        return json!({"all": true});
    }
    json!({
        "sink": selection.sink,
        "numbers": selection.numbers,
        "ids": selection.ids,
        "since": selection.failed.since_ms.map(Moment),
        "until": selection.failed.until_ms.map(Moment),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::TimeRange;

    #[test]
    fn request_body_of_a_selection() {
        let selection = DeadLetterSelection {
            numbers: vec![7],
            failed: TimeRange { since_ms: Some(1_777_636_800_000), until_ms: None },
            ..DeadLetterSelection::default()
        };
        let expected = json!({"sink": null, "numbers": [7], "ids": [], "since": "2026-05-01T12:00:00Z", "until": null});
        assert_eq!(request_body(&selection), expected);
        assert_eq!(request_body(&DeadLetterSelection::default()), json!({"all": true}));
    }
}
