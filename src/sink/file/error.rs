//! Why a file can't be written.

use std::io;
use std::path::{Path, PathBuf};

use crate::sink::Failure;

/// Why the file can't be written. A person can cure each cause, so the sink tries again.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    /// The system refuses.
    #[error("{path}: cannot {action}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The action that failed, as it follows "cannot": `sync it`.
        action: &'static str,
        /// The error of the system.
        source: io::Error,
    },
    /// The path leads to something other than a regular file.
    #[error(
        "{path} is {kind}: the sink `file` writes to a regular file only; choose another `path`, or the sink `log` for stdout"
    )]
    Irregular {
        /// The path.
        path: PathBuf,
        /// What the path leads to: `a pipe`.
        kind: &'static str,
    },
    /// Another user could point the symbolic link elsewhere.
    #[error(
        "{path} is a symbolic link that another user could change, because {reason}; name the file itself in `path`, or let livehook's user own the link and its directory, without write access for others"
    )]
    OthersLink {
        /// The link.
        path: PathBuf,
        /// Why another user could change it, as part of a sentence.
        reason: String,
    },
}

impl FileError {
    /// Adds the path and the action to an error of the system.
    pub(super) fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> FileError {
        move |source| FileError::Io { path: path.to_owned(), action, source }
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Failure {
        // All events go to the same file, so no other event would succeed.
        Failure::outage(error)
    }
}
