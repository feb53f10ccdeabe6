//! Logs the output of a sink's programs, line by line, up to a length and a number of lines per minute.
//!
//! The number is per sink, so that a program that is started for each event can't log more than one that keeps running.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::Instant;

use super::options::Options;
use crate::callback::EventId;
use crate::printable::printable;
use crate::sink::own_secrets::OwnSecrets;

/// The characters of a line or an answer that messages show.
const TEXT_CHARACTERS_MAX: usize = 500;
/// UTF-8 has up to 4 bytes per character.
const LINE_BYTES_MAX: usize = 4 * TEXT_CHARACTERS_MAX;

/// The lines of one output that are logged per minute.
const LINES_PER_MINUTE_MAX: usize = 100;

/// An output of a program.
#[derive(Clone, Copy, Debug)]
pub(super) enum Output {
    /// Logged at the level debug.
    Stdout,
    /// Logged at the level warn.
    Stderr,
}

/// The event that a program has in hand; `None` before its first event.
pub(super) type InHand = Mutex<Option<EventId>>;

/// Variables whose values are no secrets.
const PLAIN_VARIABLES: [&str; 7] = ["HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ", "USER"];

/// The log of a sink's programs.
pub(super) struct ProgramLog {
    sink: String,
    /// The values of the sink's `environment`. A program may repeat them.
    own_secrets: OwnSecrets,
    /// The program, as messages name it.
    pub(super) name: String,
    stdout: Mutex<Minute>,
    stderr: Mutex<Minute>,
}

/// The number of lines in the current minute.
struct Minute {
    since: Instant,
    lines: usize,
}

impl Minute {
    fn new() -> Mutex<Minute> {
        Mutex::new(Minute { since: Instant::now(), lines: 0 })
    }

    /// Counts a line, and returns the number of lines in the current minute.
    fn count(&mut self) -> usize {
        if self.since.elapsed() > Duration::from_secs(60) {
            *self = Minute { since: Instant::now(), lines: 0 };
        }
        self.lines += 1;
        self.lines
    }
}

impl ProgramLog {
    /// Makes the log of a sink's programs.
    pub(super) fn new(sink: &str, options: &Options) -> ProgramLog {
        let mut own_secrets = OwnSecrets::default();
        let variables = options.environment.all().iter();
        variables
            .filter(|(name, _)| !PLAIN_VARIABLES.contains(&name.as_str()))
            .for_each(|(_, text)| own_secrets.add(text));
        let name = options.program.display().to_string();
        ProgramLog { sink: sink.to_owned(), own_secrets, name, stdout: Minute::new(), stderr: Minute::new() }
    }

    /// Returns a text of a program as messages show it: without secrets, escaped, and short.
    pub(super) fn shown(&self, text: &str) -> String {
        printable(&self.own_secrets.redact(text), TEXT_CHARACTERS_MAX).into_owned()
    }

    /// Logs an output of a program until it ends, with the event in hand, and returns the last line that isn't empty. It reads
    /// all of a line that is too long, and all lines beyond the limit, but logs none of that, so the program is never blocked.
    pub(super) async fn take(&self, mut source: impl AsyncRead + Unpin, output: Output, in_hand: &InHand) -> String {
        let (mut line, mut last) = (Vec::new(), String::new());
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = source.read(&mut chunk).await {
            for byte in &chunk[..count] {
                match byte {
                    b'\n' => self.finish_line(&mut line, &mut last, output, in_hand),
                    // The rest of a long line is read and dropped, so that a program can't fill the memory.
                    byte if line.len() < LINE_BYTES_MAX => line.push(*byte),
                    _ => {}
                }
            }
        }
        self.finish_line(&mut line, &mut last, output, in_hand);
        last
    }

    /// Logs an answer that names an event other than the one in hand. It counts as a line of stdout.
    pub(super) fn log_ignored_answer(&self, answer: &str, in_hand: EventId) {
        if self.admits(Output::Stdout) {
            let (sink, program) = (&self.sink, &self.name);
            tracing::warn!(sink, program, answer, %in_hand, "a program answered for another event: livehook ignores the answer");
        }
    }

    /// Counts a line, and returns whether to log it. The line that reaches the limit logs this once for the minute.
    fn admits(&self, output: Output) -> bool {
        let minute = match output {
            Output::Stdout => &self.stdout,
            Output::Stderr => &self.stderr,
        };
        let lines = minute.lock().unwrap_or_else(PoisonError::into_inner).count();
        if lines == LINES_PER_MINUTE_MAX {
            let (sink, program) = (&self.sink, &self.name);
            tracing::warn!(
                sink,
                program,
                "a program writes too much: livehook skips its output for the rest of the minute"
            );
        }
        lines < LINES_PER_MINUTE_MAX
    }

    fn finish_line(&self, line: &mut Vec<u8>, last: &mut String, output: Output, in_hand: &InHand) {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end();
        if !text.is_empty() {
            *last = self.shown(text);
            self.log(last, output, in_hand);
        }
        line.clear();
    }

    fn log(&self, text: &str, output: Output, in_hand: &InHand) {
        if !self.admits(output) {
            return;
        }
        let (sink, program) = (&self.sink, &self.name);
        let id = in_hand.lock().unwrap_or_else(PoisonError::into_inner).map(tracing::field::display);
        match output {
            Output::Stderr => tracing::warn!(sink, program, id, text, "a program says"),
            Output::Stdout => tracing::debug!(sink, program, id, text, "a program says"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> ProgramLog {
        let toml = "program = \"notify\"\nenvironment = { TOKEN = \"hunter2hunter2\", LANG = \"en\" }";
        ProgramLog::new("it", &toml::from_str(toml).unwrap())
    }

    #[tokio::test]
    async fn values_of_variables_are_not_shown() {
        let output = &b"wrong: hunter2hunter2 (en), aHVudGVyMmh1bnRlcjI=\n"[..];
        let last = log().take(output, Output::Stderr, &InHand::default()).await;
        assert_eq!(last, "wrong: REDACTED (en), REDACTEDI=");
    }

    #[tokio::test(start_paused = true)]
    async fn lines_are_counted_for_each_minute() {
        let log = log();
        for expected in [1, 2, 1] {
            log.take(&b"a line\n"[..], Output::Stderr, &InHand::default()).await;
            assert_eq!(log.stderr.lock().unwrap().lines, expected);
            tokio::time::advance(Duration::from_secs(31)).await;
        }
    }

    #[tokio::test]
    async fn lines_are_counted_for_all_starts() {
        let log = log();
        let output = "a line\n".repeat(90);
        for _ in 0..20 {
            assert_eq!(log.take(output.as_bytes(), Output::Stderr, &InHand::default()).await, "a line");
        }
        assert_eq!(log.stderr.lock().unwrap().lines, 20 * 90);
        assert_eq!(log.stdout.lock().unwrap().lines, 0, "one output silences no other");
    }

    #[tokio::test]
    async fn the_last_line_is_escaped_and_short() {
        let log = log();
        assert_eq!(log.take(&b"one\n\x1b[2J\n\n"[..], Output::Stderr, &InHand::default()).await, "\\u{1b}[2J");
        let long = "x".repeat(1_000_000);
        assert!(
            log.take(long.as_bytes(), Output::Stdout, &InHand::default()).await.chars().count()
                <= TEXT_CHARACTERS_MAX + 1
        );
    }
}
