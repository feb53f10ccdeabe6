//! The places outside the configuration file from which a sink reads secrets: a variable and files.

use std::io;
use std::path::Path;

/// The environment and the files of one sink.
pub trait SecretSources {
    /// Returns the name and the text of this sink's environment variable for `purpose`, such as `SECRETS`; `None` if it isn't
    /// set.
    fn variable(&self, purpose: &str) -> Option<(String, String)>;

    /// Returns the text of a file.
    ///
    /// # Errors
    /// The error of the system.
    fn file(&self, path: &Path) -> io::Result<String>;

    /// Returns the path of a secret's file as a message may show it, see [`shown_path`].
    fn shown(&self, path: &Path) -> Option<String>;

    /// Returns the path of a secret's file as the value of a mistake, with quotes; `None` if it must not be shown.
    fn shown_value(&self, path: &Path) -> Option<String> {
        self.shown(path).map(|path| format!("{path:?}"))
    }
}

/// Returns what is wrong with a file that the system does not read, and the cure.
pub(super) fn unreadable(error: &io::Error) -> String {
    format!("cannot be read: {error}; correct the path, or let the user that runs livehook read the file")
}

/// Returns the path of a secret's file as a message may show it. `None` if the text may be the secret itself: people write it in
/// place of the path, and then it names no file and no directory.
pub fn shown_path(path: &Path, exists: impl Fn(&Path) -> bool) -> Option<String> {
    // Every relative path without a directory is in the working directory, and many secrets begin with `/`.
    let is_telling = |folder: &&Path| !folder.as_os_str().is_empty() && *folder != Path::new("/");
    let is_path = exists(path) || path.parent().filter(is_telling).is_some_and(&exists);
    is_path.then(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn possible_secret_is_not_shown() {
        let exists = |path: &Path| ["/etc", "/etc/keys", "/", ".", "keys"].iter().any(|known| path == Path::new(known));
        for (path, is_shown) in [
            ("/etc/keys", true),
            ("/etc/other", true),
            ("./other", true),
            ("keys", true),
            ("3f2a91bc3f2a91bc", false),
            ("whsec_MfKQ9r8GKYqr/TwjUPD8ILPZIo2LaLaSw", false),
            ("/MfKQ9r8GKYqr", false),
            ("", false),
        ] {
            assert_eq!(shown_path(Path::new(path), exists).is_some(), is_shown, "{path}");
        }
    }
}
