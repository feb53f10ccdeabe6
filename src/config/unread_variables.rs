//! Finds environment variables that begin like a setting of livehook, although nothing reads them. It also remembers the files that
//! loading reads.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::findings::Findings;
use super::secret_file::SecretFile;
use super::suggestion::closest;
use super::surroundings::Surroundings;
use crate::printable::printable;

#[cfg(test)]
mod tests;

const PREFIX: &str = "LIVEHOOK_";
const SINK_PREFIX: &str = "LIVEHOOK_SINK_";

/// The longest name that a warning shows whole, in characters.
const SHOWN_CHARACTERS_MAX: usize = 100;

/// Surroundings that remember the variables and the files that loading asks for.
pub(super) struct AskedVariables<'s> {
    surroundings: &'s dyn Surroundings,
    asked: RefCell<BTreeSet<String>>,
    /// Each with its content, if it could be read.
    files: RefCell<BTreeMap<PathBuf, Option<SecretFile>>>,
}

impl<'s> AskedVariables<'s> {
    /// Wraps the surroundings.
    pub(super) fn new(surroundings: &'s dyn Surroundings) -> AskedVariables<'s> {
        // This one is read before the file, and so before this object exists.
        let asked = RefCell::new(BTreeSet::from(["LIVEHOOK_CONFIG".to_owned()]));
        AskedVariables { surroundings, asked, files: RefCell::default() }
    }

    /// The files that were read, or should have been.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.files.borrow().keys().cloned().collect()
    }

    /// The files that were read. Loading reads the configuration file before this object exists, so all of them hold secrets.
    pub(super) fn secret_files(&self) -> Vec<SecretFile> {
        self.files.borrow().values().flatten().cloned().collect()
    }

    /// Warns of each variable that is set and was not asked for, unless an orchestrator sets it.
    pub(super) fn warn_of_unread(&self, findings: &mut Findings) {
        let asked = self.asked.borrow();
        // The common prefix would make every two names close to each other.
        let known: Vec<String> =
            asked.iter().filter_map(|name| Some(name.strip_prefix(PREFIX)?.to_lowercase())).collect();
        let mut names = self.surroundings.variable_names();
        names.sort_unstable();
        for name in names.iter().filter(|name| !asked.contains(*name) && !is_of_orchestrator(name)) {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            let known = known.iter().map(String::as_str);
            let cure = match closest(rest, known.clone()).or_else(|| same_ending(rest, known)) {
                Some(near) => format!("did you mean {PREFIX}{}?", near.to_uppercase()),
                None if name.starts_with(SINK_PREFIX) => "no sink has this variable, so remove it".to_owned(),
                None => "use the configuration file for a setting without a variable, or remove it".to_owned(),
            };
            let shown = printable(name, SHOWN_CHARACTERS_MAX);
            findings.warn(format!("{shown}: livehook doesn't read this variable; {cure}"));
        }
    }
}

/// Returns the longest known name that ends in the whole other name, or the other way round: `admin_token` for `TOKEN`, and `listen`
/// for `RECEIVER_LISTEN`.
fn same_ending<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let name = format!("_{}", name.to_lowercase());
    let is_same = |known: &&str| name.ends_with(&format!("_{known}")) || format!("_{known}").ends_with(&name);
    known.filter(is_same).max_by_key(|known| known.len())
}

/// Whether Kubernetes sets a variable of this name for a service, for example `LIVEHOOK_SERVICE_PORT_HTTP` or
/// `LIVEHOOK_PORT_80_TCP_ADDR`.
fn is_of_orchestrator(name: &str) -> bool {
    let has_port_number = name
        .match_indices("_PORT_")
        .any(|(at, part)| name[at + part.len()..].starts_with(|next: char| next.is_ascii_digit()));
    name.ends_with("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || name.ends_with("_PORT") || has_port_number
}

impl Surroundings for AskedVariables<'_> {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.asked.borrow_mut().insert(name.to_owned());
        self.surroundings.variable(name)
    }

    fn variable_names(&self) -> Vec<String> {
        self.surroundings.variable_names()
    }

    fn is_directory(&self, path: &Path) -> Option<bool> {
        self.surroundings.is_directory(path)
    }

    fn permissions(&self, path: &Path) -> Option<u32> {
        self.surroundings.permissions(path)
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let content = self.surroundings.read(path);
        let file = content.as_ref().ok().map(|content| SecretFile::new(path, content.as_bytes()));
        self.files.borrow_mut().insert(path.to_owned(), file);
        content
    }

    fn now_ms(&self) -> i64 {
        self.surroundings.now_ms()
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        self.surroundings.canonical(path)
    }
}
