//! Paths: the directory of a file, its name after a rename, its kind, and a rename that replaces nothing.

use std::fs;
use std::io;
use std::os::unix::fs::{DirEntryExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::error::FileError;

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
    let file_type = metadata.file_type();
    let kind = match file_type {
        _ if file_type.is_file() => return Ok(()),
        _ if file_type.is_dir() => "a directory",
        _ if file_type.is_fifo() => "a pipe",
        _ if file_type.is_socket() => "a socket",
        _ => "a device",
    };
    Err(FileError::Irregular { path: path.to_owned(), kind })
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
