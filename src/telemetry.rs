//! Diagnostics on stderr, and every metric by name.

use serde::Deserialize;

/// Diagnostics, as in the section `[log]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LogOptions {
    /// What is written: this level and above.
    pub level: Level,
    /// How it is written.
    pub format: Format,
}

impl Default for LogOptions {
    fn default() -> LogOptions {
        LogOptions { level: Level::Info, format: Format::Text }
    }
}

/// How much is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Failures that need somebody.
    Error,
    /// What may become one.
    Warn,
    /// Start, stop, and what changes.
    Info,
    /// One line a callback and a delivery.
    Debug,
    /// Everything.
    Trace,
}

/// How diagnostics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
