//! Finds the streams of a selection by their names.

use std::collections::{HashMap, HashSet};

use rusqlite::{OptionalExtension, params};

use super::Reader;
use crate::callback::StreamSelection;
use crate::index::IndexError;
use crate::index::stream_filter::StreamFilter;
use crate::session::StreamKey;

/// How many streams of a name are looked up one by one. If there are more, a query reads all sessions instead.
const STREAMS_MAX: usize = 500;

/// How many decisions are remembered.
const DECISIONS_MAX: usize = 100_000;

impl Reader {
    /// The key of a stream's row.
    pub(super) fn stream_key(&self, number: i64) -> Result<StreamKey, IndexError> {
        let mut statement = self.connection.prepare_cached("SELECT key FROM streams WHERE number = ?1")?;
        let key: Option<String> = statement.query_row([number], |row| row.get(0)).optional()?;
        Ok(StreamKey::from_text(&key.unwrap_or_default()))
    }

    /// The rows of the selected streams, in order; `None` if they are not named in full, or are too many.
    pub(super) fn streams_by_name(&self, selection: &StreamSelection) -> Result<Option<Vec<i64>>, IndexError> {
        if let Some(key) = &selection.key {
            let mut statement =
                self.connection.prepare_cached("SELECT number FROM streams WHERE key = ?1 AND stream = ?2")?;
            let number = statement.query_row(params![key.as_str(), key.stream()], |row| row.get(0)).optional()?;
            return Ok(Some(number.into_iter().collect()));
        }
        let Some(exact) = selection.exact_names() else { return Ok(None) };
        let mut statement = self.connection.prepare_cached("SELECT number, key FROM streams WHERE stream = ?1")?;
        let mut numbers = Vec::new();
        for name in exact {
            let mut rows = statement.query([name])?;
            while let Some(row) = rows.next()? {
                let key = StreamKey::from_text(&row.get::<_, String>(1)?);
                if selection.takes(&key.domain(), &key.app_name(), &key.stream()) {
                    numbers.push(row.get(0)?);
                }
                if numbers.len() > STREAMS_MAX {
                    return Ok(None);
                }
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok(Some(numbers))
    }

    /// The rows of the streams that a filter takes; `None` if it takes all.
    pub(super) fn streams_with(&self, filter: &StreamFilter) -> Result<Option<HashSet<i64>>, IndexError> {
        if filter.is_empty() {
            return Ok(None);
        }
        let mut statement = self.connection.prepare_cached("SELECT number, key FROM streams")?;
        let mut rows = statement.query([])?;
        let mut streams = HashSet::new();
        while let Some(row) = rows.next()? {
            if filter.takes(&StreamKey::from_text(&row.get::<_, String>(1)?)) {
                streams.insert(row.get(0)?);
            }
        }
        Ok(Some(streams))
    }
}

/// Decides whether a stream is selected, once for each stream.
pub(super) struct Names<'r> {
    reader: &'r Reader,
    selection: &'r StreamSelection,
    /// Whether the query returns selected streams only.
    is_decided: bool,
    decided: HashMap<i64, bool>,
}

impl<'r> Names<'r> {
    pub(super) fn new(reader: &'r Reader, selection: &'r StreamSelection, is_decided: bool) -> Names<'r> {
        let is_decided = is_decided || *selection == StreamSelection::default();
        Names { reader, selection, is_decided, decided: HashMap::new() }
    }

    /// Whether the stream of a row is selected.
    pub(super) fn is_selected(&mut self, stream: i64) -> Result<bool, IndexError> {
        if self.is_decided {
            return Ok(true);
        }
        if let Some(decision) = self.decided.get(&stream) {
            return Ok(*decision);
        }
        let key = self.reader.stream_key(stream)?;
        let decision = self.selection.takes(&key.domain(), &key.app_name(), &key.stream());
        if self.decided.len() == DECISIONS_MAX {
            // A decision costs one look into the table of streams, so forgetting them is cheap.
            self.decided.clear();
        }
        self.decided.insert(stream, decision);
        Ok(decision)
    }
}
