//! For the tests of commands: runs them, and makes real journals for them.

use std::path::Path;
use std::process::ExitCode;

use super::args::UsageError;
use super::command_line::run_with_output;
use super::render::Output;

use crate::callback::Event;
use crate::callback::testing;

/// The Unix time of the tests, in seconds.
pub(super) const EPOCH_SECS: i64 = 1_777_636_800; // 2026-05-01T12:00:00Z

/// Writes journals.
pub(super) struct Journal;

impl Journal {
    /// Adds events to the journal of a data directory, in order, and closes it.
    pub(super) fn write(data_dir: &Path, events: impl IntoIterator<Item = Event>) {
        crate::history::testing::write_journal(data_dir, events);
    }
}

/// The event of a callback, received at a Unix time in seconds.
pub(super) fn event(body: &str, received_secs: i64) -> Event {
    testing::event_of(body, received_secs * 1000)
}

/// A push of a stream; `number` is its sequence and the second at which it started.
pub(super) fn push(stream: &str, number: i64) -> Event {
    let secs = EPOCH_SECS + number;
    let push = testing::event("push").domain("Push.example.com").app("live").stream(stream).sequence(number);
    let push = push.member("user_ip", "203.0.113.7").member("width", 1920).member("height", 1080);
    push.happened_secs(secs).at_ms(secs * 1000).build()
}

/// Its stop after so many seconds.
pub(super) fn stop(stream: &str, number: i64, lasted_secs: i64, errcode: i64) -> Event {
    let secs = EPOCH_SECS + number + lasted_secs;
    let stop = testing::event("stop").domain("push.example.com").app("live").stream(stream).sequence(number);
    let stop = stop.member("errcode", errcode).member("errmsg", "m");
    let stop = stop.member("push_duration", (lasted_secs * 1000).to_string());
    stop.happened_secs(secs).at_ms(secs * 1000).build()
}

/// Runs a command line without the program's name. Returns its result and its output.
pub(super) fn run(line: &[&str]) -> (anyhow::Result<ExitCode>, String) {
    let mut printed = Vec::new();
    let line = std::iter::once("livehook").chain(line.iter().copied());
    let result = run_with_output(line, &mut Output::to(&mut printed));
    (result, String::from_utf8(printed).unwrap())
}

/// Runs a command line that must succeed. Returns its output.
pub(super) fn stdout_of(line: &[&str]) -> String {
    let (result, printed) = run(line);
    assert_eq!(result.unwrap_or_else(|error| panic!("{line:?}: {error:#}")), ExitCode::SUCCESS, "{line:?}");
    printed
}

/// Runs a command line that must fail. Returns its error.
pub(super) fn error_of(line: &[&str]) -> anyhow::Error {
    run(line).0.err().unwrap_or_else(|| panic!("{line:?} did not fail"))
}

/// Asserts that a command line ends with exit code 2.
pub(super) fn assert_usage_error(line: &[&str]) {
    let error = error_of(line);
    let is_usage_error =
        error.is::<UsageError>() || error.downcast_ref::<clap::Error>().is_some_and(|error| error.exit_code() == 2);
    assert!(is_usage_error, "{line:?}: {error:#}");
}
