//! Reads single variables and files, and adds a mistake for each that cannot be read.

use std::path::Path;

use serde::Deserialize;

use super::findings::Findings;
use super::mistake::Mistake;
use super::reader::read_text;
use super::surroundings::{Surroundings, read_text_file};

/// The environment and the files, and the findings about them.
pub(super) struct Sources<'s> {
    pub(super) surroundings: &'s dyn Surroundings,
    pub(super) findings: &'s mut Findings,
}

impl Sources<'_> {
    /// Returns a variable as text; `None` if it isn't set or not text.
    pub(super) fn variable(&mut self, name: &str) -> Option<String> {
        let text = self.surroundings.variable(name)?.into_string();
        text.map_err(|_| self.findings.mistake(Mistake::new(name, "must be UTF-8 text"))).ok()
    }

    /// Returns the text of a file; `None` if it cannot be read. `key` is the key that names the file.
    pub(super) fn file(&mut self, key: &str, path: &Path) -> Option<String> {
        let text = read_text_file(self.surroundings, path);
        text.map_err(|error| {
            let unread = Mistake::new(key, format!("cannot be read: {error}")).quoted(path.to_string_lossy());
            self.findings.mistake(unread.cure("correct the path, or allow livehook's user to read the file"));
        })
        .ok()
    }

    /// Replaces the value of `key` if the variable `name` is set.
    pub(super) fn override_by_variable<T: for<'de> Deserialize<'de>>(
        &mut self,
        name: &'static str,
        key: &'static str,
        value: &mut T,
    ) {
        let text = self.variable(name);
        self.override_by(name, text.as_deref(), key, value);
    }

    /// Replaces the value of `key` if there is a text. `source` is the name of the variable or the flag.
    pub(super) fn override_by<T: for<'de> Deserialize<'de>>(
        &mut self,
        source: &'static str,
        text: Option<&str>,
        key: &'static str,
        value: &mut T,
    ) {
        let Some(text) = text else {
            return;
        };
        // Also for a text with a mistake: later checks of this key must find that mistake and name this source.
        self.findings.overridden.insert(key, source);
        match read_text(source, text) {
            Ok(read) => *value = read,
            Err(mistake) => self.findings.mistake(mistake),
        }
    }
}
