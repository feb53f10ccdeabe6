//! The lock on a data directory: one livehook serves it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use super::JournalError;

/// The file that is locked, beside the journal.
const FILE_NAME: &str = "livehook.lock";

/// How often a lock that is held is tried again, and after which wait: somebody may only be looking, by
/// [`Lock::is_held`], which takes no time at all.
const RETRIES: u32 = 5;
const RETRY_WAIT: Duration = Duration::from_millis(10);

/// Holds the lock until it is dropped. The system frees it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock on a directory, without waiting for who serves it to end.
    ///
    /// # Errors
    /// Another process holds it, or the file cannot be made.
    pub fn take(data_dir: &Path) -> Result<Lock, JournalError> {
        let path = data_dir.join(FILE_NAME);
        let io = |source| JournalError::Io { path: path.clone(), source };
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(io)?;
        let mut retries = RETRIES;
        while let Err(error) = file.try_lock() {
            match error {
                TryLockError::WouldBlock if retries > 0 => {
                    retries -= 1;
                    std::thread::sleep(RETRY_WAIT);
                }
                TryLockError::WouldBlock => return Err(JournalError::Locked(data_dir.to_owned())),
                TryLockError::Error(source) => return Err(io(source)),
            }
        }
        // The number is for people only: the lock is what counts.
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(io)?;
        Ok(Lock { _file: file })
    }

    /// Whether a process holds the lock on a directory, as one that serves it does.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn is_held(data_dir: &Path) -> Result<bool, JournalError> {
        let path = data_dir.join(FILE_NAME);
        let io = |source| JournalError::Io { path: path.clone(), source };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(io(error)),
        };
        // Who only looks shares the lock with others who look, and gives it back with the file.
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_is_refused_until_the_first_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let first = Lock::take(directory.path()).unwrap();
        assert!(matches!(Lock::take(directory.path()), Err(JournalError::Locked(_))));
        drop(first);
        Lock::take(directory.path()).unwrap();
    }

    #[test]
    fn looking_tells_who_holds_it_and_takes_it_from_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let is_held = || Lock::is_held(directory.path()).unwrap();
        assert!(!is_held(), "there is no file yet");
        let lock = Lock::take(directory.path()).unwrap();
        assert!(is_held());
        drop(lock);
        assert!(!is_held());

        let looking = File::open(directory.path().join(FILE_NAME)).unwrap();
        looking.lock_shared().unwrap();
        assert!(!is_held(), "others may look meanwhile");
        std::thread::scope(|scope| {
            let taking = scope.spawn(|| Lock::take(directory.path()));
            std::thread::sleep(RETRY_WAIT);
            drop(looking);
            assert!(taking.join().unwrap().is_ok());
        });
    }
}
