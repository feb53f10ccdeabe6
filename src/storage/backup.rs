//! A consistent copy of a data directory, made while the service runs or not.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{self as sqlite_backup, StepResult};

use super::file::make_private;
use super::{StorageError, durable_files, make_data_dir, wal};

/// How many pages SQLite copies in one step.
const STEP_PAGES: i32 = 1024;

/// How large the WAL may grow during a backup, whose open transaction keeps every checkpoint from emptying it.
const WAL_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// How long to wait if SQLite cannot copy at the moment.
const BUSY_WAIT: Duration = Duration::from_millis(50);

/// A backup in the making. The index and the journal each copy their own database into it. If it is dropped before
/// [`Backup::finish`], it removes its files.
///
/// Until all copies are complete, their names end with `.part`. So a backup that was cut short does not look like a whole
/// one.
pub struct Backup {
    data_dir: PathBuf,
    target: PathBuf,
    /// The final paths of the copies.
    copies: Vec<PathBuf>,
}

impl Backup {
    /// Begins a backup of `data_dir` in the directory `target`. The target must be absent, empty, or hold only the parts of a
    /// backup that was killed.
    ///
    /// # Errors
    /// The target is inside the data directory, holds other files, or cannot be made.
    pub fn begin(data_dir: &Path, target: &Path) -> Result<Backup, StorageError> {
        if is_within(data_dir, target) {
            let text = "this directory is inside the data directory and would be lost with it; choose another one";
            return Err(StorageError::io(target)(io::Error::new(io::ErrorKind::InvalidInput, text)));
        }
        make_data_dir(target)?;
        remove_parts(target).map_err(StorageError::io(target))?;
        Ok(Backup { data_dir: data_dir.to_owned(), target: target.to_owned(), copies: Vec::new() })
    }

    /// The directory that is copied.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Copies the database at `path`, which `source` has open, as it is at this moment. Calls `change` on the copy at the end,
    /// and `progress` with the pages copied so far and in all. Returns the size of the copy in bytes. Blocks.
    ///
    /// # Errors
    /// The source cannot be read, the copy cannot be written, or the WAL grew too large.
    pub(crate) fn copy(
        &mut self,
        source: &Connection,
        path: &Path,
        mut progress: impl FnMut(u64, u64),
        change: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<u64, StorageError> {
        let copy = self.target.join(path.file_name().unwrap_or_default());
        let part = part_of(&copy);
        self.copies.push(copy);

        // An open transaction fixes the moment. Without it, SQLite would start over after each commit of the service.
        let snapshot = source.unchecked_transaction()?;
        snapshot.query_row("SELECT count(*) FROM meta", [], |_| Ok(()))?;
        make_private(&part)?;
        let mut copy = Connection::open(&part)?;
        {
            let backup = sqlite_backup::Backup::new(&snapshot, &mut copy)?;
            loop {
                let step = backup.step(STEP_PAGES)?;
                let pages = backup.progress();
                let all = u64::try_from(pages.pagecount).unwrap_or(0);
                let left = u64::try_from(pages.remaining).unwrap_or(0);
                progress(all - left.min(all), all);
                check_wal(&wal::path(path))?;
                match step {
                    StepResult::Done => break,
                    StepResult::Busy | StepResult::Locked => std::thread::sleep(BUSY_WAIT),
                    _ => {}
                }
            }
        }
        change(&copy)?;
        copy.close().map_err(|(_, error)| error)?;
        let file = File::open(&part).map_err(StorageError::io(&part))?;
        file.sync_all().map_err(StorageError::io(&part))?;
        Ok(file.metadata().map_err(StorageError::io(&part))?.len())
    }

    /// Gives the copies their final names.
    ///
    /// # Errors
    /// A copy cannot be renamed, or the directory cannot be synced.
    pub fn finish(mut self) -> Result<(), StorageError> {
        for copy in &self.copies {
            // Each copy is complete and synced by now, so a file with a final name is never a torn one.
            std::fs::rename(part_of(copy), copy).map_err(StorageError::io(copy))?;
        }
        durable_files::sync(&self.target).map_err(StorageError::io(&self.target))?;
        // Leaves `drop` nothing to remove.
        self.copies.clear();
        Ok(())
    }
}

impl Drop for Backup {
    fn drop(&mut self) {
        for copy in &self.copies {
            for made in [part_of(copy), part_of(copy).with_extension("part-journal"), copy.clone()] {
                // The error that ended the backup matters more than a file that stays.
                let _ = std::fs::remove_file(made);
            }
        }
    }
}

fn part_of(copy: &Path) -> PathBuf {
    copy.with_extension("db.part")
}

/// Removes the parts that a killed backup left. Removes nothing if other files are there too.
fn remove_parts(directory: &Path) -> io::Result<()> {
    let found = std::fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    let is_part = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.ends_with(".db.part") || name.ends_with(".db.part-journal")
    };
    if !found.iter().all(is_part) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the directory is not empty; choose a new one"));
    }
    found.into_iter().try_for_each(std::fs::remove_file)
}

