//! A consistent copy of a data directory, also while the service runs.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::{JournalError, database, sqlite};

/// How many pages one step copies.
const STEP_PAGES: i32 = 1024;

/// How large the write-ahead log may grow beside a backup, which keeps it from being emptied.
const LOG_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Copies the journal of `data_dir` as it is now into the directory `target`, which must be empty or absent, and syncs it.
/// What is derived from the journal is not copied: it is made anew. Says how many bytes were written. Blocks, and calls
/// `progress` with the pages done and the pages in all.
///
/// # Errors
/// The journal cannot be read, `target` is not empty, the copy cannot be written, or too much comes in meanwhile.
pub fn backup(data_dir: &Path, target: &Path, mut progress: impl FnMut(u64, u64)) -> Result<u64, JournalError> {
    let io = |source| JournalError::Io { path: target.to_owned(), source };
    let source = database::open_to_read(data_dir)?;
    sqlite::make_directory(target).map_err(io)?;
    if std::fs::read_dir(target).map_err(io)?.next().is_some() {
        return Err(io(std::io::Error::new(
            std::io::ErrorKind::AlreadyExists,
            "the directory is not empty; give a new one",
        )));
    }

    // Held open, the transaction keeps the copy to one moment; without it every commit of the service would start the
    // copy over.
    let snapshot = source.unchecked_transaction()?;
    snapshot.query_row("SELECT count(*) FROM meta", [], |_| Ok(()))?;
    let path = database::path(target);
    let part = path.with_extension("db.part");
    let mut copy = Connection::open(&part)?;
    {
        let backup = Backup::new(&snapshot, &mut copy)?;
        loop {
            let step = backup.step(STEP_PAGES)?;
            let pages = backup.progress();
            let (all, left) =
                (u64::try_from(pages.pagecount).unwrap_or(0), u64::try_from(pages.remaining).unwrap_or(0));
            progress(all - left.min(all), all);
            check_log(data_dir)?;
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
    // Under its name it is whole: a copy that was cut off cannot be taken for a journal.
    std::fs::rename(&part, &path).map_err(io)?;
    database::sync_directory(target)?;
    Ok(file.metadata().map_err(io)?.len())
}

fn check_log(data_dir: &Path) -> Result<(), JournalError> {
    let path = database::path(data_dir).with_extension("db-wal");
    let bytes = path.metadata().map_or(0, |metadata| metadata.len());
    if bytes > LOG_BYTES_MAX {
        let text = format!(
            "has grown beyond {LOG_BYTES_MAX} bytes during the backup, which was given up; try again when less comes in"
        );
        return Err(JournalError::Io { path, source: std::io::Error::other(text) });
    }
    Ok(())
}
