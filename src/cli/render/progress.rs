//! How far something that takes its time has got.

use std::io::{self, IsTerminal, Write};

use super::output::talk;

/// Shown on a terminal alone, in one line of stderr that is written over.
pub(crate) struct Progress {
    /// What has been done to the part that is done.
    done_word: &'static str,
    is_shown: bool,
    told: Option<u64>,
}

impl Progress {
    /// Nothing is shown yet. `done_word` is such as `copied`.
    pub(crate) fn new(done_word: &'static str) -> Progress {
        Progress { done_word, is_shown: io::stderr().is_terminal(), told: None }
    }

    /// Shows how much is done, of how much in all where that is known.
    pub(crate) fn show(&mut self, done: u64, total: impl Into<Option<u64>>) {
        let percent = total.into().map(|total| done.min(total).saturating_mul(100).checked_div(total).unwrap_or(100));
        let number = percent.unwrap_or(done);
        if self.is_shown && self.told != Some(number) {
            self.told = Some(number);
            let unit = if percent.is_some() { " %" } else { "" };
            let _ = write!(io::stderr(), "\r{number}{unit} {}", self.done_word);
        }
    }

    /// Leaves the line as it is. What is shown then begins another one.
    pub(crate) fn end(&mut self) {
        if self.told.take().is_some() {
            talk("");
        }
    }
}
