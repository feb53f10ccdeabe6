//! Whether the disk has space, above all for the index of a WAL.
//!
//! The connections of a WAL share an index of it: the file `.db-shm`, which SQLite maps into memory. If the disk has no block for a
//! page of it, a write to that page kills the process with SIGBUS. When SQLite makes the file longer, it writes one byte for each 4 KiB,
//! so on a disk of smaller blocks most of the file has no block yet.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::fs::statvfs;

use super::error::is_full;
use super::file::directory_of;
use super::{Identity, StorageError, own_file, wal};

/// The index of a WAL grows by this many bytes at a time.
const INDEX_STEP_BYTES: u64 = 32 * 1024;

/// At least this many bytes of the WAL need one step of its index: 4062 pages of 4 KiB.
const WAL_BYTES_PER_STEP: u64 = 4062 * 4096;

/// SQLite makes sure that each of these parts of an index has a block, but not that it has all its blocks.
const CHECKED_BYTES: u64 = 4096;

/// The most that is reserved for an index. It is enough for a WAL of 2 GiB.
const RESERVED_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Checks that the disk takes what SQLite needs to open the database at `path`.
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

/// If the disk has small blocks, gives the index of the WAL all blocks that it can ever need: the WAL cannot outgrow the disk. Does
/// nothing on other disks. The database at `path` must be open, and only its writer may call this.
///
/// # Errors
/// The disk is full.
pub(super) fn reserve_index(path: &Path) -> Result<(), StorageError> {
    let Ok(volume) = statvfs(directory_of(path)) else { return Ok(()) };
    if volume.f_frsize >= CHECKED_BYTES {
        return Ok(());
    }
    let steps = volume.f_blocks.saturating_mul(volume.f_frsize) / WAL_BYTES_PER_STEP + 1;
    match lengthen(&wal::index_path(path), steps.saturating_mul(INDEX_STEP_BYTES).min(RESERVED_BYTES_MAX)) {
        Err(error) if is_full(&error) => Err(StorageError::Full(path.to_owned())),
        // The first step has no block yet, and the first commit needs it.
        Ok(()) => check(path),
        // SQLite goes on as on other disks.
        Err(_) => Ok(()),
    }
}

/// Appends zeros to the index of a WAL, which SQLite has open, until it has so many bytes.
fn lengthen(index: &Path, bytes: u64) -> io::Result<()> {
    /// Indexes that stay open. Closing a file drops all locks of the process on it, and SQLite holds some.
    static OPEN: Mutex<Vec<(Identity, File)>> = Mutex::new(Vec::new());

    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let identity = Identity::of(index)?;
    if !open.iter().any(|(known, _)| *known == identity) {
        open.push((identity, own_file::open(index, OpenOptions::new().write(true))?));
    }
    let Some((_, file)) = open.iter().find(|(known, _)| *known == identity) else { return Ok(()) };
    let had_bytes = file.metadata()?.len();
    let missing = usize::try_from(bytes.saturating_sub(had_bytes)).unwrap_or(0);
    // The parts that SQLite already uses stay as they are.
    let written = file.write_all_at(&vec![0; missing], had_bytes);
    if written.is_err() {
        file.set_len(had_bytes)?;
    }
    written
}
