//! The section `[log]` of the configuration.

use serde::Deserialize;

use super::access_options::AccessOptions;
use super::journald;

/// The level and the format of the log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LogOptions {
    /// The lowest level that is written.
    pub level: Level,
    /// How lines are written.
    pub format: Format,
    /// The access log, if there is one.
    pub access: Option<AccessOptions>,
}

impl Default for LogOptions {
    fn default() -> LogOptions {
        LogOptions { level: Level::Info, format: Format::Text, access: None }
    }
}

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Failures that a person must correct.
    Error,
    /// Conditions that may become failures.
    Warn,
    /// Start, stop and changes.
    Info,
    /// One line per callback and per delivery.
    Debug,
    /// Everything.
    Trace,
}

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Plain text, in colour on a terminal, with priorities for journald.
    Text,
    /// One JSON object per line.
    Json,
}

impl LogOptions {
    /// Whether a person reads stderr as it is, and no program: it's neither JSON nor an entry of journald.
    pub fn is_for_people(&self) -> bool {
        self.format == Format::Text && !journald::is_stderr()
    }
}
