//! The settings that the index stores for its readers.

use rusqlite::Connection;

use super::IndexError;
use super::options::Options;
use crate::storage::meta;

/// The part of the service's configuration that readers in other processes need. It is stored in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long after its latest event a session without a stop counts as live, in ms; `None` is for ever.
    pub stale_after_ms: Option<i64>,
    /// The longest gap between two sessions of one broadcast, in ms.
    pub bridge_gap_ms: i64,
}

impl Settings {
    /// Returns the settings of a configuration.
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
            stale_after_ms: meta::number(connection, "stale_after_ms")?,
            bridge_gap_ms: meta::number(connection, "bridge_gap_ms")?.unwrap_or(0),
        })
    }

    /// Stores the settings.
    pub(super) fn write(&self, connection: &Connection) -> Result<(), IndexError> {
        meta::store(connection, "stale_after_ms", self.stale_after_ms)?;
        Ok(meta::store(connection, "bridge_gap_ms", Some(self.bridge_gap_ms))?)
    }
}
