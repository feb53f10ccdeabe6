//! Conditions of a question, in SQL and beside it.

use std::collections::HashMap;

use rusqlite::types::Value;

use super::Reader;
use crate::callback::StreamSelection;
use crate::index::IndexError;

/// Conditions of which all must hold. What comes from outside is a parameter, never part of the text.
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

    /// Adds that a column has one of some values.
    pub(super) fn any_of(&mut self, column: &str, values: impl Iterator<Item = Value>) {
        let before = self.values.len();
        self.values.extend(values);
        let places = vec!["?"; self.values.len() - before].join(", ");
        self.text(format!("{column} IN ({places})"));
    }

    /// Adds that a session started in a time, in Unix ms.
    pub(super) fn times(&mut self, since_ms: Option<i64>, until_ms: Option<i64>) {
        if let Some(since_ms) = since_ms {
            self.text(format!("started_ms >= {since_ms}"));
        }
        if let Some(until_ms) = until_ms {
            self.text(format!("started_ms < {until_ms}"));
        }
    }

    /// All of it, as it stands after the table.
    pub(super) fn joined(&self) -> String {
        if self.texts.is_empty() { String::new() } else { format!("WHERE {}", self.texts.join(" AND ")) }
    }
}

/// Decides by names whether a stream is meant, once for each.
pub(super) struct Names<'r> {
    reader: &'r Reader,
    selection: &'r StreamSelection,
    /// Whether only streams are asked for that are meant.
    is_decided: bool,
    decided: HashMap<i64, bool>,
}

/// How many decisions are remembered.
const DECISIONS_MAX: usize = 100_000;

impl<'r> Names<'r> {
    pub(super) fn new(reader: &'r Reader, selection: &'r StreamSelection, is_decided: bool) -> Names<'r> {
        let is_decided = is_decided || *selection == StreamSelection::default();
        Names { reader, selection, is_decided, decided: HashMap::new() }
    }

    /// Whether the stream of a row is meant.
    pub(super) fn take(&mut self, stream: i64) -> Result<bool, IndexError> {
        if self.is_decided {
            return Ok(true);
        }
        if let Some(decision) = self.decided.get(&stream) {
            return Ok(*decision);
        }
        let key = self.reader.stream_key(stream)?;
        let decision = self.selection.takes(&key.domain(), &key.app_name(), &key.stream());
        if self.decided.len() == DECISIONS_MAX {
            self.decided.clear();
        }
        self.decided.insert(stream, decision);
        Ok(decision)
    }
}
