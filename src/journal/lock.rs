//! The lock on a data directory: one livehook serves it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::Path;

use super::JournalError;

/// The file that is locked, beside the journal.
const FILE_NAME: &str = "livehook.lock";

/// Holds the lock until it is dropped. The system frees it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock on a directory, without waiting.
    ///
    /// # Errors
    /// Another process holds it, or the file cannot be made.
    pub fn take(data_dir: &Path) -> Result<Lock, JournalError> {
        let path = data_dir.join(FILE_NAME);
        let io = |source| JournalError::Io { path: path.clone(), source };
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(io)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => JournalError::Locked(data_dir.to_owned()),
            TryLockError::Error(source) => io(source),
        })?;
        // The number is for people only: the lock is what counts.
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(io)?;
        Ok(Lock { _file: file })
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
}
