//! Diagnostics on stderr: the subscriber that writes them.

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

use super::log_options::LogOptions;
use super::log_queue::Log;
use super::log_settings::{LevelGate, PresentFormat, set_log_options};

/// Starts to write diagnostics to stderr. A second call only sets the options. Code that logs never waits for stderr, and never fails
/// because of it. Call [`Log::finish`] at the end, so that the last lines are written.
pub fn start_log(options: &LogOptions) -> Log {
    set_log_options(options);
    let log = Log::start(std::io::stderr(), |lines| {
        tracing::warn!(lines, "log lines were dropped: the reader of stderr is too slow");
    });
    let lines = fmt::layer()
        .with_writer(log.writer())
        // By default the subscriber reports a failed write on stderr, and panics if stderr fails.
        .log_internal_errors(false)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .event_format(PresentFormat::new());
    // The only error is that there is a subscriber already, as in tests.
    let _ = registry().with(lines).with(LevelGate).try_init();
    log
}
