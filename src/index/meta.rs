//! Single values that the index stores by name in its table `meta`, and the settings among them.

use rusqlite::{Connection, OptionalExtension, ToSql, params};

use super::IndexError;
use super::options::Options;

/// Reads the number stored under a name.
pub(super) fn number(connection: &Connection, name: &str) -> Result<Option<i64>, IndexError> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

/// Reads the text stored under a name.
pub(super) fn text(connection: &Connection, name: &str) -> Result<Option<String>, IndexError> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

/// Stores a value under a name; `None` removes it.
pub(super) fn store<T: ToSql>(connection: &Connection, name: &str, value: Option<T>) -> Result<(), IndexError> {
    match value {
        Some(value) => connection
            .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?
            .execute(params![name, value])?,
        None => connection.prepare_cached("DELETE FROM meta WHERE name = ?1")?.execute([name])?,
    };
    Ok(())
}

/// The part of the service's configuration that readers in other processes need. It is stored in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long after its latest event a session without a stop counts as live, in ms; `None` is for ever.
    pub stale_after_ms: Option<i64>,
    /// The longest gap between two sessions of one broadcast, in ms.
    pub bridge_gap_ms: i64,
}

impl Settings {
    /// The settings that a configuration asks for.
    pub fn of(options: &Options) -> Settings {
        let stale_after_ms = i64::from(options.stale_after_secs) * 1000;
        Settings {
            stale_after_ms: (stale_after_ms > 0).then_some(stale_after_ms),
            bridge_gap_ms: i64::from(options.bridge_gap_secs) * 1000,
        }
    }

    /// Reads the stored settings.
    pub(super) fn read(connection: &Connection) -> Result<Settings, IndexError> {
        Ok(Settings {
            stale_after_ms: number(connection, "stale_after_ms")?,
            bridge_gap_ms: number(connection, "bridge_gap_ms")?.unwrap_or(0),
        })
    }

    /// Stores the settings.
    pub(super) fn write(&self, connection: &Connection) -> Result<(), IndexError> {
        store(connection, "stale_after_ms", self.stale_after_ms)?;
        store(connection, "bridge_gap_ms", Some(self.bridge_gap_ms))
    }
}
