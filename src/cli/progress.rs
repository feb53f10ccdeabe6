//! How far something that takes its time has got.

use std::io::{self, IsTerminal, Write};

use super::output::talk;

/// Shown on a terminal alone, in one line of stderr that is written over.
pub(super) struct Progress {
    /// What has been done to the part that is done.
    done_word: &'static str,
    is_shown: bool,
    percent: Option<u64>,
}

impl Progress {
    /// Nothing is shown yet. `done_word` is such as `copied`.
    pub(super) fn new(done_word: &'static str) -> Progress {
        Progress { done_word, is_shown: io::stderr().is_terminal(), percent: None }
    }

    /// Shows how much is done of how much in all.
    pub(super) fn show(&mut self, done: u64, total: u64) {
        let percent = done.min(total).saturating_mul(100).checked_div(total).unwrap_or(100);
        if self.is_shown && self.percent != Some(percent) {
            self.percent = Some(percent);
            let _ = write!(io::stderr(), "\r{percent} % {}", self.done_word);
        }
    }

    /// Leaves the line as it is. What is shown then begins another one.
    pub(super) fn end(&mut self) {
        if self.percent.take().is_some() {
            talk("");
        }
    }
}
