//! The callback keys of all sources. They add up, so that a new key can be added anywhere while the old one still works.

use std::path::Path;

use super::key_path::element_path;
use super::mistake::Mistake;
use super::overrides::SecretText;
use super::sources::Sources;
use crate::callback::{CallbackKey, KeyOptions};
use crate::receiver;

#[cfg(test)]
mod tests;

/// The sources of keys, as mistakes name them.
pub(super) const KEY_SOURCES: [&str; 5] =
    ["receiver.keys", "receiver.keys_file", "LIVEHOOK_KEYS", "LIVEHOOK_KEYS_FILE", "--key"];

/// A key and its source, for example `receiver.keys[0]`.
pub(super) type SourcedKey = (String, KeyOptions);

/// Collects the keys of the file, the environment and the flags. Takes the keys out of `receiver`.
pub(super) fn collect(
    receiver: &mut receiver::Options,
    flags: &[SecretText],
    sources: &mut Sources<'_>,
) -> Vec<SourcedKey> {
    let mut keys = Vec::new();
    // Taken out, so that each key is stored once: in the options of the verifier.
    for (position, key) in std::mem::take(&mut receiver.keys).into_iter().enumerate() {
        add(&mut keys, element_path("receiver.keys", position), key);
    }
    if let Some(path) = &receiver.keys_file {
        add_file(&mut keys, "receiver.keys_file", path, sources);
    }
    if let Some(texts) = sources.variable("LIVEHOOK_KEYS") {
        // An empty text, as after a last comma, is a mistake like any other key that is empty.
        for text in texts.split(',') {
            add_text(&mut keys, "LIVEHOOK_KEYS", text.trim(), sources);
        }
    }
    if let Some(path) = sources.variable("LIVEHOOK_KEYS_FILE") {
        add_file(&mut keys, "LIVEHOOK_KEYS_FILE", Path::new(&path), sources);
    }
    for text in flags {
        add_text(&mut keys, "--key", text.reveal(), sources);
    }
    keys
}

/// Adds the keys of a file: one per line. Blank lines and lines that begin with `#` are skipped.
fn add_file(keys: &mut Vec<SourcedKey>, source: &str, path: &Path, sources: &mut Sources<'_>) {
    let Some(text) = sources.file(source, path) else {
        return;
    };
    let keys_before = keys.len();
    for (position, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match CallbackKey::new(line) {
            Ok(key) => {
                let place = format!("{source} ({}, line {})", path.display(), position + 1);
                add(keys, place, KeyOptions { key, domains: Vec::new() });
            }
            Err(error) => {
                let rule = format!("line {}: {error}", position + 1);
                sources.findings.mistake(Mistake::new(source, rule).quoted(path.to_string_lossy()));
            }
        }
    }
    if keys.len() == keys_before && !sources.findings.has_mistake_at(source) {
        sources.findings.warn(format!("{source}: the file {} adds no callback key", path.display()));
    }
}

fn add_text(keys: &mut Vec<SourcedKey>, source: &str, text: &str, sources: &mut Sources<'_>) {
    match CallbackKey::new(text) {
        Ok(key) => add(keys, source.to_owned(), KeyOptions { key, domains: Vec::new() }),
        Err(error) => sources.findings.mistake(Mistake::new(source, error.to_string())),
    }
}

/// Adds a key, unless the same key with the same domains is in the list. The first source keeps it.
fn add(keys: &mut Vec<SourcedKey>, source: String, key: KeyOptions) {
    if !keys.iter().any(|(_, known)| *known == key) {
        keys.push((source, key));
    }
}
