//! Warns of files and directories that other users of the machine can read or change.

use std::path::Path;

use toml::Value;

use super::document::Document;
use super::findings::Findings;
use super::key_path::member_path;
use super::shown_value::is_secret;
use super::surroundings::Surroundings;

#[cfg(test)]
mod tests;

/// The permission bits of other users, and the bit that stops them from replacing the files of others in a directory.
const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;
const OTHERS_ENTER: u32 = 0o001;
const STICKY: u32 = 0o1000;

/// Warns if other users can read or change a file that holds a secret. `source` is the key or variable that names it.
pub(super) fn warn_of_file(source: &str, path: &Path, surroundings: &dyn Surroundings, findings: &mut Findings) {
    let danger = if others_can_change(path, surroundings) {
        "change"
    } else if others_can_read(path, surroundings) {
        "read"
    } else {
        return;
    };
    findings.warn(format!(
        "{source}: other users of this machine can {danger} the file {}; let only livehook's user read it (`chmod 600`), \
         in a directory that other users can't change",
        path.display()
    ));
}

/// Warns if other users can change the configuration, or read it although it holds a secret.
pub(super) fn warn_of_config_file(document: &Document, surroundings: &dyn Surroundings, findings: &mut Findings) {
    let Some(path) = &document.path else { return };
    if holds_secret("", &document.root) || others_can_change(path, surroundings) {
        warn_of_file("the configuration", path, surroundings, findings);
    }
}

/// Warns if other users can change the data directory: they could forge events.
pub(super) fn warn_of_data_dir(path: &Path, surroundings: &dyn Surroundings, findings: &mut Findings) {
    if others_can_change(path, surroundings) {
        findings.warn(format!(
            "{}: other users of this machine can change the directory {}, and so forge or remove events; let only \
             livehook's user write to it (`chmod 700`), in a directory that other users can't change",
            findings.source_of("data_dir"),
            path.display()
        ));
    }
}

fn others_can_read(path: &Path, surroundings: &dyn Surroundings) -> bool {
    let path = surroundings.canonical(path);
    allows(&path, OTHERS_READ, surroundings) && others_can_reach(&path, surroundings)
}

/// Whether other users can change a file or directory, or replace it or a directory above it.
fn others_can_change(path: &Path, surroundings: &dyn Surroundings) -> bool {
    let path = surroundings.canonical(path);
    if surroundings.permissions(&path).is_none() {
        return false;
    }
    let is_replaceable = |folder: &Path| {
        // In a sticky directory, as /tmp is, only the owner of a file can replace it.
        surroundings.permissions(folder).is_some_and(|mode| mode & OTHERS_WRITE != 0 && mode & STICKY == 0)
            && others_can_reach(folder, surroundings)
            && allows(folder, OTHERS_ENTER, surroundings)
    };
    allows(&path, OTHERS_WRITE, surroundings) && others_can_reach(&path, surroundings)
        || path.ancestors().skip(1).any(is_replaceable)
}

/// Whether other users can enter every directory above the path.
fn others_can_reach(path: &Path, surroundings: &dyn Surroundings) -> bool {
    path.ancestors().skip(1).all(|folder| allows(folder, OTHERS_ENTER, surroundings))
}

fn allows(path: &Path, bit: u32, surroundings: &dyn Surroundings) -> bool {
    surroundings.permissions(path).is_some_and(|mode| mode & bit != 0)
}

/// Whether a value holds a key with a secret.
fn holds_secret(path: &str, value: &Value) -> bool {
    match value {
        Value::Table(table) => table.iter().any(|(name, member)| {
            let path = member_path(path, name);
            is_secret(&path) || holds_secret(&path, member)
        }),
        Value::Array(elements) => elements.iter().any(|element| holds_secret(path, element)),
        _ => false,
    }
}
