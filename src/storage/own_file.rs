//! Files that livehook makes for itself. It follows no symbolic link to them, and uses none that another user could have put there.
//!
//! Another user who can write to the directory could otherwise make livehook write to a file of that user's choice. Links in the
//! path of the directory are followed: only the file itself must be plain.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::process::geteuid;

use super::file::directory_of;

/// The user that may own any file.
const ROOT: u32 = 0;

/// Why livehook doesn't use the file at a path.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FileFault {
    /// The path is a symbolic link.
    #[error("this is a symbolic link, and livehook follows none here; remove it, or put the file itself in its place")]
    SymbolicLink,
    /// The path is something other than a file.
    #[error("this is {0}, not a regular file; move it away")]
    Irregular(&'static str),
    /// The file has further names.
    #[error(
        "this file has {0} names (hard links), so a change would reach all of them; remove the others, or replace the file with a copy of itself"
    )]
    HardLinks(u64),
    /// The file belongs to another user.
    #[error(
        "this file belongs to user {owner}, neither to livehook's user {user} nor to the owner of its directory; change its owner (`chown`), or move it away"
    )]
    Foreign {
        /// The id of the file's owner.
        owner: u32,
        /// The id of this process's user.
        user: u32,
    },
}

impl From<FileFault> for io::Error {
    fn from(fault: FileFault) -> io::Error {
        io::Error::new(ErrorKind::InvalidInput, fault)
    }
}

/// Opens a file to write with these options, and checks what was opened. Never waits for the other end of a pipe.
///
/// # Errors
/// The file can't be opened, or has a [`FileFault`].
pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    open_checked(path, options, check_to_write)
}

/// Opens a file to read, and checks what was opened. The file may have several names (hard links), because reading changes none.
///
/// # Errors
/// The file can't be opened, or has a [`FileFault`].
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    open_checked(path, OpenOptions::new().read(true), check_to_read)
}

/// Checks the file at a path, for a library that opens it itself. A file that doesn't exist passes, and so does one that can't be
/// inspected: opening it fails with a better error.
///
/// # Errors
/// The path has a [`FileFault`].
pub(crate) fn check(path: &Path) -> io::Result<()> {
    check_path(path, check_to_write)
}

type Check = fn(&Path, &Metadata) -> io::Result<()>;

fn open_checked(path: &Path, options: &mut OpenOptions, check: Check) -> io::Result<File> {
    // Opening a device can do something, so the look at it comes first.
    check_path(path, check)?;
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = options.custom_flags(flags).open(path)?;
    // Another process may have replaced the file between the two.
    check(path, &file.metadata()?)?;
    Ok(file)
}

fn check_path(path: &Path, check: Check) -> io::Result<()> {
    path.symlink_metadata().map_or(Ok(()), |metadata| check(path, &metadata))
}

fn check_to_write(path: &Path, metadata: &Metadata) -> io::Result<()> {
    check_to_read(path, metadata)?;
    match metadata.nlink() {
        // A file that was removed while it was opened has no name left.
        0 | 1 => Ok(()),
        count => Err(FileFault::HardLinks(count).into()),
    }
}

fn check_to_read(path: &Path, metadata: &Metadata) -> io::Result<()> {
    if metadata.is_symlink() {
        return Err(FileFault::SymbolicLink.into());
    }
    if let Some(kind) = irregular_kind(metadata) {
        return Err(FileFault::Irregular(kind).into());
    }
    let (owner, user) = (metadata.uid(), geteuid().as_raw());
    let is_ours = owner == user || owner == ROOT;
    // The owner of the directory could replace the file anyway.
    if !is_ours && owner != directory_of(path).metadata()?.uid() {
        return Err(FileFault::Foreign { owner, user }.into());
    }
    Ok(())
}

/// The kind of everything but a regular file: `a pipe`.
pub(crate) fn irregular_kind(metadata: &Metadata) -> Option<&'static str> {
    let file_type = metadata.file_type();
    match file_type {
        _ if file_type.is_file() => None,
        _ if file_type.is_dir() => Some("a directory"),
        _ if file_type.is_fifo() => Some("a pipe"),
        _ if file_type.is_socket() => Some("a socket"),
        _ => Some("a device"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};
    use std::path::PathBuf;

    use super::*;

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Place {
            Place(tempfile::tempdir().unwrap())
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn file(&self, name: &str) -> PathBuf {
            std::fs::write(self.at(name), "kept").unwrap();
            self.at(name)
        }
    }

    fn fault(path: &Path) -> String {
        let checked = check(path).unwrap_err().to_string();
        let mut to_write = OpenOptions::new();
        let opened = open(path, to_write.append(true).create(true)).unwrap_err().to_string();
        assert_eq!(checked, opened);
        opened
    }

    #[test]
    fn links_are_not_followed() {
        let place = Place::new();
        for (name, target) in [("link", place.file("victim")), ("dangling", place.at("absent"))] {
            symlink(&target, place.at(name)).unwrap();
            let said = fault(&place.at(name));
            assert!(said.contains("symbolic link"), "{said}");
        }
        assert_eq!(std::fs::read_to_string(place.at("victim")).unwrap(), "kept");
        assert!(!place.at("absent").exists());
    }

    #[test]
    fn linked_directory_is_followed() {
        let place = Place::new();
        std::fs::create_dir(place.at("real")).unwrap();
        symlink(place.at("real"), place.at("directory")).unwrap();
        open(&place.at("directory/new"), OpenOptions::new().append(true).create(true)).unwrap();
        open_to_read(&place.at("real/new")).unwrap();
    }

    #[test]
    fn second_name_is_refused() {
        let place = Place::new();
        std::fs::hard_link(place.file("victim"), place.at("name")).unwrap();
        assert!(fault(&place.at("name")).contains("2 names"));
        open_to_read(&place.at("name")).unwrap();
    }

    // A pipe without a reader would block for ever.
    #[test]
    fn other_kinds_are_refused() {
        let place = Place::new();
        let fifo = place.at("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, 0o600.into()).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(place.at("socket")).unwrap();
        for (path, kind) in [
            (fifo, "a pipe"),
            (place.at("socket"), "a socket"),
            (place.0.path().to_owned(), "a directory"),
            (PathBuf::from("/dev/null"), "a device"),
        ] {
            let said = fault(&path);
            assert!(said.contains(kind), "{said}");
        }
    }

    #[test]
    fn owner_must_be_ours_or_of_directory() {
        let place = Place::new();
        let path = place.file("file");
        // Only root can give a file away.
        if !geteuid().is_root() {
            return;
        }
        chown(&path, Some(4711), None).unwrap();
        assert!(fault(&path).contains("user 4711"));
        chown(place.0.path(), Some(4711), None).unwrap();
        check(&path).unwrap();
    }
}
