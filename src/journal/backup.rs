//! A consistent copy of a data directory, also while the service runs: first of what is derived from the journal, by whoever
//! derives it, then of the journal.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{self as sqlite_backup, StepResult};

use super::{DIRECTORY_MODE, JournalError, database};
use crate::storage::durable_files;

/// How many pages one step copies.
const STEP_PAGES: i32 = 1024;

/// How large the write-ahead log may grow beside a backup, which keeps it from being emptied.
const LOG_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// A copy of a data directory that is being made. Dropped before its end, it leaves nothing.
pub struct Backup {
    source: Connection,
    data_dir: PathBuf,
    target: Target,
}

impl Backup {
    /// Begins to copy `data_dir` into the directory `target`, which must be empty or absent, but for what a backup left that
    /// was killed.
    ///
    /// # Errors
    /// The journal cannot be read, or `target` is not empty or cannot be made.
    pub fn begin(data_dir: &Path, target: &Path) -> Result<Backup, JournalError> {
        let source = database::open_to_read(data_dir)?;
        let io = |source| JournalError::Io { path: target.to_owned(), source };
        if is_within(data_dir, target) {
            let text = "the directory is in the data directory, and would go with it; give one elsewhere";
            return Err(io(io::Error::new(io::ErrorKind::InvalidInput, text)));
        }
        durable_files::make(target, DIRECTORY_MODE).map_err(io)?;
        remove_left_parts(target).map_err(io)?;
        let target = Target { directory: target.to_owned(), copied: Vec::new() };
        Ok(Backup { source, data_dir: data_dir.to_owned(), target })
    }

    /// The directory that is copied.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Copies the journal as it is now. It comes last: what is derived from it must not be ahead of it. Says how many bytes
    /// were written. Blocks, and calls `progress` with the pages done and the pages in all.
    ///
    /// # Errors
    /// The journal cannot be read, the copy cannot be written, or too much comes in meanwhile.
    pub fn finish(mut self, progress: impl FnMut(u64, u64)) -> Result<u64, JournalError> {
        let generation = database::random_id()?;
        let renew = "INSERT OR REPLACE INTO meta VALUES ('generation', ?1)";
        let bytes = self.target.copy_and(&self.source, &database::path(&self.data_dir), progress, |copy| {
            // Where the copy takes the journal's place, it hands out the same offsets once more, to other records.
            copy.execute(renew, [generation]).map(|_| ())
        })?;
        self.target.name_all()?;
        Ok(bytes)
    }

    /// Copies one database of the data directory as it is now; the rest is as with [`Backup::finish`].
    pub(crate) fn copy(
        &mut self,
        source: &Connection,
        path: &Path,
        progress: impl FnMut(u64, u64),
    ) -> Result<u64, JournalError> {
        self.target.copy(source, path, progress)
    }
}

/// Where the copies are made. Each is a part until all are whole, so that none that was cut off can be taken for a backup.
struct Target {
    directory: PathBuf,
    /// The names that the copies are to have.
    copied: Vec<PathBuf>,
}

impl Target {
    /// Copies a database, and syncs the copy.
    fn copy(&mut self, source: &Connection, path: &Path, progress: impl FnMut(u64, u64)) -> Result<u64, JournalError> {
        self.copy_and(source, path, progress, |_| Ok(()))
    }

    fn copy_and(
        &mut self,
        source: &Connection,
        path: &Path,
        mut progress: impl FnMut(u64, u64),
        change: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<u64, JournalError> {
        let log = path.with_extension("db-wal");
        let copied = self.directory.join(path.file_name().unwrap_or_default());
        let part = part_of(&copied);
        self.copied.push(copied);
        let io = |source| JournalError::Io { path: part.clone(), source };

        // Held open, the transaction keeps the copy to one moment; without it every commit of the service would start the
        // copy over.
        let snapshot = source.unchecked_transaction()?;
        snapshot.query_row("SELECT count(*) FROM meta", [], |_| Ok(()))?;
        let mut copy = Connection::open(&part)?;
        {
            let backup = sqlite_backup::Backup::new(&snapshot, &mut copy)?;
            loop {
                let step = backup.step(STEP_PAGES)?;
                let pages = backup.progress();
                let (all, left) =
                    (u64::try_from(pages.pagecount).unwrap_or(0), u64::try_from(pages.remaining).unwrap_or(0));
                progress(all - left.min(all), all);
                check_log(&log)?;
                match step {
                    StepResult::Done => break,
                    StepResult::More => {}
                    StepResult::Busy | StepResult::Locked => std::thread::sleep(std::time::Duration::from_millis(50)),
                    _ => {}
                }
            }
        }
        change(&copy)?;
        copy.close().map_err(|(_, error)| error)?;
        let file = std::fs::File::open(&part).map_err(io)?;
        file.sync_all().map_err(io)?;
        Ok(file.metadata().map_err(io)?.len())
    }

    /// Gives the copies their names.
    fn name_all(&mut self) -> Result<(), JournalError> {
        for copied in &self.copied {
            std::fs::rename(part_of(copied), copied)
                .map_err(|source| JournalError::Io { path: copied.clone(), source })?;
        }
        durable_files::sync(&self.directory)
            .map_err(|source| JournalError::Io { path: self.directory.clone(), source })?;
        self.copied.clear();
        Ok(())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        for copied in &self.copied {
            // What cannot be removed is no reason to say anything else than why the backup failed.
            for made in [part_of(copied), part_of(copied).with_extension("part-journal"), copied.clone()] {
                let _ = std::fs::remove_file(made);
            }
        }
    }
}

fn part_of(copied: &Path) -> PathBuf {
    copied.with_extension("db.part")
}

/// Empties a directory that holds nothing but what a backup left that was killed.
fn remove_left_parts(directory: &Path) -> io::Result<()> {
    let left = std::fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    let is_part = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.ends_with(".db.part") || name.ends_with(".db.part-journal")
    };
    if !left.iter().all(is_part) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the directory is not empty; give a new one"));
    }
    left.into_iter().try_for_each(std::fs::remove_file)
}

/// Whether a directory, which may not be there yet, is or would be in another one.
fn is_within(data_dir: &Path, target: &Path) -> bool {
    let canonical = |path: &Path| path.canonicalize().ok();
    let nearest = std::path::absolute(target).ok().and_then(|target| target.ancestors().find_map(canonical));
    nearest.zip(canonical(data_dir)).is_some_and(|(nearest, data_dir)| nearest.starts_with(data_dir))
}

fn check_log(path: &Path) -> Result<(), JournalError> {
    let bytes = path.metadata().map_or(0, |metadata| metadata.len());
    if bytes > LOG_BYTES_MAX {
        let text = format!(
            "has grown beyond {LOG_BYTES_MAX} bytes during the backup, which was given up; try again when less comes in"
        );
        return Err(JournalError::Io { path: path.to_owned(), source: io::Error::other(text) });
    }
    Ok(())
}
