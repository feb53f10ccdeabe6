//! Diagnostics on stderr: their options, and the subscriber that formats them.

use serde::Deserialize;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::access_options::AccessOptions;
use super::journald::{self, JournaldFormat};
use super::log_queue::Log;

/// The section `[log]` of the configuration.
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

/// Starts to write diagnostics to stderr. A second call changes nothing. Code that logs never waits for stderr, and never fails
/// because of it. Call [`Log::finish`] at the end, so that the last lines are written.
pub fn start_log(options: &LogOptions) -> Log {
    let level = match options.level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    let log = Log::start(std::io::stderr(), |lines| {
        tracing::warn!(lines, "log lines were dropped: the reader of stderr is too slow");
    });
    // By default the subscriber reports a failed write on stderr, and panics if stderr fails.
    let builder = tracing_subscriber::fmt().with_max_level(level).with_writer(log.writer()).log_internal_errors(false);
    // The only error is that there is a subscriber already, as in tests.
    let _ = match options.format {
        Format::Text if journald::is_stderr() => {
            builder.event_format(JournaldFormat::new()).finish().with(own_lines()).try_init()
        }
        Format::Text => {
            let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
            builder.with_ansi(colour).with_target(false).finish().with(own_lines()).try_init()
        }
        Format::Json => builder.json().flatten_event(true).finish().with(own_lines()).try_init(),
    };
    log
}

/// Leaves out the lines of the libraries of brokers. They log each of their failures, which the sink reports already.
fn own_lines() -> Targets {
    let silent = ["async_nats", "lapin", "rskafka"].map(|library| (library, LevelFilter::OFF));
    Targets::new().with_default(LevelFilter::TRACE).with_targets(silent)
}
