//! Whether a file could be written, found out without making or touching it.

use std::io;
use std::path::Path;

use rustix::fs::{Access, access};

use super::FileError;

/// Looks at the file, or where there is none, at the directory in which it and others on the way would be made.
///
/// # Errors
/// It cannot be written, or is no regular file.
pub(super) fn look(path: &Path) -> Result<String, FileError> {
    let shown = path.display();
    match path.metadata() {
        Ok(metadata) if metadata.is_file() => {
            access(path, Access::WRITE_OK).map_err(refused(path, "write to it"))?;
            // Rotation makes others beside it, and syncs their directory.
            Ok(format!("{shown} can be written"))
        }
        Ok(metadata) => {
            let kind = if metadata.is_dir() { "a directory" } else { "a device, a pipe or a socket" };
            Err(FileError::Irregular { path: path.to_owned(), kind })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let directory = nearest(path);
            access(directory, Access::WRITE_OK | Access::EXEC_OK).map_err(refused(directory, "make files in it"))?;
            Ok(format!("{shown} can be made"))
        }
        Err(error) => Err(FileError::io(path, "look at it")(error)),
    }
}

/// The nearest directory that is there.
fn nearest(path: &Path) -> &Path {
    let there = path.ancestors().skip(1).find(|directory| directory.exists() || directory.as_os_str().is_empty());
    match there {
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
    fn what_can_be_written_is_told_from_what_cannot_and_nothing_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        assert!(look(&at("a/b/events.jsonl")).unwrap().ends_with("events.jsonl can be made"));
        assert!(!at("a").exists());
        std::fs::write(at("there"), "x\n").unwrap();
        assert!(look(&at("there")).unwrap().ends_with("there can be written"));
        assert!(look(&at("there/below")).unwrap_err().to_string().contains("cannot"));
        assert!(look(directory.path()).unwrap_err().to_string().contains("is a directory"));
        assert!(look(Path::new("/dev/null")).unwrap_err().to_string().contains("regular file only"));
        assert!(look(Path::new("events.jsonl")).is_ok());
    }
}
