//! The files with secrets that loading has read, so that a change of their content can be noticed.

use std::fmt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::surroundings::FILE_BYTES_MAX;
use crate::named_file;

/// A file with secrets, and the digest of its content. `Debug` shows only the path, because a digest lets others test guesses.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretFile {
    path: PathBuf,
    digest: [u8; 32],
}

impl SecretFile {
    pub(super) fn new(path: &Path, content: &[u8]) -> SecretFile {
        SecretFile { path: path.to_owned(), digest: Sha256::digest(content).into() }
    }

    /// The path, as the configuration names it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file again, and returns it as it is now if its content has changed. `None` also if it can't be read at this
    /// moment: a program may be about to replace it. Blocks.
    pub fn changed(&self) -> Option<SecretFile> {
        // A pipe can be read only once.
        if !self.path.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return None;
        }
        let content = named_file::read(&self.path, FILE_BYTES_MAX).ok()?;
        Some(SecretFile::new(&self.path, &content)).filter(|now| now.digest != self.digest)
    }
}

impl fmt::Debug for SecretFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SecretFile({})", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kubernetes swaps a symbolic link to the folder of all its files.
    #[test]
    fn changed_content_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for (folder, text) in [("one", "old"), ("two", "old"), ("three", "new")] {
            std::fs::create_dir(at(folder)).unwrap();
            std::fs::write(at(folder).join("key"), text).unwrap();
        }
        let point_at = |folder: &str| {
            std::os::unix::fs::symlink(folder, at("next")).unwrap();
            std::fs::rename(at("next"), at("data")).unwrap();
        };
        point_at("one");
        let file = SecretFile::new(&at("data/key"), b"old");
        assert_eq!(file.changed(), None);
        point_at("two");
        assert_eq!(file.changed(), None, "the content is the same");
        point_at("three");
        let changed = file.changed().unwrap();
        assert_eq!(changed.changed(), None);
        std::fs::remove_file(at("three/key")).unwrap();
        assert_eq!(file.changed(), None, "it may be about to return");
        assert!(format!("{file:?}").starts_with("SecretFile(/"));
    }
}
