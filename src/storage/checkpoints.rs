//! Checkpoints of a database next to its writer. A checkpoint moves the pages of the WAL into the database.
//!
//! SQLite does that within the commit that reaches a number of pages. Then this commit and all that come meanwhile wait until
//! megabytes are copied and synced, which takes long on a slow disk. So a thread with a connection of its own copies the pages
//! while the writer goes on. Then the writer copies the few pages that it has written meanwhile, because SQLite restarts the WAL
//! (writes it from its beginning again) only when all its pages are copied.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use super::StorageError;
use super::database::connect_to_write;

/// The thread that copies pages. It ends when this is dropped, and from then on the writer copies all pages itself.
pub(crate) struct Checkpoints {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the writer and the thread tell each other.
#[derive(Default)]
struct Shared {
    phase: Mutex<Phase>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// The thread waits.
    #[default]
    Waiting,
    /// The thread is to copy the pages, or does so.
    Copying,
    /// The thread has copied the pages that the WAL had.
    Copied,
    /// The thread has ended, or is to end.
    Closed,
}

/// Decides after each commit what becomes of the pages in the WAL.
struct Schedule {
    /// A copy begins when the WAL has this many pages.
    pages_max: i32,
    /// How many pages it had after the last commit.
    pages: i32,
    /// The next copy begins at this many pages. That is more than `pages_max` while the WAL doesn't restart.
    next: i32,
}

/// What the writer does after a commit.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Nothing.
    Continue,
    /// It lets the thread copy the pages.
    Ask,
    /// It copies the pages itself.
    Copy,
}

impl Checkpoints {
    /// Takes over the checkpoints of a writer's connection: one begins when the WAL has `pages_max` pages.
    ///
    /// # Errors
    /// The system starts no thread, or SQLite fails.
    pub(crate) fn start(connection: &mut Connection, path: &Path, pages_max: i32) -> Result<Checkpoints, StorageError> {
        let shared = Arc::new(Shared::default());
        let mut schedule = Schedule::new(pages_max);
        let hook = Arc::clone(&shared);
        connection.wal_hook(Some(move |wal: &mut Wal, pages| {
            hook.after_commit(&mut schedule, wal, pages);
            Ok(())
        }))?;
        let (asked, file) = (Arc::clone(&shared), path.to_owned());
        let thread = thread::Builder::new().name("checkpoint".to_owned());
        let thread = thread.spawn(move || asked.run(&file)).map_err(StorageError::io(path))?;
        Ok(Checkpoints { shared, thread: Some(thread) })
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.shared.close();
        // Two connections must not use the files any more when the writer opens them again after a failure.
        self.thread.take().map(JoinHandle::join);
    }
}

impl Shared {
    /// Called by the writer after each commit, with the number of pages in the WAL.
    fn after_commit(&self, schedule: &mut Schedule, wal: &mut Wal, pages: i32) {
        let mut phase = self.lock();
        match schedule.step(pages, *phase) {
            Step::Continue => {}
            Step::Ask => {
                *phase = Phase::Copying;
                self.changed.notify_one();
            }
            Step::Copy => {
                // Not an error of the commit, which is durable. The pages stay in the WAL, and another checkpoint follows.
                let _ = wal.checkpoint();
            }
        }
        if *phase == Phase::Copied {
            *phase = Phase::Waiting;
        }
    }

    /// The work of the thread.
    fn run(&self, path: &Path) {
        // Opened when it is needed, because a service without work has no pages to copy.
        let mut connection = None;
        while self.wait_for_pages() {
            if let Err(error) = copy_pages(&mut connection, path) {
                connection = None;
                let (file, error) = (path.display(), error.to_string());
                tracing::warn!(%file, error, "the thread for checkpoints failed, so the writer makes the checkpoint");
            }
            let mut phase = self.lock();
            if *phase == Phase::Copying {
                *phase = Phase::Copied;
            }
        }
    }

    /// Waits until pages are to be copied. Returns false if the thread is to end.
    fn wait_for_pages(&self) -> bool {
        let is_waiting = |phase: &mut Phase| matches!(phase, Phase::Waiting | Phase::Copied);
        let phase = self.changed.wait_while(self.lock(), is_waiting).unwrap_or_else(PoisonError::into_inner);
        *phase == Phase::Copying
    }

