//! Diagnostics on stderr, and every metric by name.

mod logs;
mod metrics;

use serde::Deserialize;
use tracing_subscriber::filter::LevelFilter;

pub use logs::Log;
pub use metrics::{DeliveryOutcome, Metrics};

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

/// Sends diagnostics to stderr from here on. A second call changes nothing. Nobody who writes a line waits for stderr, or
/// fails with it; the lines that are still on their way at the end are waited for by [`Log::finish`].
pub fn start_log(options: &LogOptions) -> Log {
    let level = match options.level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    let log = Log::start(std::io::stderr(), |lines| {
        tracing::warn!(lines, "diagnostics were lost: stderr has not taken them fast enough");
    });
    // By default, a line that cannot be written would be told on stderr, and that it cannot be told there is a panic.
    let builder = tracing_subscriber::fmt().with_max_level(level).with_writer(log.writer()).log_internal_errors(false);
    // An error here means that a subscriber is in place already, as in tests.
    let _ = match options.format {
        Format::Text => {
            let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
            builder.with_ansi(colour).with_target(false).try_init()
        }
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
    log
}
