//! Dead letters that were put back: each goes to its own sink again, and goes away in one with the proof that it arrived.
//!
//! They are read anew before each try, so that what is dropped meanwhile is not tried any more.

use super::Worker;
use super::again::{Tally, Turn};
use crate::journal::{JournalError, LetterFailure, Progress, Record, SettledLetter};
use crate::sink::DeliveryError;

impl Worker {
    /// Tries some of them.
    pub(super) async fn redrive(&mut self, now_ms: i64) -> Result<Turn, JournalError> {
        let cursor = self.consumer.cursor();
        let mut letters = self.consumer.redriven(self.again.events_max()).await?;
        if letters.is_empty() {
            self.again.tried.clear();
            return Ok(Turn::Nothing);
        }
        letters.retain(|letter| letter.letter.record.offset <= cursor);
        if letters.is_empty() {
            return Ok(Turn::Later);
        }
        let records: Vec<Record> = letters.iter().map(|letter| letter.letter.record.clone()).collect();
        let outcomes = self.deliver_again(&records).await;

        let tried = std::mem::take(&mut self.again.tried);
        let (mut tally, mut settled) = (Tally::default(), Vec::new());
        for (letter, outcome) in letters.into_iter().zip(outcomes) {
            let number = letter.number;
            let Err(error) = outcome else {
                tally.delivered += 1;
                settled.push(SettledLetter { number, failure: None });
                continue;
            };
            let tried = tried.get(&number).copied().unwrap_or(0);
            let attempts = if error == DeliveryError::Held { tried } else { tried.saturating_add(1) };
            // Its age begins anew: it was given up for it perhaps.
            if self.is_given_up(&error, letter.redriven_ms.unwrap_or(now_ms), attempts, now_ms) {
                let (id, reason) = (letter.letter.record.event.id(), error.to_string());
                tracing::warn!(sink = self.status.sink, number, %id, attempts, reason, "a dead letter failed again: it stays one");
                tally.given_up += 1;
                settled.push(SettledLetter {
                    number,
                    failure: Some(LetterFailure { attempts, reason, failed_ms: now_ms }),
                });
                continue;
            }
            self.again.tried.insert(number, attempts);
            tally.note(error);
        }
        tally.blame_the_sink_if(settled.is_empty());
        if tally.delivered > 0 {
            tracing::info!(sink = self.status.sink, count = tally.delivered, "dead letters were delivered");
        }
        self.settle_again(tally, |progress| Progress { settled, ..progress }, now_ms).await?;
        Ok(Turn::Taken)
    }
}

impl Tally {
    /// Notes that an event is to be tried again.
    pub(super) fn note(&mut self, error: DeliveryError) {
        if error != DeliveryError::Held {
            self.transient += 1;
            self.failure.get_or_insert(error);
        }
    }

    /// A sink that holds all back without failing itself would make the worker spin.
    pub(super) fn blame_the_sink_if(&mut self, is_nothing_done: bool) {
        if is_nothing_done && self.failure.is_none() {
            let reason = "the sink held events back and said of none that it had failed";
            self.failure = Some(DeliveryError::transient(reason));
        }
    }
}
