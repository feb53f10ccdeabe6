//! Shows the progress of a long operation, if stderr is a terminal.

use std::io::{self, IsTerminal, Write};

use super::output::talk;

/// One line of stderr that is overwritten, such as `42 % of the index copied`.
pub(crate) struct Progress {
    /// The words after the number, such as `of the index copied`.
    words: &'static str,
    is_terminal: bool,
    /// The number on the line now; `None` if the line is empty.
    shown: Option<u64>,
}

impl Progress {
    /// Progress without a line yet.
    pub(crate) fn new(words: &'static str) -> Progress {
        Progress { words, is_terminal: io::stderr().is_terminal(), shown: None }
    }

    /// Shows a percentage, or the number itself if the total is unknown.
    pub(crate) fn show(&mut self, done: u64, total: impl Into<Option<u64>>) {
        let percent = total.into().map(|total| done.min(total).saturating_mul(100).checked_div(total).unwrap_or(100));
        let number = percent.unwrap_or(done);
        // A log file or a pipe would keep every number.
        if self.is_terminal && self.shown != Some(number) {
            self.shown = Some(number);
            let unit = if percent.is_some() { " %" } else { "" };
            // `\r` returns to the start of the line, so the next number overwrites this one.
            let _ = write!(io::stderr(), "\r{number}{unit} {}", self.words);
        }
    }

    /// Ends the line, so that the next message starts on a new one.
    pub(crate) fn end(&mut self) {
        if self.shown.take().is_some() {
            talk("");
        }
    }
}
