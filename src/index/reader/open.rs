//! Each reader has a connection of its own, so that a query neither waits for the worker nor holds it up.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::index::settings::Settings;
use crate::index::{IndexError, schema};
use crate::session::State;
use crate::storage::Identity;

/// SQLite checks whether to give up after this many of its steps, which take some microseconds.
const STEPS_PER_CHECK: i32 = 1000;

/// The index, open for reading.
#[derive(Debug)]
pub struct Reader {
    pub(super) connection: Connection,
    pub(super) settings: Settings,
    /// The file when it was opened, and its path.
    identity: Option<Identity>,
    path: PathBuf,
}

impl Reader {
    /// Opens the index of a data directory.
    ///
    /// # Errors
    /// The index does not exist, is older, newer or not an index, or this user cannot read it.
    pub fn open(data_dir: &Path) -> Result<Reader, IndexError> {
        let connection = schema::open_to_read(data_dir)?;
        schema::check_is_current(&connection)?;
        let settings = Settings::read(&connection)?;
        let path = schema::path(data_dir);
        Ok(Reader { connection, settings, identity: Identity::of(&path).ok(), path })
    }

    /// Whether the open file is still at its path. The service replaces an index that it cannot use.
    pub fn is_in_place(&self) -> bool {
        self.identity.is_some_and(|identity| identity.is_at(&self.path))
    }

    /// Interrupts every call, now and later, once `is_enough` returns true. The interrupted call returns an error for which
    /// [`IndexError::is_given_up`] is true.
    ///
    /// # Errors
    /// SQLite does not accept the check.
    pub fn give_up_when(&mut self, is_enough: impl FnMut() -> bool + Send + 'static) -> Result<(), IndexError> {
        Ok(self.connection.progress_handler(STEPS_PER_CHECK, Some(is_enough))?)
    }

    /// Reads the settings again, because a reload of the service can have changed them.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn read_settings(&mut self) -> Result<(), IndexError> {
        self.settings = Settings::read(&self.connection)?;
        Ok(())
    }

    /// The settings of the service when it last ran, as this reader has read them.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// The latest event of a session must be at least this late (Unix ms) for the session to be live at `now_ms`.
    pub(super) fn live_since_ms(&self, now_ms: i64) -> i64 {
        State::live_since_ms(now_ms, self.settings.stale_after_ms)
    }
}

/// A limit for SQL.
pub(super) fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
