//! The conditions of a query in SQL.

use rusqlite::types::Value;

use crate::moment::TimeRange;

/// Conditions that must all hold. Texts from outside are parameters, never part of the SQL.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    texts: Vec<String>,
    pub(super) values: Vec<Value>,
}

impl Conditions {
    /// Adds a condition as text.
    pub(super) fn text(&mut self, text: String) {
        self.texts.push(text);
    }

    /// Adds that a column must have one of some values.
    pub(super) fn any_of(&mut self, column: &str, values: impl Iterator<Item = Value>) {
        let before = self.values.len();
        self.values.extend(values);
        let places = vec!["?"; self.values.len() - before].join(", ");
        self.text(format!("{column} IN ({places})"));
    }

    /// Adds that a session must have started in a time.
    pub(super) fn started_in(&mut self, time: TimeRange) {
        if let Some(since_ms) = time.since_ms {
            self.text(format!("started_ms >= {since_ms}"));
        }
        if let Some(until_ms) = time.until_ms {
            self.text(format!("started_ms < {until_ms}"));
        }
    }

    /// The `WHERE` clause; empty without conditions.
    pub(super) fn joined(&self) -> String {
        if self.texts.is_empty() { String::new() } else { format!("WHERE {}", self.texts.join(" AND ")) }
    }
}
