//! Whether the disk has space for the files that SQLite maps into memory.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::is_full;
use super::file::directory_of;
use super::{StorageError, wal};

/// The connections of a WAL share an index of it: a file (`.db-shm`) that grows by this many bytes at a time.
const INDEX_STEP_BYTES: u64 = 32 * 1024;

/// At least this many bytes of the WAL need one step of its index: 4062 pages of 4 KiB.
const WAL_BYTES_PER_STEP: u64 = 4062 * 4096;

/// Checks that the disk takes what SQLite needs to open the database at `path`.
///
/// SQLite writes to the index of the WAL through memory. If the disk has no block for a page of it, that write kills the process
/// with SIGBUS. SQLite's own check writes one byte for each 4 KiB, so it misses smaller blocks.
///
/// # Errors
/// The disk is full. Any other failure counts as space, because SQLite reports it better.
pub(super) fn check(path: &Path) -> Result<(), StorageError> {
    let wal_bytes = wal::path(path).metadata().map_or(0, |metadata| metadata.len());
    // One step more than needed, for the first commit.
    let bytes = (wal_bytes / WAL_BYTES_PER_STEP + 2) * INDEX_STEP_BYTES;
    match write_and_remove(directory_of(path), usize::try_from(bytes).unwrap_or(usize::MAX)) {
        Err(error) if is_full(&error) => Err(StorageError::Full(path.to_owned())),
        _ => Ok(()),
    }
}

/// Writes zeros to a file that has no name any more. The number of free blocks alone would not show a quota.
fn write_and_remove(directory: &Path, bytes: usize) -> io::Result<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = directory.join(format!("livehook.space.{}.{number}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    file.write_all(&vec![0; bytes])
}
