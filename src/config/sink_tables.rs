//! Reads the `[[sinks]]` tables of the file.
//!
//! Some keys belong to every sink. The other keys are the options of its `type`, which only that sink knows.

use std::io;
use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::exposure;
use super::findings::Findings;
use super::key_path::{element_path, member_path};
use super::mistake::Mistake;
use super::reader::{read, read_by};
use super::shown_value::shown;
use super::sink_checks::{check_name, check_retry};
use super::sink_config::{SinkConfig, SinkName};
use super::suggestion::{did_you_mean, listed};
use super::surroundings::{Surroundings, read_text_file};
use crate::sink::{self, SecretSources, shown_path};

#[cfg(test)]
mod tests;

/// The keys that every sink has.
pub(super) const COMMON_KEYS: [&str; 5] = ["name", "type", "start", "filter", "retry"];

/// Reads the list `sinks`. Returns each sink with its path, for example `sinks[0]`. A sink without a valid name or type is left
/// out. Without a list, the result is one log sink.
pub(super) fn read_sinks(
    value: Option<&Value>,
    surroundings: &dyn Surroundings,
    findings: &mut Findings,
) -> Vec<(String, SinkConfig)> {
    let elements = match value {
        None => &[],
        Some(Value::Array(elements)) => elements.as_slice(),
        Some(_) => {
            findings.mistake(Mistake::new("sinks", "must be a list of tables").cure("begin each sink with [[sinks]]"));
            return Vec::new();
        }
    };
    if elements.is_empty() {
        return vec![(element_path("sinks", 0), SinkConfig::log())];
    }
    let (mut sinks, mut names) = (Vec::new(), Vec::new());
    for (position, element) in elements.iter().enumerate() {
        let path = element_path("sinks", position);
        let Value::Table(table) = element else {
            findings.mistake(Mistake::new(path, "must be a table").cure("begin each sink with [[sinks]]"));
            continue;
        };
        // Before the type, so that a wrong type doesn't hide that two sinks have the same name.
        let name = read_name(table, &path, findings);
        if let Some(name) = &name {
            check_name(&path, name, &names, findings);
            names.push((path.clone(), name.clone()));
        }
        if let Some(sink) = read_sink(element, table, &path, name, surroundings, findings) {
            sinks.push((path, sink));
        }
    }
    sinks
}

fn read_name(table: &Table, path: &str, findings: &mut Findings) -> Option<SinkName> {
    if !table.contains_key("name") {
        let missing = Mistake::new(member_path(path, "name"), "is missing");
        findings.mistake(missing.cure("give each sink its own name, for example name = \"archive\""));
    }
    member(table, path, "name", findings)
}

fn read_sink(
    element: &Value,
    table: &Table,
    path: &str,
    name: Option<SinkName>,
    surroundings: &dyn Surroundings,
    findings: &mut Findings,
) -> Option<SinkConfig> {
    let filter = member(table, path, "filter", findings).unwrap_or_default();
    let retry = member(table, path, "retry", findings).unwrap_or_default();
    check_retry(&member_path(path, "retry"), &retry, findings);
    let start = member(table, path, "start", findings).unwrap_or_default();
    let mut sink = read_options(element, table, path, findings)?;
    // The names of its variables contain its name, so a sink without a valid name has no variables.
    let secrets = name.as_ref().map(|name| sink.take_secrets(&SecretsOf { name, surroundings }));
    for mistake in secrets.into_iter().flatten().chain(sink.mistakes()) {
        // A sink names its own keys only, because it does not know its place in the file.
        let found = Mistake::new(format!("{path}.{}", mistake.key), mistake.rule);
        findings.mistake(match mistake.value {
            Some(value) => found.value(value),
            None => found,
        });
    }
    for (key, file) in sink.secret_files() {
        exposure::warn_of_file(&member_path(path, key), file, surroundings, findings);
    }
    let name = name?;
    for warning in sink.warnings() {
        findings.warn(format!("the sink `{name}`: {warning}"));
    }
    Some(SinkConfig { name, filter, retry, start, sink })
}

fn member<T: for<'de> Deserialize<'de>>(table: &Table, path: &str, name: &str, findings: &mut Findings) -> Option<T> {
    read(table.get(name)?, &member_path(path, name), &[], &mut findings.mistakes)
}

/// Reads `type`, and the keys of that type. Without a valid type, no other key can be checked.
fn read_options(element: &Value, table: &Table, path: &str, findings: &mut Findings) -> Option<sink::Options> {
    let type_path = member_path(path, "type");
    let valid = format!("must be one of {}", listed(&sink::Options::TYPES));
    let type_name = match table.get("type") {
        Some(Value::String(type_name)) => type_name.as_str(),
        Some(other) => {
            findings.mistake(Mistake { value: shown(&type_path, other), ..Mistake::new(type_path, valid) });
            return None;
        }
        None => {
            let cure = format!("use one of {}", listed(&sink::Options::TYPES));
            findings.mistake(Mistake::new(type_path, "is missing").cure(cure));
            return None;
        }
    };
    if !sink::Options::TYPES.contains(&type_name) {
        let cure = did_you_mean(type_name, sink::Options::TYPES);
        findings.mistake(Mistake { cure, ..Mistake::new(type_path, valid).quoted(type_name) });
        return None;
    }
    if let Some(feature) = sink::Options::missing_feature(type_name) {
        let lacking = Mistake::new(type_path, "this build of livehook lacks this type of sink").quoted(type_name);
        let cure = format!(
            "use the image or a release, which have every type, or build with `cargo build --release --features {feature}`"
        );
        findings.mistake(lacking.cure(cure));
        return None;
    }
    read_by(element, path, &COMMON_KEYS, &mut findings.mistakes, |keys| sink::Options::deserialize(type_name, keys))
}

/// The environment and the files that may hold secrets of one sink.
struct SecretsOf<'s> {
    name: &'s SinkName,
    surroundings: &'s dyn Surroundings,
}

impl SecretSources for SecretsOf<'_> {
    fn variable(&self, purpose: &str) -> Option<(String, String)> {
        let name = format!("{}{purpose}", self.name.variable_prefix());
        // A value that is not UTF-8 cannot be a secret. Replaced characters make the sink report it.
        let text = self.surroundings.variable(&name)?.to_string_lossy().into_owned();
        Some((name, text))
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        read_text_file(self.surroundings, path)
    }

    fn shown(&self, path: &Path) -> Option<String> {
        shown_path(path, |path| self.surroundings.permissions(path).is_some())
    }
}
