//! A world for loading: variables and files that the test chooses.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::surroundings::{Surroundings, without_dots};
use super::{Config, Mistakes, Overrides};

/// A callback key that causes no warning.
pub(super) const KEY: &str = "sixteen-letters!";

/// Variables and files. The working directory is `/current`.
#[derive(Default)]
pub(super) struct World {
    variables: BTreeMap<&'static str, OsString>,
    files: BTreeMap<PathBuf, String>,
    permissions: BTreeMap<PathBuf, u32>,
}

impl World {
    /// The time in this world, in Unix ms.
    pub(super) const NOW_MS: i64 = 1_700_000_000_000;

    /// A world with a callback key.
    pub(super) fn with_key() -> World {
        World::default().variable("LIVEHOOK_KEYS", KEY)
    }

    pub(super) fn variable(mut self, name: &'static str, text: &str) -> World {
        self.variables.insert(name, text.into());
        self
    }

    pub(super) fn file(mut self, path: &str, text: &str) -> World {
        self.files.insert(path.into(), text.to_owned());
        self
    }

    /// Sets the permission bits of an absolute path. A file without them has 600, and a directory above a file 755.
    pub(super) fn permissions(mut self, path: &str, mode: u32) -> World {
        self.permissions.insert(path.into(), mode);
        self
    }

    /// Loads `a.toml` with this text, without flags.
    pub(super) fn load(&self, text: &str) -> Result<Config, Mistakes> {
        self.load_with(text, &Overrides::default())
    }

    pub(super) fn load_with(&self, text: &str, overrides: &Overrides) -> Result<Config, Mistakes> {
        Config::load(Some((Path::new("a.toml"), text)), overrides, self)
    }
}

impl Surroundings for World {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.get(name).cloned()
    }

    fn variable_names(&self) -> Vec<String> {
        self.variables.keys().map(|name| (*name).to_owned()).collect()
    }

    fn is_directory(&self, path: &Path) -> Option<bool> {
        let path = self.canonical(path);
        let mut files = self.files.keys().map(|file| self.canonical(file)).chain(self.permissions.keys().cloned());
        let is_above = |file: &PathBuf| file.starts_with(&path) && *file != path;
        if self.files.keys().any(|file| self.canonical(file) == path) {
            return Some(false);
        }
        files.any(|file| is_above(&file)).then_some(true)
    }

    fn permissions(&self, path: &Path) -> Option<u32> {
        let path = self.canonical(path);
        let files: Vec<PathBuf> = self.files.keys().map(|file| self.canonical(file)).collect();
        let is_directory = || files.iter().chain(self.permissions.keys()).any(|known| known.starts_with(&path));
        match self.permissions.get(&path) {
            Some(mode) => Some(*mode),
            None if files.contains(&path) => Some(0o600),
            None => is_directory().then_some(0o755),
        }
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        self.files.get(path).cloned().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such file"))
    }

    fn now_ms(&self) -> i64 {
        World::NOW_MS
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        without_dots(&Path::new("/current").join(path))
    }
}

/// Loads a text whose callback key comes from a variable.
pub(super) fn load(text: &str) -> Result<Config, Mistakes> {
    World::with_key().load(text)
}

/// The table of a sink with the name `a`.
pub(super) fn sink(type_name: &str, keys: &str) -> String {
    format!("[[sinks]]\nname = \"a\"\ntype = \"{type_name}\"\n{keys}\n")
}

/// Loads a text with mistakes, and returns each as `line: mistake`.
pub(super) fn mistakes_in(text: &str) -> Vec<String> {
    match load(text) {
        Ok(_) => panic!("no mistake was found in {text}"),
        Err(mistakes) => lines(&mistakes),
    }
}

/// The mistakes as text, without the headline and the name of the file.
pub(super) fn lines(mistakes: &Mistakes) -> Vec<String> {
    let text = mistakes.to_string();
    text.lines().skip(1).map(|line| line.trim_start().trim_start_matches("a.toml:").to_owned()).collect()
}

/// Checks each text of a table against its mistakes.
pub(super) fn check(table: &[(&str, &[&str])]) {
    for (text, expected) in table {
        assert_eq!(mistakes_in(text), *expected, "{text}");
    }
}
