//! Logs the output of a sink's programs, line by line, up to a length and a number of lines per minute.
//!
//! The number is per sink, so that a program that is started for each event can't log more than one that keeps running.

use std::cmp::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::Instant;

use crate::callback::EventId;
use crate::printable::printable;

/// The characters of a line that are logged.
const LINE_CHARACTERS_MAX: usize = 500;
/// UTF-8 has up to 4 bytes per character.
const LINE_BYTES_MAX: usize = 4 * LINE_CHARACTERS_MAX;

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

/// The log of a sink's programs.
pub(super) struct ProgramLog {
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
    pub(super) fn new(name: String) -> ProgramLog {
        ProgramLog { name, stdout: Minute::new(), stderr: Minute::new() }
    }

    /// Logs an output of a program until it ends, and returns the last line that isn't empty. The rest of a line that is too
    /// long, and lines that are too many, are read but not logged, so that the program is never blocked.
    pub(super) async fn take(&self, mut source: impl AsyncRead + Unpin, output: Output) -> String {
        let (mut line, mut last) = (Vec::new(), String::new());
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = source.read(&mut chunk).await {
            for byte in &chunk[..count] {
                match byte {
                    b'\n' => self.finish_line(&mut line, &mut last, output),
                    // The rest of a long line is read and dropped, so that a program can't fill the memory.
                    byte if line.len() < LINE_BYTES_MAX => line.push(*byte),
                    _ => {}
                }
            }
        }
        self.finish_line(&mut line, &mut last, output);
        last
    }

    /// Logs an answer that names an event other than the one in hand. It counts as a line of stdout.
    pub(super) fn log_ignored_answer(&self, answer: &str, in_hand: EventId) {
        if self.count(Output::Stdout) < LINES_PER_MINUTE_MAX {
            tracing::warn!(program = self.name, answer, %in_hand, "a program answered for another event: livehook ignores the answer");
        }
    }

    /// Counts a line, and returns the number of lines of this output in the current minute.
    fn count(&self, output: Output) -> usize {
        let minute = match output {
            Output::Stdout => &self.stdout,
            Output::Stderr => &self.stderr,
        };
        minute.lock().unwrap_or_else(PoisonError::into_inner).count()
    }

    fn finish_line(&self, line: &mut Vec<u8>, last: &mut String, output: Output) {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end();
        if !text.is_empty() {
            *last = printable(text, LINE_CHARACTERS_MAX).into_owned();
            self.log(last, output);
        }
        line.clear();
    }

    fn log(&self, text: &str, output: Output) {
        let lines = self.count(output);
        let program = &self.name;
        match (lines.cmp(&LINES_PER_MINUTE_MAX), output) {
            (Ordering::Less, Output::Stderr) => tracing::warn!(program, text, "a program says"),
            (Ordering::Less, Output::Stdout) => tracing::debug!(program, text, "a program says"),
            (Ordering::Equal, _) => {
                tracing::warn!(
                    program,
                    "a program writes too much: livehook skips its output for the rest of the minute"
                )
            }
            (Ordering::Greater, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lines_are_counted_for_each_minute() {
        let log = ProgramLog::new("notify".to_owned());
        for expected in [1, 2, 1] {
            log.take(&b"a line\n"[..], Output::Stderr).await;
            assert_eq!(log.stderr.lock().unwrap().lines, expected);
            tokio::time::advance(Duration::from_secs(31)).await;
        }
    }

    #[tokio::test]
    async fn lines_are_counted_for_all_starts() {
        let log = ProgramLog::new("notify".to_owned());
        let output = "a line\n".repeat(90);
        for _ in 0..20 {
            assert_eq!(log.take(output.as_bytes(), Output::Stderr).await, "a line");
        }
        assert_eq!(log.stderr.lock().unwrap().lines, 20 * 90);
        assert_eq!(log.stdout.lock().unwrap().lines, 0, "one output silences no other");
    }

    #[tokio::test]
    async fn the_last_line_is_escaped_and_short() {
        let log = ProgramLog::new("notify".to_owned());
        assert_eq!(log.take(&b"one\n\x1b[2J\n\n"[..], Output::Stderr).await, "\\u{1b}[2J");
        let long = "x".repeat(1_000_000);
        assert!(log.take(long.as_bytes(), Output::Stdout).await.chars().count() <= LINE_CHARACTERS_MAX + 1);
    }
}
