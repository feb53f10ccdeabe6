//! Finds out that a database was lost, by the files that livehook makes only after it. Such a database must not be taken for a
//! new one.

use std::path::{Path, PathBuf};

use super::file::directory_of;
use super::{StorageError, wal};

/// What shows that there was a database before. Each is a file.
pub(super) struct Traces {
    wal: Option<PathBuf>,
    follower: Option<PathBuf>,
}

impl Traces {
    /// Looks for traces of the database at `path`. Must run before SQLite opens it, because SQLite removes the WAL of an empty file.
    pub(super) fn find(path: &Path, followers: &[&str]) -> Traces {
        let has_bytes = |file: &PathBuf| file.metadata().is_ok_and(|file| file.len() > 0);
        let follower = followers.iter().map(|name| directory_of(path).join(name)).find(|file| file.exists());
        // A database with an empty WAL may never have been written.
        let wal = Some(wal::path(path)).filter(|wal| !followers.is_empty() && has_bytes(wal));
        Traces { wal, follower }
    }

    /// Checks that the file at `path` is not empty or absent although there was a database.
    ///
    /// # Errors
    /// The database was lost.
    pub(super) fn check_file(&self, path: &Path) -> Result<(), StorageError> {
        match path.metadata() {
            Ok(file) if file.len() > 0 => Ok(()),
            _ => lost(path, self.follower.as_ref().or(self.wal.as_ref())),
        }
    }

    /// Checks that a database without tables, which its file at `path` holds, is a new one. Its WAL may hold the first tables, so
    /// the WAL proves nothing.
    ///
    /// # Errors
    /// The database was lost.
    pub(super) fn check_tables(&self, path: &Path) -> Result<(), StorageError> {
        lost(path, self.follower.as_ref())
    }
}

fn lost(path: &Path, trace: Option<&PathBuf>) -> Result<(), StorageError> {
    trace.map_or(Ok(()), |trace| Err(StorageError::Lost { path: path.to_owned(), trace: trace.clone() }))
}
