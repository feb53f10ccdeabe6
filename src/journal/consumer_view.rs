//! The consumers of a journal and where each one is, for people and commands that only read.

use super::{JournalError, Offset, Reader};

/// A consumer, as the journal stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerView {
    /// The name of the consumer: a sink, or the index.
    pub name: String,
    /// Every record up to this one is finished.
    pub cursor: Offset,
    /// Records up to this one were read, and some may be unfinished.
    pub position: Offset,
    /// Whether the configuration doesn't name the consumer.
    pub is_retired: bool,
    /// How far its cursor is from the newest record.
    pub pending: i64,
    /// When livehook received the first of them, in Unix ms.
    pub oldest_pending_ms: Option<i64>,
    /// How many dead letters it has.
    pub dead_letters: i64,
}

impl Reader {
    /// Returns all consumers by name, as of their last commit. A consumer is retired if the configuration doesn't name it.
    ///
    /// # Errors
    /// The journal cannot be read, or an earlier livehook made it.
    pub fn consumers(&self) -> Result<Vec<ConsumerView>, JournalError> {
        self.check_is_current()?;
        let read = || {
            let mut statement = self.connection.prepare(
                "SELECT name, cursor, position, is_retired,
                     max(coalesce((SELECT max(offset) FROM records), 0) - cursor, 0),
                     (SELECT received_ms FROM records WHERE offset > cursor ORDER BY offset LIMIT 1),
                     (SELECT count(*) FROM dead_letters WHERE consumer = name)
                 FROM consumers ORDER BY name",
            )?;
            let views = statement.query_map([], |row| {
                Ok(ConsumerView {
                    name: row.get(0)?,
                    cursor: Offset(row.get(1)?),
                    position: Offset(row.get(2)?),
                    is_retired: row.get(3)?,
                    pending: row.get(4)?,
                    oldest_pending_ms: row.get(5)?,
                    dead_letters: row.get(6)?,
                })
            })?;
            Ok(views.collect::<rusqlite::Result<_>>()?)
        };
        self.with_path(read())
    }
}
