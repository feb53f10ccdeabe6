//! Which dead letters a query or a change means.

use super::DeadLetter;
use crate::callback::EventId;
use crate::moment::TimeRange;

/// Selects the dead letters that match every given criterion. Without any criterion, it selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLetterSelection {
    /// Of this sink.
    pub sink: Option<String>,
    /// With one of these numbers, or of one of the events in `ids`.
    pub numbers: Vec<i64>,
    /// Of one of these events, or with one of the `numbers`.
    pub ids: Vec<EventId>,
    /// Given up last in this time.
    pub failed: TimeRange,
}

impl DeadLetterSelection {
    /// Returns SQL that finds some columns of the selected dead letters by everything but the time, which has no index. Its
    /// parameters: the number to begin after, the last number, the sink, the numbers and the ids as JSON, and the limit.
    pub(super) fn sql(&self, columns: &str) -> String {
        let sink = if self.sink.is_some() { " AND consumer = ?3" } else { "" };
        let named = if self.numbers.is_empty() && self.ids.is_empty() {
            ""
        } else {
            // Each list is one parameter, so the statement is the same for any number of values.
            " AND (number IN (SELECT value FROM json_each(?4)) OR id IN (SELECT unhex(value) FROM json_each(?5)))"
        };
        format!(
            "SELECT {columns} FROM dead_letters WHERE number > ?1 AND number <= ?2{sink}{named} ORDER BY number LIMIT ?6"
        )
    }

    pub(super) fn numbers_json(&self) -> String {
        serde_json::Value::from(self.numbers.as_slice()).to_string()
    }

    pub(super) fn ids_json(&self) -> String {
        let ids = self.ids.iter().map(|id| hex::encode(id.to_bytes()));
        serde_json::Value::from_iter(ids).to_string()
    }
}

/// A page of dead letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLetterPage {
    /// The dead letters by number. A page may have few or none although more follow.
    pub dead_letters: Vec<DeadLetter>,
    /// The number after which the next page begins; `None` on the last page.
    pub next: Option<i64>,
}
