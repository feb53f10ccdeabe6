//! Directories whose names survive a power failure. Everything here blocks.

use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Makes a directory and its missing parents, with the permissions of `mode` minus the umask. If the directory exists, syncs
/// its name all the same: the process that made it may have ended before it could.
///
/// # Errors
/// A directory cannot be made, or its name cannot be synced.
pub(crate) fn make(directory: &Path, mode: u32) -> io::Result<()> {
    let above = directory.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if directory.is_dir() {
        return match sync(above) {
            // A parent that this user cannot open or sync existed before livehook.
            Err(error) if is_foreign(&error) => Ok(()),
            synced => synced,
        };
    }
    make(above, mode)?;
    match DirBuilder::new().mode(mode).create(directory) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists || !directory.is_dir() => Err(error),
        _ => sync(above),
    }
}

fn is_foreign(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput | ErrorKind::ReadOnlyFilesystem)
}

/// Makes the names in a directory durable.
///
/// # Errors
/// The directory cannot be opened or synced.
pub(crate) fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn missing_directories_are_made() {
        let place = tempfile::tempdir().unwrap();
        let deep = place.path().join("a/b/c");
        make(&deep, 0o700).unwrap();
        for directory in [place.path().join("a"), deep.clone()] {
            assert_eq!(directory.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        }
        std::fs::write(deep.join("file"), "x").unwrap();
        make(&deep, 0o755).unwrap();
        assert_eq!(std::fs::read_to_string(deep.join("file")).unwrap(), "x");
        assert_eq!(deep.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert!(make(&deep.join("file"), 0o700).is_err());
        assert!(make(&deep.join("file/below"), 0o700).is_err());
        make(Path::new("."), 0o700).unwrap();
        make(Path::new("/"), 0o700).unwrap();
    }
}
