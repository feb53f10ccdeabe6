//! The callback keys of all sources. They add up, so that a new key can be added anywhere while the old one still works.

use std::path::Path;

use super::findings::Findings;
use super::key_path::{element_path, is_at_or_below, member_path};
use super::mistake::Mistake;
use super::overrides::SecretText;
use super::sources::Sources;
use crate::callback::{CallbackKey, DomainPattern, KeyOptions};
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
    let listed = std::mem::take(&mut receiver.keys);
    // The reader has left out the elements with mistakes, so their positions are free.
    let positions = (0..).filter(|position| !is_left_out(&element_path("receiver.keys", *position), sources.findings));
    let places: Vec<String> =
        positions.take(listed.len()).map(|position| element_path("receiver.keys", position)).collect();
    for (place, key) in places.into_iter().zip(listed) {
        add_listed(&mut keys, place, key, sources);
    }
    if let Some(path) = &receiver.keys_file {
        add_file(&mut keys, "receiver.keys_file", path, sources);
    }
    if let Some(texts) = sources.variable("LIVEHOOK_KEYS") {
        add_list(&mut keys, "LIVEHOOK_KEYS", &texts, sources);
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
                add(keys, source, place, KeyOptions { key, domains: None }, sources);
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

/// Adds the keys of a text, separated by commas. All empty ones, as after a last comma, are one mistake.
fn add_list(keys: &mut Vec<SourcedKey>, source: &str, texts: &str, sources: &mut Sources<'_>) {
    let (empty, full): (Vec<&str>, Vec<&str>) = texts.split(',').map(str::trim).partition(|text| text.is_empty());
    for text in &full {
        add_text(keys, source, text, sources);
    }
    if full.is_empty() {
        let none = Mistake::new(source, "is set, but holds no key");
        sources.findings.mistake(none.cure("give the key of your callback template, or remove the variable"));
    } else if !empty.is_empty() {
        let surplus = Mistake::new(source, "a key before or after a comma is empty");
        sources.findings.mistake(surplus.cure("remove the surplus comma, or add the missing key"));
    }
}

fn add_text(keys: &mut Vec<SourcedKey>, source: &str, text: &str, sources: &mut Sources<'_>) {
    match CallbackKey::new(text) {
        Ok(key) => add(keys, source, source.to_owned(), KeyOptions { key, domains: None }, sources),
        Err(error) => sources.findings.mistake(Mistake::new(source, error.to_string())),
    }
}

/// Whether the reader found a mistake in this element of `receiver.keys`, and left the element out.
fn is_left_out(place: &str, findings: &Findings) -> bool {
    // A mistake in its domains alone leaves the key in.
    findings.mistakes.iter().any(|mistake| {
        is_at_or_below(&mistake.key, place) && !is_at_or_below(&mistake.key, &member_path(place, "domains"))
    })
}

/// Adds an element of `receiver.keys`.
fn add_listed(keys: &mut Vec<SourcedKey>, place: String, key: KeyOptions, sources: &mut Sources<'_>) {
    let domains = member_path(&place, "domains");
    // The mistake may be the reason why the list is empty or missing, so nothing more can be said about it.
    if sources.findings.has_mistake_at(&domains) {
        return;
    }
    // Without this rule, a key whose last domain was removed would sign for every domain or for none.
    if key.domains.as_ref().is_some_and(Vec::is_empty) {
        let empty = Mistake::new(domains, "is an empty list, so the key would sign for no domain");
        sources
            .findings
            .mistake(empty.cure("list the domains of the key, or remove `domains` to let it sign for every domain"));
        return;
    }
    add(keys, &place.clone(), place, key, sources);
}

/// Adds a key, unless it is in the list. The first source keeps it. `mistake_key` is the key of a mistake about it, and `source`
/// is its full source.
fn add(keys: &mut Vec<SourcedKey>, mistake_key: &str, source: String, key: KeyOptions, sources: &mut Sources<'_>) {
    let Some((first, known)) = keys.iter().find(|(_, known)| known.key == key.key) else {
        keys.push((source, key));
        return;
    };
    if !is_same_limit(&known.domains, &key.domains) {
        // The keys add up, so the wider of the two limits would win and the other one would be lost.
        let rule = format!(
            "this is the same key as {first}, but for {} instead of {}",
            described_limit(&key.domains),
            described_limit(&known.domains)
        );
        let lost = Mistake::new(mistake_key, rule);
        sources.findings.mistake(lost.cure("give the key once, with all its domains"));
    }
}

/// Whether both lists hold the same domains, in any order.
fn is_same_limit(one: &Option<Vec<DomainPattern>>, other: &Option<Vec<DomainPattern>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => {
            one.iter().all(|domain| other.contains(domain)) && other.iter().all(|domain| one.contains(domain))
        }
        (one, other) => one.is_none() && other.is_none(),
    }
}

/// Returns the domains of a key for people, for example `a.com, *.b.com` or `every domain`.
pub(super) fn described_limit(domains: &Option<Vec<DomainPattern>>) -> String {
    match domains {
        Some(domains) => domains.iter().map(DomainPattern::to_string).collect::<Vec<_>>().join(", "),
        None => "every domain".to_owned(),
    }
}
