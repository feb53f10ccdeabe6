//! Dead letters that were put back: each goes to its own sink again, and goes away in one with the proof that it arrived.
//!
//! They are read anew before each try, so that what is dropped meanwhile is not tried any more, and in turns around: one
//! that fails again and again keeps no other waiting.

use super::Worker;
use super::again::{EVENTS_MAX, Turn};
use super::tally::{Fate, HourlyCounts};
use crate::journal::{JournalError, LetterFailure, NumberedLetter, Offset, Progress, Record, SettledLetter};

impl Worker {
    /// Tries some of them.
    pub(super) async fn redrive(&mut self) -> Result<Turn, JournalError> {
        let mut letters = self.consumer.redriven(self.again.last_letter, EVENTS_MAX).await?;
        if letters.is_empty() && self.again.last_letter > 0 {
            self.again.last_letter = 0;
            letters = self.consumer.redriven(0, EVENTS_MAX).await?;
        }
        let Some(last) = letters.last().map(|letter| letter.number) else { return Ok(Turn::Nothing) };
        letters.retain(|letter| self.may_go_again(letter.letter.record.offset));
        if letters.is_empty() {
            self.again.last_letter = last;
            return Ok(Turn::Later);
        }
        let (records, letters): (Vec<Record>, Vec<Tried>) = letters.into_iter().map(Tried::split).unzip();
        let outcomes = self.deliver_again(&records).await;

        let now_ms = self.now_ms();
        let (mut tally, mut settled) = (HourlyCounts::default(), Vec::new());
        for ((letter, record), outcome) in letters.into_iter().zip(&records).zip(outcomes) {
            let Tried { number, redriven_ms, attempts } = letter;
            self.again.last_letter = number;
            // Its age begins anew: it was given up for it perhaps.
            let age_ms = redriven_ms.map_or(0, |redriven_ms| now_ms.saturating_sub(redriven_ms));
            let attempts = attempts.saturating_add(1);
            let failure = match tally.judge(outcome, &self.retry, attempts, age_ms) {
                Fate::Delivered => None,
                Fate::Held => continue,
                Fate::Failed { .. } => Some(LetterFailure::Transient),
                Fate::GivenUp { reason } => {
                    let id = record.event.id();
                    tracing::warn!(sink = self.status.sink, number, %id, attempts, reason, "a dead letter failed again: it stays one");
                    Some(LetterFailure::GivenUp { reason, failed_ms: now_ms })
                }
            };
            settled.push(SettledLetter { number, failure });
        }
        if tally.delivered > 0 {
            tracing::info!(sink = self.status.sink, count = tally.delivered, "dead letters were delivered");
        }
        self.settle_again(tally, |progress| Progress { settled, ..progress }).await?;
        Ok(Turn::Taken)
    }

    /// Whether what became of a record is known for good.
    fn may_go_again(&self, offset: Offset) -> bool {
        if self.sink.is_ordered() { offset <= self.consumer.cursor() } else { self.pending.is_done(offset) }
    }
}

/// What is to be known of a dead letter beside its record.
struct Tried {
    number: i64,
    redriven_ms: Option<i64>,
    attempts: u32,
}

impl Tried {
    fn split(letter: NumberedLetter) -> (Record, Tried) {
        let NumberedLetter { number, redriven_ms, redriven_attempts: attempts, letter, .. } = letter;
        (letter.record, Tried { number, redriven_ms, attempts })
    }
}