    fn close(&self) {
        *self.lock() = Phase::Closed;
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Schedule {
    fn new(pages_max: i32) -> Schedule {
        Schedule { pages_max, pages: 0, next: pages_max }
    }

    /// Decides what the writer does, given how many pages the WAL has now.
    fn step(&mut self, pages: i32, phase: Phase) -> Step {
        let has_restarted = pages < self.pages;
        self.pages = pages;
        if has_restarted {
            self.next = self.pages_max;
        }
        let is_due = pages >= self.next;
        let step = match phase {
            Phase::Waiting if is_due => Step::Ask,
            // A WAL that has restarted has no such pages.
            Phase::Copied if !has_restarted && pages > self.pages_max => Step::Copy,
            // SQLite allows one copy at a time, so this has no effect while the thread copies. It helps if the thread has died.
            Phase::Copying | Phase::Closed if is_due => Step::Copy,
            _ => Step::Continue,
        };
        if step != Step::Continue {
            // A reader can prevent that pages are copied. Another try at each commit would not help.
            self.next = pages.saturating_add(self.pages_max);
        }
        step
    }
}

/// Copies the pages that the WAL has now, and syncs the database. The connection is opened if there is none.
fn copy_pages(connection: &mut Option<Connection>, path: &Path) -> Result<(), StorageError> {
    let connection = match connection {
        Some(connection) => connection,
        None => {
            let opened = connect_to_write(path)?;
            // FULL: SQLite syncs the database before it restarts the WAL.
            opened.pragma_update(None, "synchronous", 2)?;
            connection.insert(opened)
        }
    };
    // PASSIVE waits neither for the writer nor for a reader.
    Ok(connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::database::connect_immutable;
    use super::*;

    fn database(directory: &Path) -> (Connection, std::path::PathBuf) {
        let path = directory.join("things.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE things (name TEXT)").unwrap();
        (connection, path)
    }

    /// Commits a row that takes a page.
    fn commit(connection: &Connection) {
        connection.execute("INSERT INTO things VALUES (?1)", ["x".repeat(3000)]).unwrap();
    }

    /// How many rows the database has without its WAL.
    fn copied(path: &Path) -> i64 {
        let connection = connect_immutable(path).unwrap();
        connection.query_row("SELECT count(*) FROM things", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn thread_copies_and_the_writer_the_rest() {
        use Phase::{Closed, Copied, Copying, Waiting};
        let mut schedule = Schedule::new(100);
        for (pages, phase, step) in [
            (99, Waiting, Step::Continue),
            (100, Waiting, Step::Ask),
            (150, Copying, Step::Continue),
            (160, Copied, Step::Copy),
            // A reader prevents the restart of the WAL.
            (170, Waiting, Step::Continue),
            (260, Waiting, Step::Ask),
            // The thread has copied all.
            (3, Copied, Step::Continue),
            (100, Waiting, Step::Ask),
            // The thread is slow, or cannot open the database.
            (199, Copying, Step::Continue),
            (200, Copying, Step::Copy),
            (299, Copying, Step::Continue),
            (5, Closed, Step::Continue),
            (100, Closed, Step::Copy),
            (199, Closed, Step::Continue),
            (200, Closed, Step::Copy),
        ] {
            assert_eq!(schedule.step(pages, phase), step, "{pages} {phase:?}");
        }
    }

    #[test]
    fn wal_restarts_while_the_writer_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let (mut connection, path) = database(directory.path());
        let checkpoints = Checkpoints::start(&mut connection, &path, 50).unwrap();
        let wal_bytes = || std::fs::metadata(super::super::wal::path(&path)).unwrap().len();
        let phase = || *checkpoints.shared.lock();
        let mut rows = 0;
        while phase() == Phase::Waiting {
            commit(&connection);
            rows += 1;
        }
        let until = Instant::now() + Duration::from_secs(60);
        while phase() == Phase::Copying {
            assert!(Instant::now() < until, "the thread copies nothing");
            thread::yield_now();
        }
        assert_eq!(copied(&path), rows);
        commit(&connection);
        let bytes = wal_bytes();
        (0..10).for_each(|_| commit(&connection));
        assert_eq!(wal_bytes(), bytes, "the WAL was not written from its beginning");
    }

    #[test]
    fn writer_copies_without_the_thread() {
        let directory = tempfile::tempdir().unwrap();
        let (mut connection, path) = database(directory.path());
        drop(Checkpoints::start(&mut connection, &path, 50).unwrap());
        (0..60).for_each(|_| commit(&connection));
        assert!(copied(&path) >= 30, "{}", copied(&path));
    }

    #[test]
    fn missing_database_is_reported_and_not_made() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("things.db");
        assert!(copy_pages(&mut None, &path).is_err());
        assert!(!path.exists());
    }
}
