//! Asks SQLite whether a database is intact, and opens a damaged one without a write to its files.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::database::{Database, connect_immutable};
use super::{StorageError, wal};

/// How many damages SQLite lists at most.
const DAMAGES_MAX: usize = 20;

/// Reads the whole database and returns SQLite's texts about its damages: none if it is intact, at most 20. Blocks for as long as
/// reading the file takes.
pub(crate) fn damages(connection: &Connection) -> Vec<String> {
    let check = || -> rusqlite::Result<Vec<String>> {
        let mut statement = connection.prepare(&format!("PRAGMA integrity_check({DAMAGES_MAX})"))?;
        statement.query_map([], |row| row.get(0))?.collect()
    };
    match check() {
        Ok(texts) => texts.into_iter().filter(|text| text != "ok").collect(),
        // SQLite could not even go through the pages.
        Err(error) => vec![error.to_string()],
    }
}

/// A damaged database, opened to save what is readable. Its own files stay as they are.
pub(crate) struct Damaged {
    pub(crate) connection: Connection,
    /// The copies that were opened in their place, if there are some.
    copies: Vec<PathBuf>,
}

impl Damaged {
    /// Opens the database of a data directory that no process uses. If it has a WAL, SQLite would create files next to it, so it
    /// opens copies in `scratch`, a directory with enough space, which are removed on drop.
    ///
    /// # Errors
    /// The file does not exist, cannot be read or copied, or SQLite finds no database in it.
    pub(crate) fn open(database: &Database, data_dir: &Path, scratch: &Path) -> Result<Damaged, StorageError> {
        let path = database.path(data_dir);
        if !database.exists(data_dir)? {
            return Err(StorageError::Absent(path));
        }
        if wal::path(&path).metadata().map_or(0, |metadata| metadata.len()) == 0 {
            return Ok(Damaged { connection: connect_immutable(&path)?, copies: Vec::new() });
        }
        let copy = scratch.join("damaged.db");
        let shm = copy.with_extension("db-shm");
        let mut damaged =
            Damaged { connection: Connection::open_in_memory()?, copies: vec![copy.clone(), wal::path(&copy), shm] };
        for (from, to) in [(path.clone(), copy.clone()), (wal::path(&path), wal::path(&copy))] {
            std::fs::copy(&from, &to).map_err(StorageError::io(&to))?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        damaged.connection = Connection::open_with_flags(&copy, flags)?;
        damaged.connection.pragma_update(None, "query_only", true)?;
        Ok(damaged)
    }
}

impl Drop for Damaged {
    fn drop(&mut self) {
        for copy in &self.copies {
            // A copy that stays is in the new directory, where its name says what it is.
            let _ = std::fs::remove_file(copy);
        }
    }
}