/// Whether the target is, or would be, inside the data directory.
fn is_within(data_dir: &Path, target: &Path) -> bool {
    let canonical = |path: &Path| path.canonicalize().ok();
    let existing = std::path::absolute(target).ok().and_then(|target| target.ancestors().find_map(canonical));
    existing.zip(canonical(data_dir)).is_some_and(|(existing, data_dir)| existing.starts_with(data_dir))
}

fn check_wal(wal: &Path) -> Result<(), StorageError> {
    let bytes = wal.metadata().map_or(0, |metadata| metadata.len());
    if bytes > WAL_BYTES_MAX {
        let text = format!("grew beyond {WAL_BYTES_MAX} bytes, so the backup was stopped; try again under less load");
        return Err(StorageError::io(wal)(io::Error::other(text)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database of so many rows of 1 KB.
    fn database(directory: &Path, rows: i64) -> (Connection, PathBuf) {
        let path = directory.join("things.db");
        let connection = Connection::open(&path).unwrap();
        wal::switch_on(&connection, &path).unwrap();
        connection.execute_batch("CREATE TABLE meta (name, value); CREATE TABLE things (thing)").unwrap();
        for _ in 0..rows {
            connection.execute("INSERT INTO things VALUES (randomblob(1000))", []).unwrap();
        }
        (connection, path)
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn failed_backup_leaves_nothing() {
        let (directory, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (connection, path) = database(directory.path(), 10);
        let mut backup = Backup::begin(directory.path(), target.path()).unwrap();
        backup.copy(&connection, &path, |_, _| {}, |_| Ok(())).unwrap();
        assert_eq!(names(target.path()), ["things.db.part"]);
        // The next copy fails like one on a full disk.
        std::fs::create_dir(target.path().join("more.db.part")).unwrap();
        backup.copy(&connection, &directory.path().join("more.db"), |_, _| {}, |_| Ok(())).unwrap_err();
        std::fs::remove_dir(target.path().join("more.db.part")).unwrap();
        drop(backup);
        assert_eq!(names(target.path()), [""; 0]);
    }

    #[test]
    fn parts_of_killed_backup_are_replaced() {
        let (directory, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (connection, path) = database(directory.path(), 10);
        for part in ["more.db.part", "things.db.part", "things.db.part-journal"] {
            std::fs::write(target.path().join(part), "cut short").unwrap();
        }
        let mut backup = Backup::begin(directory.path(), target.path()).unwrap();
        backup.copy(&connection, &path, |_, _| {}, |_| Ok(())).unwrap();
        backup.finish().unwrap();
        assert_eq!(names(target.path()), ["things.db"]);

        std::fs::write(target.path().join("things.db.part"), "cut short").unwrap();
        let error = Backup::begin(directory.path(), target.path()).err().unwrap();
        assert!(error.to_string().contains("not empty"), "{error}");
        assert_eq!(names(target.path()), ["things.db", "things.db.part"], "other files are there, so all stay");
    }
}
