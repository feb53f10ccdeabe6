//! A consistent copy of a data directory, made while the service runs or not.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rusqlite::Connection;

use super::database::{connect_immutable, connect_to_write};
use super::{
    Database, FileSpace, StorageError, checksums, damages, durable_files, layout, make_data_dir, own_file, wal,
};

/// How large the WAL may grow during a backup, whose open transaction keeps every checkpoint from emptying it.
const WAL_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// How often the progress and the WAL are looked at.
const WATCH_INTERVAL: Duration = Duration::from_millis(50);

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

    /// Copies the used pages of a database, which `source` has open, as they are at this moment. Calls `change` on the copy at the
    /// end, and `progress` with the pages written so far and the pages to write, from another thread. Returns the size of the copy
    /// in bytes. Blocks.
    ///
    /// # Errors
    /// The source cannot be read, the copy cannot be written, or the WAL grew too large.
    pub(crate) fn copy(
        &mut self,
        source: &Connection,
        database: &Database,
        progress: impl FnMut(u64, u64) + Send,
        change: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<u64, StorageError> {
        let path = database.path(&self.data_dir);
        let copy = self.target.join(database.file_name);
        let part = part_of(&copy);
        self.copies.push(copy);

        // A reader on a full disk may not write to its database, but it may write to this copy elsewhere.
        source.pragma_update(None, "query_only", false)?;
        let pages = FileSpace::measure(source)?.used_bytes() / u64::try_from(database.page_bytes).unwrap_or(1);
        let watch = Watch { part: &part, wal: &wal::path(&path), page_bytes: database.page_bytes, pages };
        let interrupt = source.get_interrupt_handle();
        std::thread::scope(|scope| {
            let (done, is_done) = mpsc::channel::<()>();
            let watching = scope.spawn(move || watch.run(&is_done, progress, || interrupt.interrupt()));
            let copied = layout::copy(source, database.page_bytes, &part);
            drop(done);
            // The reason of an interruption is better than SQLite's own error.
            watching.join().unwrap_or(Ok(())).and(copied)
        })?;
        let copy = connect_to_write(&part)?;
        change(&copy)?;
        copy.close().map_err(|(_, error)| error)?;
        if let Some(damage) = damages(&connect_immutable(&part)?).first() {
            let text = format!("this copy is damaged: {damage}; `livehook doctor` examines the database itself");
            return Err(StorageError::io(&part)(io::Error::new(io::ErrorKind::InvalidData, text)));
        }
        let file = own_file::open_to_read(&part).map_err(StorageError::io(&part))?;
        file.sync_all().map_err(StorageError::io(&part))?;
        Ok(file.metadata().map_err(StorageError::io(&part))?.len())
    }

    /// Writes the checksums of the copies, and gives all files their final names.
    ///
    /// # Errors
    /// A copy cannot be read or renamed, or the directory cannot be synced.
    pub fn finish(mut self) -> Result<(), StorageError> {
        let sums = self.target.join(checksums::FILE_NAME);
        let name_of = |copy: &PathBuf| copy.file_name().map(|name| name.to_string_lossy().into_owned());
        let files: Vec<_> = self.copies.iter().filter_map(|copy| Some((part_of(copy), name_of(copy)?))).collect();
        checksums::write(&part_of(&sums), &files)?;
        self.copies.push(sums);
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
            for made in [part_of(copy), journal_of(&part_of(copy)), copy.clone()] {
                // The error that ended the backup matters more than a file that stays.
                let _ = std::fs::remove_file(made);
            }
        }
    }
}

fn part_of(copy: &Path) -> PathBuf {
    let mut name = copy.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// The journal that SQLite may keep next to a copy.
fn journal_of(part: &Path) -> PathBuf {
    part.with_extension("part-journal")
}

/// Removes the parts that a killed backup left. Removes nothing if other files are there too.
fn remove_parts(directory: &Path) -> io::Result<()> {
    let found = std::fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    let is_part = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.ends_with(".part") || name.ends_with(".db.part-journal")
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

/// Watches a copy while SQLite makes it.
struct Watch<'a> {
    part: &'a Path,
    wal: &'a Path,
    page_bytes: i64,
    /// How many pages the copy will have, approximately.
    pages: u64,
}

impl Watch<'_> {
    /// Reports the progress until the copy is done. If the WAL of the source grows too large, calls `interrupt` and returns why.
    fn run(
        &self,
        is_done: &mpsc::Receiver<()>,
        mut progress: impl FnMut(u64, u64),
        interrupt: impl Fn(),
    ) -> Result<(), StorageError> {
        // The sender is dropped when the copy is done.
        while is_done.recv_timeout(WATCH_INTERVAL) == Err(RecvTimeoutError::Timeout) {
            let written = bytes_of(self.part) / u64::try_from(self.page_bytes).unwrap_or(1);
            progress(written.min(self.pages), self.pages);
            if bytes_of(self.wal) > WAL_BYTES_MAX {
                interrupt();
                let text =
                    format!("grew beyond {WAL_BYTES_MAX} bytes, so the backup was stopped; try again under less load");
                return Err(StorageError::io(self.wal)(io::Error::other(text)));
            }
        }
        progress(self.pages, self.pages);
        Ok(())
    }
}

