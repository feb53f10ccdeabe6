//! The trait of each kind's options: the answers that the configuration needs, with the defaults of a kind without secrets.

use std::path::Path;

use super::mistake::Mistake;
use super::secrets::SecretSources;

/// The keys of one kind of sink.
pub(super) trait Keys {
    /// Returns the file that no second sink may write to.
    fn exclusive_path(&self) -> Option<&Path> {
        None
    }

    /// Returns the destination without secrets, for example `https://example.com`; `None` if there is only one.
    fn target(&self) -> Option<String>;

    /// Adds the secrets of the sink's files and variables, and returns the mistakes in them.
    fn take_secrets(&mut self, _: &dyn SecretSources) -> Vec<Mistake> {
        Vec::new()
    }

    /// Returns the files that hold secrets, each with its key.
    fn secret_files(&self) -> Vec<(&'static str, &Path)> {
        Vec::new()
    }

    /// Returns the files that the sink reads.
    fn read_files(&self) -> Vec<&Path> {
        Vec::new()
    }

    /// Returns every rule that the keys break.
    fn mistakes(&self) -> Vec<Mistake>;

    /// Returns a sentence for each setting that is allowed but may be unintended.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}
