//! A consistent copy of a data directory, also while the service runs: first of what is derived from the journal, by whoever
//! derives it, then of the journal.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{self as sqlite_backup, StepResult};

use super::{JournalError, database, sqlite};

/// How many pages one step copies.
const STEP_PAGES: i32 = 1024;

/// How large the write-ahead log may grow beside a backup, which keeps it from being emptied.
const LOG_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// A copy of a data directory that is being made.
pub struct Backup {
    source: Connection,
    data_dir: PathBuf,
    target: PathBuf,
}

impl Backup {
    /// Begins to copy `data_dir` into the directory `target`, which must be empty or absent.
    ///
    /// # Errors
    /// The journal cannot be read, or `target` is not empty or cannot be made.
    pub fn begin(data_dir: &Path, target: &Path) -> Result<Backup, JournalError> {
        let io = |source| JournalError::Io { path: target.to_owned(), source };
        let source = database::open_to_read(data_dir)?;
        if is_within(data_dir, target) {
            return Err(io(std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                "the directory is in the data directory, and would go with it; give one elsewhere",
            )));
        }
        sqlite::make_directory(target).map_err(io)?;
        if std::fs::read_dir(target).map_err(io)?.next().is_some() {
            return Err(io(std::io::Error::new(
                std::io::ErrorKind::AlreadyExists,
                "the directory is not empty; give a new one",
            )));
        }
        Ok(Backup { source, data_dir: data_dir.to_owned(), target: target.to_owned() })
    }

    /// The directory that is copied.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Copies the journal as it is now, and syncs it. It comes last: what is derived from it must not be ahead of it. Says
    /// how many bytes were written. Blocks, and calls `progress` with the pages done and the pages in all.
    ///
    /// # Errors
    /// The journal cannot be read, the copy cannot be written, or too much comes in meanwhile.
    pub fn finish(self, progress: impl FnMut(u64, u64)) -> Result<u64, JournalError> {
        self.copy(&self.source, &database::path(&self.data_dir), progress)
    }

    /// Copies one database of the data directory as it is now under the same name, and syncs it; the rest is as with
    /// [`Backup::finish`].
    pub(crate) fn copy(
        &self,
        source: &Connection,
        path: &Path,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<u64, JournalError> {
        let io = |source| JournalError::Io { path: self.target.clone(), source };
        let log = path.with_extension("db-wal");
        let copied = self.target.join(path.file_name().unwrap_or_default());
        let part = copied.with_extension("db.part");

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
        copy.close().map_err(|(_, error)| error)?;
        let file = std::fs::File::open(&part).map_err(io)?;
        file.sync_all().map_err(io)?;
        // Under its name it is whole: a copy that was cut off cannot be taken for one.
        std::fs::rename(&part, &copied).map_err(io)?;
        database::sync_directory(&self.target)?;
        Ok(file.metadata().map_err(io)?.len())
    }
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
        return Err(JournalError::Io { path: path.to_owned(), source: std::io::Error::other(text) });
    }
    Ok(())
}
