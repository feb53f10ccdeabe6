//! Answers questions beside the worker, also from another process. Every call is a few short reads, and blocks.

mod conditions;
mod live;
mod past;
mod together;

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::IndexError;
use super::database::{self, Settings};
use super::query::{Order, Selection};
use crate::callback::EventId;
use crate::journal::Offset;
use crate::session::{State, StreamKey};

/// How many streams of a name are looked up one by one; more are found by looking at all sessions.
const STREAMS_MAX: usize = 500;

/// An open index, to be read only.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    settings: Settings,
}

impl Reader {
    /// Opens the index of a data directory.
    ///
    /// # Errors
    /// There is none, it is of a newer version, or it is no index.
    pub fn open(data_dir: &Path) -> Result<Reader, IndexError> {
        let connection = database::open_to_read(data_dir)?;
        let settings = Settings {
            stale_after_ms: database::number(&connection, "stale_after_ms")?,
            bridge_gap_ms: database::number(&connection, "bridge_gap_ms")?.unwrap_or(0),
        };
        Ok(Reader { connection, settings })
    }

    /// What the service was configured with when it last started.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// The last record of the journal that is in the index.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn cursor(&self) -> Result<Offset, IndexError> {
        Ok(Offset(database::number(&self.connection, "cursor")?.unwrap_or(0)))
    }

    /// Where an event stands in the journal; `None` where it is not known.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn event(&self, id: EventId) -> Result<Option<Offset>, IndexError> {
        let query = "SELECT offset FROM events WHERE id = ?1";
        let mut statement = self.connection.prepare_cached(query)?;
        Ok(statement.query_row([id.to_bytes()], |row| row.get(0).map(Offset)).optional()?)
    }

    /// Where events of some streams stand, in the order in which they came: those after `after`, or before it with
    /// [`Order::Descending`]. Only where the stream names are given in full; else `None`.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn events_of_streams(
        &self,
        selection: &Selection,
        after: Offset,
        order: Order,
        limit: usize,
    ) -> Result<Option<Vec<Offset>>, IndexError> {
        let Some(streams) = self.streams_by_name(selection)? else { return Ok(None) };
        let query = match order {
            Order::Ascending => "SELECT offset FROM events WHERE stream = ?1 AND offset > ?2 ORDER BY offset LIMIT ?3",
            Order::Descending => {
                "SELECT offset FROM events WHERE stream = ?1 AND offset < ?2 ORDER BY offset DESC LIMIT ?3"
            }
        };
        let mut statement = self.connection.prepare_cached(query)?;
        let mut offsets = Vec::new();
        for stream in streams {
            let rows = statement.query_map(params![stream, after.0, limit_of(limit)], |row| row.get(0).map(Offset))?;
            for offset in rows {
                offsets.push(offset?);
            }
        }
        offsets.sort_unstable();
        if order == Order::Descending {
            offsets.reverse();
        }
        offsets.truncate(limit);
        Ok(Some(offsets))
    }

    fn stream_key(&self, number: i64) -> Result<StreamKey, IndexError> {
        let mut statement = self.connection.prepare_cached("SELECT key FROM streams WHERE number = ?1")?;
        let key: Option<String> = statement.query_row([number], |row| row.get(0)).optional()?;
        Ok(StreamKey::from_text(&key.unwrap_or_default()))
    }

    /// The rows of the streams that are meant, where their names are given in full and they are not too many.
    fn streams_by_name(&self, selection: &Selection) -> Result<Option<Vec<i64>>, IndexError> {
        if let Some(key) = &selection.key {
            let mut statement = self.connection.prepare_cached("SELECT number FROM streams WHERE key = ?1")?;
            let number = statement.query_row([key.as_str()], |row| row.get(0)).optional()?;
            return Ok(Some(number.into_iter().collect()));
        }
        let Some(exact) = selection.exact_streams() else { return Ok(None) };
        let mut statement =
            self.connection.prepare_cached("SELECT number, key FROM streams WHERE stream = ?1 LIMIT ?2")?;
        let mut numbers = Vec::new();
        for name in exact {
            let mut rows = statement.query(params![name, limit_of(STREAMS_MAX + 1)])?;
            while let Some(row) = rows.next()? {
                let key = StreamKey::from_text(&row.get::<_, String>(1)?);
                if selection.takes(&key.domain(), &key.app_name(), &key.stream()) {
                    numbers.push(row.get(0)?);
                }
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok((numbers.len() <= STREAMS_MAX).then_some(numbers))
    }

    fn live_since_ms(&self, now_ms: i64) -> i64 {
        State::live_since_ms(now_ms, self.settings.stale_after_ms)
    }
}

/// A limit as SQL takes it.
fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
