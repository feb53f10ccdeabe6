//! The lock on a data directory: only one livehook may write to it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::error::is_full;
use super::{Identity, StorageError, own_file};

/// The file that is locked.
const FILE_NAME: &str = "livehook.lock";

/// How often [`Lock::take`] tries again, and how long it waits in between: [`Lock::is_held`] may hold a shared lock for a moment.
const RETRIES: u32 = 5;
const RETRY_WAIT: Duration = Duration::from_millis(10);

/// Holds the lock until its last clone is dropped. The system frees it when the process ends, however it ends.
#[derive(Clone, Debug)]
pub struct Lock {
    _file: Arc<File>,
}

impl Lock {
    /// Takes the lock on a data directory. Does not wait for another livehook to end.
    ///
    /// # Errors
    /// Another process holds the lock, or its file cannot be made.
    pub fn take(data_dir: &Path) -> Result<Lock, StorageError> {
        Lock::take_with(data_dir, || std::thread::sleep(RETRY_WAIT))
    }

    /// Takes the lock on an empty directory.
    ///
    /// # Errors
    /// The directory has files, or its lock cannot be taken.
    pub(crate) fn take_new(directory: &Path) -> Result<Lock, StorageError> {
        let is_empty = std::fs::read_dir(directory).map(|mut entries| entries.next().is_none());
        if is_empty.map_err(StorageError::io(directory))? {
            return Lock::take(directory);
        }
        let text = "the directory is not empty; choose a new one";
        Err(StorageError::io(directory)(io::Error::new(ErrorKind::AlreadyExists, text)))
    }

    /// Takes the lock like [`Lock::take`], and calls `wait` before each retry.
    fn take_with(data_dir: &Path, mut wait: impl FnMut()) -> Result<Lock, StorageError> {
        let path = data_dir.join(FILE_NAME);
        let file = open(&path)?;
        let mut retries = RETRIES;
        while let Err(error) = file.try_lock() {
            match error {
                TryLockError::WouldBlock if retries > 0 => {
                    retries -= 1;
                    wait();
                }
                TryLockError::WouldBlock => return Err(StorageError::Locked(data_dir.to_owned())),
                TryLockError::Error(source) => return Err(StorageError::io(&path)(source)),
            }
        }
        Lock::write_owner(file, &path)
    }

    /// Takes the lock on a data directory, as soon as no other process holds it. Blocks the thread until then.
    ///
    /// # Errors
    /// The lock's file cannot be made, or its file system has no locks.
    pub fn wait(data_dir: &Path) -> Result<Lock, StorageError> {
        let path = data_dir.join(FILE_NAME);
        loop {
            let file = open(&path)?;
            match file.lock() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result.map_err(StorageError::io(&path))?,
            }
            // Someone may have replaced the data directory during the wait. The lock of the old one is then worth nothing.
            if Identity::of_open(&file).map_err(StorageError::io(&path))?.is_at(&path) {
                return Lock::write_owner(file, &path);
            }
        }
    }

    /// Writes the id of this process into the locked file.
    fn write_owner(mut file: File, path: &Path) -> Result<Lock, StorageError> {
        // The process id is for people only, so a full disk does not matter.
        match file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())) {
            Err(error) if !is_full(&error) => return Err(StorageError::io(path)(error)),
            _ => {}
        }
        Ok(Lock { _file: Arc::new(file) })
    }

    /// Whether a process holds the lock, as a running service does.
    ///
    /// # Errors
    /// The lock's file cannot be opened.
    pub fn is_held(data_dir: &Path) -> Result<bool, StorageError> {
        let path = data_dir.join(FILE_NAME);
        let file = match own_file::open_to_read(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(StorageError::io(&path)(error)),
        };
        // A shared lock, so several processes can ask at once. Closing the file frees it.
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(StorageError::io(&path)(source)),
        }
    }
}

fn open(path: &Path) -> Result<File, StorageError> {
    // Not truncated: the file holds the process id of the owner, which may be another livehook.
    own_file::open(path, OpenOptions::new().create(true).truncate(false).write(true))
        .map_err(|error| StorageError::io(path)(with_cure(error)))
}

fn with_cure(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::PermissionDenied => {
            io::Error::new(error.kind(), format!("{error}; run this as the user that livehook runs as"))
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_lock_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let first = Lock::take(directory.path()).unwrap();
        assert!(matches!(Lock::take(directory.path()), Err(StorageError::Locked(_))));
        drop(first);
        Lock::take(directory.path()).unwrap();
    }

    #[test]
    fn waiting_ends_with_the_last_clone() {
        let directory = tempfile::tempdir().unwrap();
        let first = Lock::take(directory.path()).unwrap();
        let clone = first.clone();
        let data_dir = directory.path().to_owned();
        let waiting = std::thread::spawn(move || Lock::wait(&data_dir).unwrap());
        drop(first);
        std::thread::sleep(Duration::from_millis(50));
        assert!(!waiting.is_finished());
        drop(clone);
        let second = waiting.join().unwrap();
        assert!(matches!(Lock::take(directory.path()), Err(StorageError::Locked(_))));
        drop(second);
    }

    // The old file is still locked by its owner, who then ends. Its lock must not count for the new directory.
    #[test]
    fn replaced_directory_is_locked_itself() {
        let parent = tempfile::tempdir().unwrap();
        let (data_dir, away) = (parent.path().join("data"), parent.path().join("away"));
        std::fs::create_dir(&data_dir).unwrap();
        let old = Lock::take(&data_dir).unwrap();
        let waited_for = data_dir.clone();
        let waiting = std::thread::spawn(move || Lock::wait(&waited_for).unwrap());
        std::thread::sleep(Duration::from_millis(50));
        std::fs::rename(&data_dir, &away).unwrap();
        std::fs::create_dir(&data_dir).unwrap();
        let new = Lock::take(&data_dir).unwrap();
        drop(old);
        std::thread::sleep(Duration::from_millis(50));
        assert!(!waiting.is_finished());
        drop(new);
        let _taken = waiting.join().unwrap();
        assert!(Lock::is_held(&data_dir).unwrap());
        assert!(!Lock::is_held(&away).unwrap());
    }

    #[test]
    fn held_lock_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let is_held = || Lock::is_held(directory.path()).unwrap();
        assert!(!is_held(), "the file does not exist yet");
        let lock = Lock::take(directory.path()).unwrap();
        assert!(is_held());
        drop(lock);
        assert!(!is_held());
    }

    #[test]
    fn linked_lock_changes_no_other_file() {
        let directory = tempfile::tempdir().unwrap();
        let victim = directory.path().join("victim");
        std::fs::write(&victim, "kept").unwrap();
        std::os::unix::fs::symlink(&victim, directory.path().join(FILE_NAME)).unwrap();
        for error in [Lock::take(directory.path()), Lock::wait(directory.path())].map(Result::unwrap_err) {
            let said = error.to_string();
            assert!(said.contains("livehook.lock: this is a symbolic link"), "{said}");
        }
        Lock::is_held(directory.path()).unwrap_err();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "kept");
    }

    #[test]
    fn shared_lock_delays_taking_only() {
        let directory = tempfile::tempdir().unwrap();
        drop(Lock::take(directory.path()).unwrap());
        let asking = File::open(directory.path().join(FILE_NAME)).unwrap();
        asking.lock_shared().unwrap();
        assert!(!Lock::is_held(directory.path()).unwrap(), "several may ask at once");
        let mut asking = Some(asking);
        assert!(Lock::take_with(directory.path(), || drop(asking.take())).is_ok());
        assert!(asking.is_none(), "it was not waited for");
    }
}
