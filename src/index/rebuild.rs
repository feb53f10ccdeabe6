//! Rebuilds the index of a data directory from its journal while no service runs.

use std::path::{Path, PathBuf};

use super::apply::BATCH_RECORDS;
use super::options::Options;
use super::replacing::{Replaced, replace};
use super::settings::Settings;
use super::store::JournalState;
use super::{IndexError, Store, schema};
use crate::journal::{Offset, Reader};
use crate::storage::Lock;

/// What a rebuild did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Where the old index is, if it could not be used and a new one has taken its place.
    pub old_path: Option<PathBuf>,
}

/// Reads the whole journal into the index, and replaces an index that cannot be used. `options` are for a new index: an existing
/// one keeps the settings that the service gave it. Blocks, and calls `progress` with the number of records that are done and the
/// approximate number of all.
///
/// # Errors
/// A service runs on the data directory, or the journal or the index cannot be read or written. The next start of the
/// service finishes a rebuild that was interrupted.
pub fn rebuild(data_dir: &Path, options: &Options, mut progress: impl FnMut(i64, i64)) -> Result<Rebuilt, IndexError> {
    let reader = Reader::open(data_dir)?;
    let _lock = Lock::take(data_dir)?;
    let in_place = with_stored_settings(data_dir, options)
        .and_then(|options| Store::open(data_dir, &options))
        .and_then(|store| read_journal(store, &reader, &mut progress));
    match in_place {
        Ok(()) => Ok(Rebuilt::default()),
        Err(error) if error.is_cured_by_rebuild() => {
            let Replaced { old_path, .. } = replace(data_dir, options)?;
            read_journal(Store::open(data_dir, options)?, &reader, &mut progress)?;
            Ok(Rebuilt { old_path: Some(old_path) })
        }
        Err(error) => Err(error),
    }
}

fn read_journal(mut store: Store, reader: &Reader, progress: &mut impl FnMut(i64, i64)) -> Result<(), IndexError> {
    // An empty journal doesn't even show how far it was, so the index stays as it is.
    let Some(first) = reader.read(Offset::default(), 1)?.first().map(|record| record.offset) else { return Ok(()) };
    let head = reader.head()?.unwrap_or(first);
    let at_cursor = reader.get(store.cursor())?.map(|record| record.event.id());
    // The index may belong to another journal. Following this one first makes its offsets void.
    store.follow(&JournalState { journal_id: reader.journal_id()?, first: Some(first), head, at_cursor })?;
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
    store.end_rebuild()?;
    store.checkpoint()?;
    Ok(())
}

/// Returns the options, with the settings of the existing index instead of their own.
fn with_stored_settings(data_dir: &Path, options: &Options) -> Result<Options, IndexError> {
    let settings = match schema::open_to_read(data_dir) {
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
