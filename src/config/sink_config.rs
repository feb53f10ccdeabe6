//! The settings that every sink has, whatever its type. The name has a type of its own, because metrics and URLs contain it.

use std::fmt;

use serde::Deserialize;

use crate::callback::is_name;
use crate::delivery::RetryOptions;
use crate::journal::Start;
use crate::sink::{self, Filter};

/// A sink as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkConfig {
    /// The name of the sink in logs, metrics and the journal. No two sinks have the same name.
    pub name: SinkName,
    /// Which events it gets.
    pub filter: Filter,
    /// How it retries.
    pub retry: RetryOptions,
    /// Where a new sink begins in the journal.
    pub start: Start,
    /// The type of the sink, and the options of this type.
    pub sink: sink::Options,
}

impl SinkConfig {
    /// Whether a sink that runs with this configuration can go on undisturbed with the other one. `start` doesn't count, because only
    /// a new sink obeys it.
    pub fn is_unchanged(&self, other: &SinkConfig) -> bool {
        SinkConfig { start: other.start, ..self.clone() } == *other
    }

    /// Returns type and destination without secrets, for example `file to events.jsonl`.
    pub(super) fn destination(&self) -> String {
        match self.sink.target() {
            Some(target) => format!("{} to {target}", self.sink.type_name()),
            None => self.sink.type_name().to_owned(),
        }
    }

    /// Returns the sink of a configuration without sinks: `log`, with its defaults.
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

/// The name of a sink: 1 to 64 of `a`-`z`, `0`-`9`, `-` and `_`, for example `archive`. So it can be the label of a metric and
/// a part of a URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SinkName(Box<str>);

/// A text that cannot be the name of a sink.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("must be 1 to 64 of the characters a-z, 0-9, - and _")]
pub struct InvalidSinkName;

impl SinkName {
    /// Checks a name.
    ///
    /// # Errors
    /// The text has other characters, none, or more than 64.
    pub fn new(text: &str) -> Result<SinkName, InvalidSinkName> {
        if is_name(text) { Ok(SinkName(text.into())) } else { Err(InvalidSinkName) }
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the beginning of the names of this sink's environment variables: `LIVEHOOK_SINK_MY_HOOK_` for `my-hook`.
    pub(super) fn variable_prefix(&self) -> String {
        // A shell cannot set a variable with `-` in its name.
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
