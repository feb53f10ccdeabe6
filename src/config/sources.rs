//! Reads single variables and files, and adds a mistake for each that cannot be read.

use std::path::Path;

use serde::Deserialize;

use super::exposure;
use super::findings::Findings;
use super::mistake::Mistake;
use super::reader::read_text;
use super::surroundings::{Surroundings, read_text_file, unread};
use crate::sink::shown_path;

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

    /// Returns the text of a file with secrets; `None` if it cannot be read. `key` is the key that names the file.
    pub(super) fn file(&mut self, key: &str, path: &Path) -> Option<String> {
        let text = read_text_file(self.surroundings, path);
        match text {
            Ok(text) => {
                exposure::warn_of_file(key, path, self.surroundings, self.findings);
                Some(text)
            }
            Err(error) => {
                self.findings.mistake(match self.shown(path) {
                    Some(shown) => {
                        unread(key, &error, "correct the path, or allow livehook's user to read the file").quoted(shown)
                    }
                    None => Mistake::new(key, format!("cannot be read: {error}")).cure(
                        "give the path of a file, not the secret itself (livehook doesn't show the value, because it may be \
                         the secret)",
                    ),
                });
                None
            }
        }
    }

    /// Returns the path of a secret's file as a mistake may show it.
    pub(super) fn shown(&self, path: &Path) -> Option<String> {
        shown_path(path, |path| self.surroundings.permissions(path).is_some())
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
