//! The environment variables and files that loading reads, behind a trait, so that tests can replace them.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use super::mistake::Mistake;
use crate::byte_order_mark::without_mark;
use crate::clock::system_clock;
use crate::named_file;

/// The environment and the file system, as loading sees them.
pub trait Surroundings {
    /// Returns an environment variable; `None` if it isn't set.
    fn variable(&self, name: &str) -> Option<OsString>;

    /// Returns the names of all environment variables.
    fn variable_names(&self) -> Vec<String>;

    /// Whether there is a directory at this path; `None` if there is nothing.
    fn is_directory(&self, path: &Path) -> Option<bool>;

    /// Returns the permission bits of a file or a directory, for example `0o600`; `None` if none is found at this path.
    fn permissions(&self, path: &Path) -> Option<u32>;

    /// Returns the text of a file.
    ///
    /// # Errors
    /// The file can't be read, is too large, or is not UTF-8 text (`InvalidData`).
    fn read(&self, path: &Path) -> io::Result<String>;

    /// Returns the time in Unix ms.
    fn now_ms(&self) -> i64;

    /// Returns one spelling for all paths of a file: absolute, without `.`, `..` and symbolic links. The file need not exist.
    fn canonical(&self, path: &Path) -> PathBuf;
}

/// The largest configuration or secret file, in bytes. It bounds the memory if the path names a huge file or a device.
pub(super) const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How many symbolic links that lead to nothing may follow each other.
const LINKS_MAX: usize = 40;

/// The environment and the files of this process.
#[derive(Clone, Copy, Debug)]
pub struct Process;

impl Surroundings for Process {
    fn variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }

    fn variable_names(&self) -> Vec<String> {
        std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect()
    }

    fn is_directory(&self, path: &Path) -> Option<bool> {
        std::fs::metadata(path).ok().map(|metadata| metadata.is_dir())
    }

    fn permissions(&self, path: &Path) -> Option<u32> {
        std::fs::metadata(path).ok().map(|metadata| metadata.permissions().mode() & 0o7777)
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let content = named_file::read(path, FILE_BYTES_MAX)?;
        String::from_utf8(content).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    fn now_ms(&self) -> i64 {
        system_clock()
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        canonical(path, LINKS_MAX)
    }
}

/// Returns [`Surroundings::canonical`]. Follows at most `links_left` links that lead to nothing.
fn canonical(path: &Path, links_left: usize) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if let Ok(canonical) = absolute.canonicalize() {
        return canonical;
    }
    // A link to a file that doesn't exist yet stands for that file.
    if let (Ok(target), Some(parent)) = (absolute.read_link(), absolute.parent())
        && links_left > 0
    {
        return canonical(&parent.join(target), links_left - 1);
    }
    // The file or a part of its path doesn't exist yet. Links in the part that exists still count.
    match (absolute.parent(), absolute.file_name()) {
        (Some(parent), Some(name)) => canonical(parent, links_left).join(name),
        _ => without_dots(&absolute),
    }
}

/// Returns the path without `.`, and without each `..` and the name before it.
pub(super) fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

/// Returns the text of a file, without a byte order mark at its beginning.
///
/// # Errors
/// The error of the system.
pub(super) fn read_text_file(surroundings: &dyn Surroundings, path: &Path) -> io::Result<String> {
    // With the mark, the first secret in the file would be a wrong one.
    Ok(without_mark(&surroundings.read(path)?).to_owned())
}

/// Returns the mistake of a file that `key` names and that cannot be read. `cure` is for a wrong path.
pub(super) fn unread(key: &str, error: &io::Error, cure: &str) -> Mistake {
    // Bytes that are not UTF-8 come from a file that was found and read.
    let is_found = error.kind() == io::ErrorKind::InvalidData;
    let (rule, cure) = match is_found {
        true => ("is not UTF-8 text".to_owned(), "save the file as UTF-8, or restore it if it is damaged"),
        false => (format!("cannot be read: {error}"), cure),
    };
    Mistake::new(key, rule).cure(cure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Overrides};

    #[test]
    fn process_knows_a_file_by_any_path() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.toml");
        std::fs::write(&path, "receiver.keys = [\"sixteen-letters!\"]\nshutdown_grace_secs = 9").unwrap();
        let config = Config::find(Some(&path), &Overrides::default(), &Process).unwrap();
        assert_eq!(config.shutdown_grace_secs, 9);

        let absent = directory.path().join("absent.toml");
        let mistakes = Config::find(Some(&absent), &Overrides::default(), &Process).unwrap_err().to_string();
        assert!(mistakes.contains("--config = \"") && mistakes.contains("cannot be read: No such file"), "{mistakes}");

        std::fs::write(&path, b"# \xff\n").unwrap();
        let mistakes = Config::find(Some(&path), &Overrides::default(), &Process).unwrap_err().to_string();
        assert!(mistakes.contains("is not UTF-8 text; save the file as UTF-8"), "{mistakes}");

        let link = directory.path().join("link");
        std::os::unix::fs::symlink(directory.path(), &link).unwrap();
        let canonical = |path: PathBuf| Process.canonical(&path);
        assert_eq!(canonical(link.join("a.toml")), canonical(path));
        assert_eq!(canonical(link.join("new/file")), canonical(directory.path().join("new/./file")));

        let dangling = directory.path().join("dangling");
        std::os::unix::fs::symlink("link/journal.db", &dangling).unwrap();
        assert_eq!(canonical(dangling), canonical(directory.path().join("journal.db")));
        let loops = directory.path().join("loop");
        std::os::unix::fs::symlink("loop", &loops).unwrap();
        assert!(canonical(loops).ends_with("loop"));
    }
}
