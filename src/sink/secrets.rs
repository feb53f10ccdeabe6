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
}
