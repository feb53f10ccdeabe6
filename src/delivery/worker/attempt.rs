//! One attempt of new events: they are handed to the sink, what became of each is settled, and people are told how the sink
//! does.

use std::time::Duration;

use super::pending::Tries;
use super::tally::{Fate, HourlyCounts, is_cut_short};
use super::{Step, Worker};
use crate::delivery::backoff::Pause;
use crate::journal::{DeadLetter, JournalError, Record};
use crate::sink::{Failure, Outcome};
use crate::telemetry::DeliveryOutcome;

impl Worker {
    /// Hands a batch over, and settles what became of it.
    pub(super) async fn deliver(&mut self, batch: Vec<Record>, tries: Vec<Tries>) -> Result<Step, JournalError> {
        let outcomes = self.hand_over(&batch).await;
        self.again.batches = self.again.batches.saturating_add(1);
        // After the attempt, which may have taken long.
        let now_ms = self.now_ms();
        let is_cut_short = is_cut_short(&batch, &outcomes);
        let mut tally = HourlyCounts::default();
        let (mut kept, mut dead_letters, mut news) = (Vec::new(), Vec::new(), None);
        for ((record, tries), outcome) in batch.into_iter().zip(tries).zip(outcomes) {
            let attempts = tries.attempts.saturating_add(1);
            let age_ms = now_ms.saturating_sub(record.event.received_ms());
            match tally.judge(outcome, &self.retry, attempts, age_ms) {
                Fate::Delivered => {}
                Fate::Held => kept.push((record, tries)),
                Fate::Failed { reason, retry_after } => {
                    if tries.reason.as_ref() != Some(&reason) {
                        news.get_or_insert_with(|| reason.clone());
                    }
                    let length = self.retry.wait(attempts, self.random.f64(), retry_after);
                    // Where order is kept over all streams, they all wait alike.
                    let pause = (!self.sink.is_ordered()).then_some(Pause { since_ms: now_ms, length });
                    kept.push((record, Tries { attempts, reason: Some(reason), pause }));
                }
                Fate::GivenUp { reason } => {
                    tracing::warn!(sink = self.status.sink, id = %record.event.id(), attempts, reason, "gave up on an event: it is a dead letter now");
                    dead_letters.push(DeadLetter { record, attempts, reason, failed_ms: now_ms });
                }
            }
        }
        self.pending.take_back(kept);
        tally.blame_the_sink_for_standing_still();
        tally.count(&self.metrics, &self.status.sink, DeliveryOutcome::DeadLetter);
        let has_failed_whole = self.sink.is_ordered() && tally.failure.is_some();
        let wait = (has_failed_whole || is_cut_short || tally.is_outage()).then(|| {
            self.failures = if tally.is_any_done() { 1 } else { self.failures.saturating_add(1) };
            self.rest(now_ms, tally.retry_after)
        });
        if wait.is_none() {
            self.failures = 0;
        }
        self.tell(&tally, news);
        self.unsaved = Some(self.progress(dead_letters));
        self.save().await?;
        Ok(wait.map_or(Step::More, Step::Wait))
    }

    /// Has the sink take a batch, and gives an outcome for each event.
    pub(super) async fn hand_over(&mut self, batch: &[Record]) -> Vec<Outcome> {
        let mut outcomes = if batch.is_empty() { Vec::new() } else { self.sink.deliver(batch).await };
        if outcomes.len() != batch.len() {
            // A sink that does not answer for an event has not proven that it has it.
            outcomes.resize(batch.len(), Failure::outage("the sink did not answer for this event").into());
        }
        outcomes
    }

    /// From now on, the sink is given nothing for a while. Tells how long.
    pub(super) fn rest(&mut self, now_ms: i64, retry_after: Option<Duration>) -> Duration {
        let length = self.retry.wait(self.failures.max(1), self.random.f64(), retry_after);
        self.pause = Some(Pause { since_ms: now_ms, length });
        length
    }

    /// Tells people how the sink does; `news` is a failure that is another one than at the last attempt.
    fn tell(&mut self, tally: &HourlyCounts, news: Option<String>) {
        if let Some(reason) = &tally.failure {
            self.tell_failure(reason.clone(), news);
        } else if tally.delivered > 0 && !self.pending.has_failed() {
            self.succeed();
        }
    }

    /// A lasting failure is logged when it changes, not each time.
    pub(super) fn tell_failure(&mut self, failure: String, news: Option<String>) {
        let attempts = self.failures.max(self.pending.attempts_max());
        self.status.set_attempt(attempts.saturating_add(1), Some(failure));
        if let Some(reason) = news.filter(|reason| self.logged.as_ref() != Some(reason)) {
            tracing::warn!(
                sink = self.status.sink,
                reason,
                "the sink fails: what it has not taken is kept and tried again"
            );
            self.logged = Some(reason);
        }
    }

    pub(super) fn succeed(&mut self) {
        self.failures = 0;
        self.logged = None;
        if self.status.set_attempt(1, None) {
            tracing::info!(sink = self.status.sink, "the sink takes events again");
        }
    }
}
