//! Checks whether the sink could write a file. It neither makes nor changes the file.

use std::path::Path;

use rustix::fs::{Access, access};

use super::error::FileError;
use super::paths::{Target, refuse_irregular};
use crate::storage::own_file;

/// Checks the file. If it doesn't exist, checks the nearest directory above it that does.
///
/// Returns a short description: `events.jsonl can be written`.
///
/// # Errors
/// The file can't be written, or the path leads to something other than a regular file.
pub(super) fn check(path: &Path) -> Result<String, FileError> {
    let shown = path.display();
    let target = Target::find(path)?;
    match &target.metadata {
        Some(metadata) => {
            refuse_irregular(path, metadata)?;
            own_file::check(&target.path).map_err(FileError::io(path, "use it"))?;
            access(&target.path, Access::WRITE_OK).map_err(refused(path, "write to it"))?;
            Ok(format!("{shown} can be written"))
        }
        None => {
            // The sink makes missing directories, so the nearest existing one decides.
            let directory = nearest_directory(&target.path);
            access(directory, Access::WRITE_OK | Access::EXEC_OK).map_err(refused(directory, "make files in it"))?;
            Ok(format!("{shown} does not exist yet, and its directory is writable"))
        }
    }
}

/// The nearest directory above the file that exists.
fn nearest_directory(path: &Path) -> &Path {
    let existing = path.ancestors().skip(1).find(|directory| directory.exists() || directory.as_os_str().is_empty());
    match existing {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    }
}

fn refused<'p>(path: &'p Path, action: &'static str) -> impl FnOnce(rustix::io::Errno) -> FileError + 'p {
    move |error| FileError::io(path, action)(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_find_mistakes_and_touch_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        assert!(check(&at("a/b/events.jsonl")).unwrap().ends_with("its directory is writable"));
        assert!(!at("a").exists());
        std::fs::write(at("file"), "x\n").unwrap();
        assert!(check(&at("file")).unwrap().ends_with("file can be written"));
        assert!(check(&at("file/below")).unwrap_err().to_string().contains("cannot"));
        assert!(check(directory.path()).unwrap_err().to_string().contains("is a directory"));
        assert!(check(Path::new("/dev/null")).unwrap_err().to_string().contains("regular file only"));
        assert!(check(Path::new("events.jsonl")).is_ok());
    }
}
