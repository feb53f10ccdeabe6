//! Paths: the directory of a file, its name after a rename, its kind, and a rename that replaces nothing.

use std::fs;
use std::io;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::error::FileError;
use crate::storage::own_file;

/// How many symbolic links may follow each other. Linux has the same limit.
const LINKS_MAX: usize = 40;

/// The permissions to write for the group and for all others.
const WRITABLE_BY_OTHERS: u32 = 0o022;

const ROOT: u32 = 0;

/// Returns the directory of a file.
pub(super) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The regular file with this device and inode in a directory, under its current name.
///
/// # Errors
/// The directory can't be read. If it is missing, the result is `None`.
pub(super) fn find_inode(directory: &Path, device: u64, inode: u64) -> io::Result<Option<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        // The entry itself has the inode, so only a likely file costs a system call.
        if entry.ino() == inode
            && let Ok(metadata) = entry.metadata()
            && metadata.is_file()
            && (metadata.dev(), metadata.ino()) == (device, inode)
        {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// Refuses everything but a regular file.
///
/// # Errors
/// The path leads to a directory, a pipe, a socket or a device.
pub(super) fn refuse_irregular(path: &Path, metadata: &fs::Metadata) -> Result<(), FileError> {
    match own_file::irregular_kind(metadata) {
        None => Ok(()),
        Some(kind) => Err(FileError::Irregular { path: path.to_owned(), kind }),
    }
}

/// The file that a path leads to.
pub(super) struct Target {
    /// Its path. Only the path of its directory may have symbolic links.
    pub(super) path: PathBuf,
    /// `None` if it doesn't exist.
    pub(super) metadata: Option<fs::Metadata>,
}

impl Target {
    /// Finds the file at `path`. Follows symbolic links that no other user can change. Links in the path of a directory are always
    /// followed.
    ///
    /// # Errors
    /// Another user could change a link, or the path can't be inspected.
    pub(super) fn find(path: &Path) -> Result<Target, FileError> {
        let failed = |action| FileError::io(path, action);
        let mut followed = path.to_owned();
        for _ in 0..LINKS_MAX {
            let metadata = match followed.symlink_metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                found => Some(found.map_err(failed("look it up"))?),
            };
            let directory = directory_of(&followed);
            let Some(link) = metadata.as_ref().filter(|metadata| metadata.is_symlink()) else {
                return Ok(Target { path: followed, metadata });
            };
            refuse_link_of_others(&followed, link, &directory.metadata().map_err(failed("look it up"))?)?;
            followed = directory.join(followed.read_link().map_err(failed("resolve it"))?);
        }
        Err(failed("resolve it")(Errno::LOOP.into()))
    }
}

/// Refuses a symbolic link that another user than root could change. Such a user could make the sink write to any file.
fn refuse_link_of_others(path: &Path, link: &fs::Metadata, directory: &fs::Metadata) -> Result<(), FileError> {
    let user = geteuid().as_raw();
    let is_foreign = |metadata: &fs::Metadata| metadata.uid() != user && metadata.uid() != ROOT;
    let reason = if is_foreign(link) {
        format!("it belongs to user {}", link.uid())
    } else if is_foreign(directory) {
        format!("its directory belongs to user {}", directory.uid())
    } else if directory.mode() & WRITABLE_BY_OTHERS != 0 {
        format!("its directory has the permissions {:03o}", directory.mode() & 0o777)
    } else {
        return Ok(());
    };
    Err(FileError::OthersLink { path: path.to_owned(), reason })
}

/// Renames a file, and returns false if the new name is taken.
///
/// # Errors
/// The error of the system.
pub(super) fn rename_without_replacing(from: &Path, to: &Path) -> io::Result<bool> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        // Some file systems can't do this. Only this sink gives such names, so a check before the rename is as good.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => match fs::symlink_metadata(to) {
            Ok(_) => Ok(false),
            Err(_) => fs::rename(from, to).map(|()| true),
        },
        Err(error) => Err(error.into()),
    }
}
