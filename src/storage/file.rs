//! The file of a database, as the operating system sees it.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::io::Errno;

use super::StorageError;

/// Which file a path led to. It shows whether an open database was moved or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// Returns the identity of the file at a path.
    ///
    /// # Errors
    /// The file does not exist or cannot be inspected.
    pub(crate) fn of(path: &Path) -> io::Result<Identity> {
        path.metadata().map(|metadata| Identity::from(&metadata))
    }

    /// Returns the identity of an open file.
    ///
    /// # Errors
    /// The file cannot be inspected.
    pub(super) fn of_open(file: &File) -> io::Result<Identity> {
        file.metadata().map(|metadata| Identity::from(&metadata))
    }

    /// Whether the file is still at the path. Counts as yes if the path cannot be inspected for another reason than its
    /// absence.
    pub(crate) fn is_at(self, path: &Path) -> bool {
        match Identity::of(path) {
            Ok(found) => found == self,
            Err(error) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
        }
    }
}

impl From<&Metadata> for Identity {
    fn from(metadata: &Metadata) -> Identity {
        Identity { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// Gives an open file or directory to the owner of another one, so that a command of root takes nothing from livehook's user.
///
/// # Errors
/// The file cannot be inspected, or this user must not give it away.
pub(super) fn give_to_owner_of(owner: &Metadata, file: &File) -> io::Result<()> {
    let made = file.metadata()?;
    if (made.uid(), made.gid()) == (owner.uid(), owner.gid()) {
        return Ok(());
    }
    fchown(file, Some(owner.uid()), Some(owner.gid()))
}

/// Whether a file exists.
///
/// # Errors
/// The file exists and this user must not read it, or its path cannot be inspected.
pub(super) fn is_readable(path: &Path) -> Result<bool, StorageError> {
    // Asks without opening: closing a file drops every lock that this process holds on it, and SQLite holds some.
    match access(path, Access::READ_OK) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(Errno::ACCESS) => Err(StorageError::Denied(path.to_owned())),
        Err(error) => Err(StorageError::io(path)(error.into())),
    }
}

/// Makes a new empty file that only its owner can read and write. SQLite gives its other files, for example the WAL, the
/// permissions of the database.
///
/// # Errors
/// The file exists, also as a symbolic link to nothing, or cannot be made.
pub(super) fn make_private(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop)
}

/// The path of a file, with all symbolic links of its directory resolved. SQLite refuses a link in a path only if it may refuse
/// every link in it.
///
/// # Errors
/// The directory cannot be inspected.
pub(crate) fn resolved(path: &Path) -> Result<PathBuf, StorageError> {
    let directory = directory_of(path).canonicalize().map_err(StorageError::io(path))?;
    Ok(directory.join(path.file_name().unwrap_or_default()))
}

/// Whether this process cannot create files in a directory.
pub(super) fn is_write_protected(directory: &Path) -> bool {
    matches!(access(directory, Access::WRITE_OK), Err(Errno::ACCESS | Errno::ROFS))
}

/// The directory of a file.
pub(super) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
