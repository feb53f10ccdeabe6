//! What the programs of one sink say, for livehook's log: line by line, bounded in length and in number. The count is of the
//! sink, so that a program that is started anew for each event cannot say more than one that keeps running.

use std::cmp::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::printable::printable;

/// So much of a line is logged, and kept.
const LINE_CHARACTERS_MAX: usize = 500;
const LINE_BYTES_MAX: usize = 4 * LINE_CHARACTERS_MAX;

/// So many lines of one of its outputs are logged in a minute.
const LINES_PER_MINUTE_MAX: usize = 100;

/// Which output of a program.
#[derive(Clone, Copy, Debug)]
pub(super) enum Output {
    /// Logged for debugging.
    Stdout,
    /// Logged as warnings.
    Stderr,
}

/// The log of a sink's programs.
pub(super) struct ProgramLog {
    /// What the program is called in messages.
    pub(super) name: String,
    stdout: Mutex<Minute>,
    stderr: Mutex<Minute>,
}

/// How many lines there were in the last minute.
struct Minute {
    since: Instant,
    lines: usize,
}

impl Minute {
    fn new() -> Mutex<Minute> {
        Mutex::new(Minute { since: Instant::now(), lines: 0 })
    }

    /// Counts a line.
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

    /// Logs what a program says until it says no more, and returns the last line. Of lines that are too long or too many, the
    /// rest is left out; it is read all the same, so that the program is not held up.
    pub(super) async fn take(&self, mut source: impl AsyncRead + Unpin, output: Output) -> String {
        let (mut line, mut last) = (Vec::new(), String::new());
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = source.read(&mut chunk).await {
            for byte in &chunk[..count] {
                match byte {
                    b'\n' => self.finish_line(&mut line, &mut last, output),
                    byte if line.len() < LINE_BYTES_MAX => line.push(*byte),
                    _ => {}
                }
            }
        }
        self.finish_line(&mut line, &mut last, output);
        last
    }

    fn finish_line(&self, line: &mut Vec<u8>, last: &mut String, output: Output) {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end();
        if !text.is_empty() {
            *last = printable(text, LINE_CHARACTERS_MAX).into_owned();
            self.say(last, output);
        }
        line.clear();
    }

    fn say(&self, text: &str, output: Output) {
        let minute = match output {
            Output::Stdout => &self.stdout,
            Output::Stderr => &self.stderr,
        };
        let lines = minute.lock().unwrap_or_else(PoisonError::into_inner).count();
        let program = &self.name;
        match (lines.cmp(&LINES_PER_MINUTE_MAX), output) {
            (Ordering::Less, Output::Stderr) => tracing::warn!(program, text, "a program says"),
            (Ordering::Less, Output::Stdout) => tracing::debug!(program, text, "a program says"),
            (Ordering::Equal, _) => {
                tracing::warn!(program, "a program says too much: the rest of a minute is left out")
            }
            (Ordering::Greater, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_minute_is_that_of_the_sink_and_not_of_one_start() {
        let log = ProgramLog::new("notify".to_owned());
        let talk = "a line\n".repeat(90);
        for _ in 0..20 {
            assert_eq!(log.take(talk.as_bytes(), Output::Stderr).await, "a line");
        }
        assert_eq!(log.stderr.lock().unwrap().lines, 20 * 90);
        assert_eq!(log.stdout.lock().unwrap().lines, 0, "what is said on one output silences no other");
    }

    #[tokio::test]
    async fn the_last_line_is_kept_escaped_and_short() {
        let log = ProgramLog::new("notify".to_owned());
        assert_eq!(log.take(&b"one\n\x1b[2J\n\n"[..], Output::Stderr).await, "\\u{1b}[2J");
        let long = "x".repeat(1_000_000);
        assert!(log.take(long.as_bytes(), Output::Stdout).await.chars().count() <= LINE_CHARACTERS_MAX + 1);
    }
}
