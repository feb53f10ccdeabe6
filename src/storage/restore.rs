//! Puts the databases of a backup in the place of those of a data directory, and moves the old ones aside.
//!
//! At each moment, a start finds either the old journal or the new one. Everything stays within the data directory, because that
//! may be a volume of its own.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::file::give_to_owner_of;
use super::{Lock, StorageError, checksums, durable_files, make_data_dir};

/// The directory in which a backup is unpacked.
const STAGING: &str = "restore.part";

/// The journal, which a restore replaces in one step.
const JOURNAL: &str = "journal.db";

/// The files that belong to the old databases. Those of the journal's WAL are empty by then, or the journal is damaged.
const OTHERS: [&str; 5] = ["index.db", "index.db-wal", "index.db-shm", "journal.db-wal", "journal.db-shm"];

/// A restore that has begun. No service can use the data directory until it is dropped.
pub struct Restore {
    data_dir: PathBuf,
    staging: PathBuf,
    _lock: Lock,
}

impl Restore {
    /// Begins a restore: makes the data directory if it is missing, locks it, and makes an empty directory for the backup.
    ///
    /// # Errors
    /// A process uses the data directory, or it cannot be written.
    pub fn begin(data_dir: &Path) -> Result<Restore, StorageError> {
        make_data_dir(data_dir)?;
        let lock = Lock::take(data_dir)?;
        let staging = data_dir.join(STAGING);
        match fs::remove_dir_all(&staging) {
            // A restore that was killed left it.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StorageError::io(&staging)(error)),
            _ => {}
        }
        fs::DirBuilder::new().mode(0o700).create(&staging).map_err(StorageError::io(&staging))?;
        Ok(Restore { data_dir: data_dir.to_owned(), staging, _lock: lock })
    }

    /// The directory for the files of the backup.
    pub fn staging(&self) -> &Path {
        &self.staging
    }

    /// Compares the files of the backup with its checksums.
    ///
    /// # Errors
    /// The backup has no checksums or no journal, or a file differs.
    pub fn verify(&self) -> Result<(), StorageError> {
        let names = checksums::verify(&self.staging)?;
        if names.iter().any(|name| name == JOURNAL) {
            return Ok(());
        }
        Err(StorageError::Absent(self.staging.join(JOURNAL)))
    }

    /// Moves the old databases into the directory `before-restore-<stamp>`, and the new ones to their place. Returns that
    /// directory; `None` if there was no database.
    ///
    /// # Errors
    /// A file cannot be moved. Then the data directory has the old journal or the new one.
    pub fn finish(self, stamp: &str) -> Result<Option<PathBuf>, StorageError> {
        let journal = self.data_dir.join(JOURNAL);
        self.give_to_owner()?;
        let had_journal = journal.exists();
        let aside = self.data_dir.join(format!("before-restore-{stamp}"));
        if had_journal {
            fs::DirBuilder::new().mode(0o700).create(&aside).map_err(StorageError::io(&aside))?;
            give(&self.data_dir, &aside)?;
            // A WAL would be applied to the new journal. If the old one is damaged, it loses it, and is moved aside as it is.
            let _ = fold_wal(&journal);
            let kept = aside.join(JOURNAL);
            fs::hard_link(&journal, &kept).map_err(StorageError::io(&kept))?;
        }
        for name in OTHERS {
            let file = self.data_dir.join(name);
            if had_journal && file.exists() {
                fs::rename(&file, aside.join(name)).map_err(StorageError::io(&file))?;
            }
        }
        // A rename replaces the old journal in one step.
        for name in [JOURNAL, "index.db"] {
            let (from, to) = (self.staging.join(name), self.data_dir.join(name));
            if from.exists() {
                fs::rename(&from, &to).map_err(StorageError::io(&to))?;
            }
        }
        durable_files::sync(&self.data_dir).map_err(StorageError::io(&self.data_dir))?;
        Ok(had_journal.then_some(aside))
    }

    /// A restore by root must not take the files from livehook's user.
    fn give_to_owner(&self) -> Result<(), StorageError> {
        for name in [JOURNAL, "index.db"] {
            let file = self.staging.join(name);
            if file.exists() {
                fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).map_err(StorageError::io(&file))?;
                give(&self.data_dir, &file)?;
            }
        }
        Ok(())
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        // The next restore removes what stays.
        let _ = fs::remove_dir_all(&self.staging);
    }
}

/// Gives a file to the owner of the data directory, and syncs it.
fn give(data_dir: &Path, file: &Path) -> Result<(), StorageError> {
    let owner = data_dir.metadata().map_err(StorageError::io(data_dir))?;
    let given =
        fs::File::open(file).and_then(|opened| give_to_owner_of(&owner, &opened).and_then(|()| opened.sync_all()));
    given.map_err(StorageError::io(file))
}

/// Moves the WAL into the database, and removes it.
fn fold_wal(path: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open(path)?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    connection.close().map_err(|(_, error)| error)
}
