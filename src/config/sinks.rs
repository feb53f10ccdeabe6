//! The sinks of the configuration: `[[sinks]]`.
//!
//! Some keys are for every sink; the rest are the options of its `type`, which that sink knows.

use std::fmt;
use std::io;
use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::document::{element_path, member_path};
use super::mistake::{Findings, Mistake, closest, listed, shown};
use super::reader::{read, read_by};
use super::sources::{Surroundings, read_text_file};
use crate::delivery::RetryOptions;
use crate::journal::Start;
use crate::sink::{self, Filter, SecretSources};

/// The keys that every sink has, whatever its type.
pub(super) const COMMON_KEYS: [&str; 5] = ["name", "type", "start", "filter", "retry"];

/// A sink as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkConfig {
    /// What it is called, in logs, metrics and the journal. No two sinks share a name.
    pub name: SinkName,
    /// Which events it is given.
    pub filter: Filter,
    /// How its failures are retried.
    pub retry: RetryOptions,
    /// Where it starts when it is new.
    pub start: Start,
    /// Which sink, and its own keys.
    pub sink: sink::Options,
}

impl SinkConfig {
    /// The sink that there is when none is configured: `log`, with every default.
    pub(super) fn log() -> SinkConfig {
        SinkConfig {
            name: SinkName("log".into()),
            filter: Filter::default(),
            retry: RetryOptions::default(),
            start: Start::default(),
            sink: sink::Options::Log(sink::log::Options::default()),
        }
    }
}

/// The name of a sink: 1 to 64 of `a`-`z`, `0`-`9`, `-` and `_`, so that it can be a label and a part of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SinkName(Box<str>);

/// A text that is no name of a sink.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("must be 1 to 64 of the characters a-z, 0-9, - and _")]
pub struct InvalidSinkName;

impl SinkName {
    /// Takes a name.
    ///
    /// # Errors
    /// Other characters, none, or more than 64 of them.
    pub fn new(text: &str) -> Result<SinkName, InvalidSinkName> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
        if fits { Ok(SinkName(text.into())) } else { Err(InvalidSinkName) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the names of this sink's environment variables begin with.
    pub(super) fn variable_prefix(&self) -> String {
        format!("LIVEHOOK_SINK_{}_", self.0.to_ascii_uppercase().replace('-', "_"))
    }
}

impl fmt::Display for SinkName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SinkName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<SinkName, D::Error> {
        SinkName::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Reads `[[sinks]]`, each with its path. What is wrong is noted; a sink of which too much is wrong is left out.
pub(super) fn read_sinks(
    value: Option<&Value>,
    surroundings: &dyn Surroundings,
    findings: &mut Findings,
) -> Vec<(String, SinkConfig)> {
    let elements = match value {
        None => return vec![(element_path("sinks", 0), SinkConfig::log())],
        Some(Value::Array(elements)) if elements.is_empty() => {
            return vec![(element_path("sinks", 0), SinkConfig::log())];
        }
        Some(Value::Array(elements)) => elements,
        Some(_) => {
            findings.mistake(Mistake::new("sinks", "must be a list of tables").cure("begin each sink with [[sinks]]"));
            return Vec::new();
        }
    };
    let sinks = elements.iter().enumerate().filter_map(|(position, element)| {
        let path = element_path("sinks", position);
        match element {
            Value::Table(table) => read_sink(element, table, &path, surroundings, findings).map(|sink| (path, sink)),
            _ => {
                findings.mistake(Mistake::new(path, "must be a table").cure("begin each sink with [[sinks]]"));
                None
            }
        }
    });
    sinks.collect()
}

fn read_sink(
    element: &Value,
    table: &Table,
    path: &str,
    surroundings: &dyn Surroundings,
    findings: &mut Findings,
) -> Option<SinkConfig> {
    if !table.contains_key("name") {
        let missing = Mistake::new(member_path(path, "name"), "is missing");
        findings.mistake(missing.cure("give each sink a name of its own, such as \"archive\""));
    }
    let name: Option<SinkName> = member(table, path, "name", findings);
    let filter = member(table, path, "filter", findings).unwrap_or_default();
    let retry = member(table, path, "retry", findings).unwrap_or_default();
    let start = member(table, path, "start", findings).unwrap_or_default();
    let mut sink = read_options(element, table, path, findings)?;
    // Without a name there is no variable of this sink, and nothing to be started.
    let secrets = name.as_ref().map(|name| sink.take_secrets(&SecretsOf { name, surroundings }));
    for mistake in secrets.into_iter().flatten().chain(sink.mistakes()) {
        let found = Mistake::new(format!("{path}.{}", mistake.key), mistake.rule);
        findings.mistake(match mistake.value {
            Some(value) => found.value(value),
            None => found,
        });
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

/// Reads the keys that belong to the type.
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
            let cure = format!("give one of {}", listed(&sink::Options::TYPES));
            findings.mistake(Mistake::new(type_path, "is missing").cure(cure));
            return None;
        }
    };
    if !sink::Options::TYPES.contains(&type_name) {
        let near = closest(type_name, sink::Options::TYPES).map(|near| format!("did you mean `{near}`?"));
        findings.mistake(Mistake { cure: near, ..Mistake::new(type_path, valid).quoted(type_name) });
        return None;
    }
    read_by(element, path, &COMMON_KEYS, &mut findings.mistakes, |keys| sink::Options::deserialize(type_name, keys))
}

/// Where the secrets of one sink are, beside its table.
struct SecretsOf<'s> {
    name: &'s SinkName,
    surroundings: &'s dyn Surroundings,
}

impl SecretSources for SecretsOf<'_> {
    fn variable(&self, what: &str) -> Option<(String, String)> {
        let name = format!("{}{what}", self.name.variable_prefix());
        // A secret that is no text is none: the sink says so of the text that is left.
        let text = self.surroundings.variable(&name)?.to_string_lossy().into_owned();
        Some((name, text))
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        read_text_file(self.surroundings, path)
    }
}
