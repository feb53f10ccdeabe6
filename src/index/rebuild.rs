//! Makes the index anew from the journal: takes in every record once more. A session is found anew from its first event
//! on, if the journal still has that one; else what older events said of it stays. No session is ever gone meanwhile.

use std::path::Path;

use super::database::{self, Settings};
use super::store::Source;
use super::{IndexError, Options, Store};
use crate::journal::{Lock, Offset, Reader};

/// How many records are taken in with one commit.
const BATCH_RECORDS: usize = 5000;

impl Store {
    /// Begins to make the index anew from the journal, whose records stand from `first` to `last`: they are to be applied
    /// next. It goes on after a crash.
    ///
    /// # Errors
    /// The disk does not do as asked.
    pub fn begin_rebuild(&mut self, first: Offset, last: Offset) -> Result<(), IndexError> {
        let transaction = self.connection.unchecked_transaction()?;
        database::keep(&transaction, "rebuild_until", Some(last.0))?;
        database::keep(&transaction, "cursor", Some(first.before().0))?;
        database::keep(&transaction, "cursor_id", None::<String>)?;
        transaction.commit()?;
        self.recall()
    }

    /// Up to where records are applied to make the index anew; `None` where it is not being made anew.
    pub fn rebuild_until(&self) -> Option<Offset> {
        self.rebuild_until
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
    store.begin_rebuild(first, head)?;
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
