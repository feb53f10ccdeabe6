//! The index's part of a backup. Sessions outlive the journal's records, so an index can't always be rebuilt from a journal.

use super::{IndexError, schema};
use crate::storage::Backup;

/// Copies the index as it is now into a backup. Call it before the journal is copied: an index that is ahead of its journal
/// would be treated as the index of another journal. Returns how many bytes were written; 0 if there is no index. Blocks, and
/// calls `progress` with the number of pages that are done and of all pages.
///
/// # Errors
/// The index cannot be read, or the copy cannot be written.
pub fn backup(backup: &mut Backup, progress: impl FnMut(u64, u64) + Send) -> Result<u64, IndexError> {
    let source = match schema::open_to_read(backup.data_dir()) {
        Ok(source) => source,
        Err(IndexError::Absent(_)) => return Ok(0),
        Err(error) => return Err(error),
    };
    Ok(backup.copy(&source, &schema::DATABASE, progress, |_| Ok(()))?)
}
