//! Makes the index anew from the journal. Sessions of which the journal has every event are forgotten first; the others
//! keep what older events said of them.

use std::path::Path;

use rusqlite::params;

use super::database::{self, Settings};
use super::store::Source;
use super::{IndexError, Options, Store};
use crate::journal::{Lock, Offset, Reader};

/// How many rows one slice looks at.
const SLICE_ROWS: i64 = 5000;

/// How many records are taken in with one commit.
const BATCH_RECORDS: usize = 5000;

impl Store {
    /// Begins to make the index anew from the journal, whose oldest record is `first`. [`Store::clear`] comes next. It
    /// goes on after a crash.
    ///
    /// # Errors
    /// The disk does not do as asked.
    pub fn begin_rebuild(&mut self, first: Offset) -> Result<(), IndexError> {
        let transaction = self.connection.unchecked_transaction()?;
        database::keep(&transaction, "rebuild_from", Some(first.0))?;
        database::keep(&transaction, "rebuild_after", Some(0))?;
        database::keep(&transaction, "cursor", Some(first.before().0))?;
        database::keep(&transaction, "cursor_id", None::<String>)?;
        transaction.commit()?;
        self.recall()
    }

    /// Forgets some sessions of which the journal has every event. Whether there is more to do before records can be
    /// applied again.
    ///
    /// # Errors
    /// The disk does not do as asked.
    pub fn clear(&mut self) -> Result<bool, IndexError> {
        let Some(from) = database::number(&self.connection, "rebuild_from")? else { return Ok(false) };
        let after = database::number(&self.connection, "rebuild_after")?.unwrap_or(0);
        let transaction = self.connection.unchecked_transaction()?;
        let slice = "SELECT max(number) FROM (SELECT number FROM sessions WHERE number > ?1 ORDER BY number LIMIT ?2)";
        let last: Option<i64> = transaction.query_row(slice, [after, SLICE_ROWS], |row| row.get(0))?;
        match last {
            Some(last) => {
                // What has been counted of events that have gone could not be counted again.
                transaction.execute(
                    "DELETE FROM sessions WHERE number > ?1 AND number <= ?2 AND first_offset >= ?3
                     AND anomalies = 0 AND recordings = 0 AND screenshots = 0",
                    params![after, last, from],
                )?;
                database::keep(&transaction, "rebuild_after", Some(last))?;
            }
            None => {
                database::keep(&transaction, "rebuild_from", None::<i64>)?;
                database::keep(&transaction, "rebuild_after", None::<i64>)?;
            }
        }
        transaction.commit()?;
        Ok(last.is_some())
    }
}

/// Makes the index of a data directory anew while no service runs. `options` are for an index that is not there yet; one
/// that is keeps the settings that the service has given it. Blocks, and calls `progress` with the records done and about
/// how many there are.
///
/// # Errors
/// A service has the data directory, or the disk does not do as asked. A rebuild that was cut off goes on with the next
/// start of the service.
pub fn rebuild(data_dir: &Path, options: &Options, mut progress: impl FnMut(i64, i64)) -> Result<(), IndexError> {
    let reader = Reader::open(data_dir)?;
    let _lock = Lock::take(data_dir)?;
    let mut store = Store::open(data_dir, &kept_options(data_dir, options)?)?;
    // A journal that has let go of everything has nothing to say, not even how far it was.
    let Some(first) = reader.read(Offset::default(), 1)?.first().map(|record| record.offset) else { return Ok(()) };
    let head = reader.head()?.unwrap_or(first);
    let at_cursor = reader.get(store.cursor())?.map(|record| record.event.id());
    store.follow(&Source { journal_id: reader.journal_id()?, first: Some(first), head, at_cursor })?;
    store.begin_rebuild(first)?;
    while store.clear()? {}
    let before = store.cursor().0;
    loop {
        let records = reader.read(store.cursor(), BATCH_RECORDS)?;
        if records.is_empty() {
            break;
        }
        store.apply(&records)?;
        progress(store.cursor().0 - before, head.0 - before);
    }
    store.checkpoint()?;
    Ok(())
}

/// The options, with the settings of the index that is there in place of theirs.
fn kept_options(data_dir: &Path, options: &Options) -> Result<Options, IndexError> {
    let settings = match database::open_to_read(data_dir) {
        Ok(connection) => Settings::read(&connection)?,
        Err(IndexError::Absent(_)) => return Ok(options.clone()),
        Err(error) => return Err(error),
    };
    let secs = |ms: i64| u32::try_from(ms / 1000).unwrap_or(u32::MAX);
    Ok(Options {
        stale_after_secs: settings.stale_after_ms.map_or(0, secs),
        bridge_gap_secs: secs(settings.bridge_gap_ms),
        ..options.clone()
    })
}
