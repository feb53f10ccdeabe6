//! Counts by hour.

use rusqlite::params;

use super::Reader;
use crate::index::IndexError;

/// A count of one hour.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HourCount {
    /// The beginning of the hour, in Unix ms. Hours are of UTC.
    pub hour_ms: i64,
    /// The short name of an event type, or a reason category.
    pub label: String,
    /// The count; never 0.
    pub count: i64,
}

impl Reader {
    /// How many events of each type were received in each hour that began at `since_ms` or later and before `until_ms`,
    /// sorted by hour and type. An event that was received again counts once.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn event_hours(&self, since_ms: i64, until_ms: i64) -> Result<Vec<HourCount>, IndexError> {
        self.hours("SELECT hour_ms, event_type, count FROM event_hours", since_ms, until_ms)
    }

    /// How many sessions ended for each reason category in each hour that began at `since_ms` or later and before `until_ms`,
    /// sorted by hour and category.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn end_hours(&self, since_ms: i64, until_ms: i64) -> Result<Vec<HourCount>, IndexError> {
        self.hours("SELECT hour_ms, reason_category, count FROM end_hours", since_ms, until_ms)
    }

    fn hours(&self, columns: &str, since_ms: i64, until_ms: i64) -> Result<Vec<HourCount>, IndexError> {
        // A row stays after its count has gone back to 0.
        let query = format!("{columns} WHERE hour_ms >= ?1 AND hour_ms < ?2 AND count > 0 ORDER BY 1, 2");
        let mut statement = self.connection.prepare_cached(&query)?;
        let read =
            |row: &rusqlite::Row<'_>| Ok(HourCount { hour_ms: row.get(0)?, label: row.get(1)?, count: row.get(2)? });
        Ok(statement.query_map(params![since_ms, until_ms], read)?.collect::<rusqlite::Result<_>>()?)
    }
}
