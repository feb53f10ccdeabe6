//! Where a sink finds the secrets that its table does not hold.

use std::io;
use std::path::Path;

/// The environment and the files of one sink.
pub trait SecretSources {
    /// The environment variable of this sink for `purpose`, such as `SECRETS`: its name and its text. `None` if it isn't set.
    fn variable(&self, purpose: &str) -> Option<(String, String)>;

    /// The text of a file.
    ///
    /// # Errors
    /// The error of the system.
    fn file(&self, path: &Path) -> io::Result<String>;
}
