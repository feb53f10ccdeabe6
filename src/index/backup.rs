//! The index's part of a backup: sessions outlive the records that they were made of, so they cannot all be made anew.

use super::{IndexError, database};
use crate::journal::Backup;

/// Copies the index as it is now into a backup, before the journal: one that is ahead of its journal would be taken for
/// that of another. Says how many bytes were written; 0 where there is no index. Blocks, and calls `progress` with the pages
/// done and the pages in all.
///
/// # Errors
/// The index cannot be read, or the copy cannot be written.
pub fn backup(backup: &mut Backup, progress: impl FnMut(u64, u64)) -> Result<u64, IndexError> {
    let source = match database::open_to_read(backup.data_dir()) {
        Ok(source) => source,
        Err(IndexError::Absent(_)) => return Ok(0),
        Err(error) => return Err(error),
    };
    let path = database::path(backup.data_dir());
    Ok(backup.copy(&source, &path, progress)?)
}