fn bytes_of(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const THINGS: Database = Database {
        file_name: "things.db",
        application_id: 7,
        tables: &["CREATE TABLE things (thing)"],
        migrations: &[],
        followers: &[],
        page_bytes: 4096,
        settings: &[],
    };

    /// A database of so many rows of 1 KB.
    fn database(directory: &Path, rows: i64) -> Connection {
        let connection = THINGS.open(directory, |_| Ok(())).unwrap();
        for _ in 0..rows {
            connection.execute("INSERT INTO things VALUES (randomblob(1000))", []).unwrap();
        }
        connection
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
        let connection = database(directory.path(), 10);
        let mut backup = Backup::begin(directory.path(), target.path()).unwrap();
        backup.copy(&connection, &THINGS, |_, _| {}, |_| Ok(())).unwrap();
        assert_eq!(names(target.path()), ["things.db.part"]);
        // The next copy fails like one on a full disk.
        std::fs::create_dir(target.path().join("more.db.part")).unwrap();
        let more = Database { file_name: "more.db", ..THINGS };
        backup.copy(&connection, &more, |_, _| {}, |_| Ok(())).unwrap_err();
        std::fs::remove_dir(target.path().join("more.db.part")).unwrap();
        drop(backup);
        assert_eq!(names(target.path()), [""; 0]);
    }

    #[test]
    fn parts_of_killed_backup_are_replaced() {
        let (directory, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let connection = database(directory.path(), 10);
        for part in ["more.db.part", "things.db.part", "things.db.part-journal"] {
            std::fs::write(target.path().join(part), "cut short").unwrap();
        }
        let mut backup = Backup::begin(directory.path(), target.path()).unwrap();
        backup.copy(&connection, &THINGS, |_, _| {}, |_| Ok(())).unwrap();
        backup.finish().unwrap();
        assert_eq!(names(target.path()), ["SHA256SUMS", "things.db"]);

        std::fs::write(target.path().join("things.db.part"), "cut short").unwrap();
        let error = Backup::begin(directory.path(), target.path()).err().unwrap();
        assert!(error.to_string().contains("not empty"), "{error}");
        assert_eq!(
            names(target.path()),
            ["SHA256SUMS", "things.db", "things.db.part"],
            "other files are there, so all stay"
        );
    }

    // Another user puts the link there after the backup began.
    #[test]
    fn linked_part_is_not_followed() {
        let (directory, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let connection = database(directory.path(), 10);
        let mut backup = Backup::begin(directory.path(), target.path()).unwrap();
        let victim = directory.path().join("victim");
        std::os::unix::fs::symlink(&victim, target.path().join("things.db.part")).unwrap();
        let error = backup.copy(&connection, &THINGS, |_, _| {}, |_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("things.db.part: File exists"), "{error}");
        assert!(!victim.exists());
    }

    #[test]
    fn copy_has_used_pages_only() {
        let (directory, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let connection = database(directory.path(), 2000);
        connection.execute("DELETE FROM things WHERE rowid > 10", []).unwrap();
        let mut backup = Backup::begin(directory.path(), target.path()).unwrap();
        let mut last = (0, 0);
        let bytes = backup.copy(&connection, &THINGS, |done, all| last = (done, all), |_| Ok(())).unwrap();
        backup.finish().unwrap();
        assert!(bytes < 100_000 && last.0 == last.1, "{bytes} bytes, {last:?} pages");
        let copy = THINGS.open_to_read(target.path()).unwrap();
        assert!(layout::is_current(&copy, THINGS.page_bytes).unwrap());
        let rows: i64 = copy.query_row("SELECT count(*) FROM things", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 10);
    }
}
