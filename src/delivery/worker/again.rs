//! What a worker sends once more, beside what is new: dead letters that were put back, and replays.
//!
//! It does so when there is nothing newer, and else after every few batches, in batches that take a sink a moment only: so
//! neither waits for the other for long. Both go through the worker's own sink, since some sinks are the only ones that
//! may write to their place.
//!
//! Only what the cursor has passed is sent again. A sink that after a crash looks for what it has already would otherwise
//! take a later record that it finds for the proof that all before it was delivered.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::replay::Run;
use super::{Step, Worker};
use crate::journal::{JournalError, Progress, Record};
use crate::sink::{DeliveryError, Outcome};
use crate::telemetry::DeliveryOutcome;

/// After how many batches of new events it has its turn at the latest.
const BATCHES_BETWEEN: u32 = 8;

/// How many events are sent again at a time, at first and at most.
const EVENTS_FIRST: usize = 16;
const EVENTS_MAX: usize = 256;

/// How long a new event may wait for a batch of these. A batch that took longer is followed by smaller ones.
const BATCH_TIME: Duration = Duration::from_millis(200);

/// After how long what the cursor has not passed is looked at again.
const CURSOR_WAIT: Duration = Duration::from_secs(1);

/// How far a worker is with what it sends again.
#[derive(Default)]
pub(super) struct Again {
    /// Whether there may be something to send.
    is_needed: bool,
    /// Whether the worker stops, and leaves this for the next start.
    pub(super) is_stopping: bool,
    is_turn_of_replays: bool,
    /// How many batches of new events were delivered since the last turn.
    pub(super) batches: u32,
    events_max: Option<usize>,
    /// How many turns in a row brought nothing.
    failures: u32,
    /// From when on, in Unix ms, and for how long nothing is tried.
    pause: Option<(i64, Duration)>,
    /// Why the last turn failed; `None` once one did not.
    failure: Option<String>,
    /// How often each dead letter was tried since it was put back, by number.
    pub(super) tried: HashMap<i64, u32>,
    pub(super) run: Option<Run>,
}

/// What became of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Something was sent, or passed over.
    Taken,
    /// There is something, and its time has not come.
    Later,
    /// There is nothing.
    Nothing,
}

impl Again {
    /// How long until there may be something to send; `None` when there is nothing.
    pub(super) fn wait(&self, now_ms: i64) -> Option<Duration> {
        if !self.is_needed || self.is_stopping {
            return None;
        }
        let Some((since_ms, pause)) = self.pause else { return Some(Duration::ZERO) };
        // A clock that was set back ends the pause.
        let passed = u64::try_from(now_ms.saturating_sub(since_ms)).map_or(pause, Duration::from_millis);
        Some(pause.saturating_sub(passed))
    }

    /// Whether new events have had enough turns.
    pub(super) fn is_overdue(&self) -> bool {
        self.batches >= BATCHES_BETWEEN
    }

    /// How many events the next batch may have.
    pub(super) fn events_max(&self) -> usize {
        self.events_max.unwrap_or(EVENTS_FIRST)
    }

    fn note_time(&mut self, events: usize, took: Duration) {
        let most = self.events_max();
        self.events_max = match took {
            took if took > BATCH_TIME => Some((most / 2).max(1)),
            _ if events >= most => Some((most * 2).min(EVENTS_MAX)),
            _ => Some(most),
        };
    }
}

/// How often a batch ended how.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) delivered: u64,
    pub(super) transient: u64,
    pub(super) given_up: u64,
    /// The first failure that is worth another try.
    pub(super) failure: Option<DeliveryError>,
}

impl Worker {
    /// Sends something once more, if there is something and its time has come.
    pub(super) async fn send_again(&mut self, now_ms: i64) -> Result<Option<Step>, JournalError> {
        if self.consumer.take_news() {
            self.again.is_needed = true;
            self.again.pause = self.again.pause.filter(|_| self.again.failure.is_some());
            self.tell_dead_letters();
        }
        if self.again.wait(now_ms) != Some(Duration::ZERO) {
            return Ok(None);
        }
        self.again.batches = 0;
        self.again.pause = None;
        let mut is_left = false;
        for _ in 0..2 {
            self.again.is_turn_of_replays = !self.again.is_turn_of_replays;
            let turn =
                if self.again.is_turn_of_replays { self.replay(now_ms).await? } else { self.redrive(now_ms).await? };
            match turn {
                Turn::Taken => return Ok(Some(Step::More)),
                Turn::Later => is_left = true,
                Turn::Nothing => {}
            }
        }
        self.again.is_needed = is_left;
        self.again.pause = is_left.then_some((now_ms, CURSOR_WAIT));
        Ok(None)
    }

    /// Gives the sink a batch, and notes how long it takes.
    pub(super) async fn deliver_again(&mut self, batch: &[Record]) -> Vec<Outcome> {
        let began = Instant::now();
        let outcomes = self.hand_over(batch).await;
        self.again.note_time(batch.len(), began.elapsed());
        outcomes
    }

    /// Makes durable what became of a batch, with what the sink wants to be kept. After a failure there is a pause before the
    /// next turn.
    pub(super) async fn settle_again(
        &mut self,
        tally: Tally,
        progress: impl FnOnce(Progress) -> Progress,
        now_ms: i64,
    ) -> Result<(), JournalError> {
        for (outcome, count) in [
            (DeliveryOutcome::Delivered, tally.delivered),
            (DeliveryOutcome::Transient, tally.transient),
            (DeliveryOutcome::DeadLetter, tally.given_up),
        ] {
            if count > 0 {
                self.metrics.deliveries(&self.status.sink, outcome, count);
            }
        }
        if let Some(error) = &tally.failure {
            let reason = error.to_string();
            if self.again.failure.as_ref() != Some(&reason) {
                tracing::warn!(sink = self.status.sink, reason, "what is sent again fails: it is kept and tried again");
            }
            let retry_after = match error {
                DeliveryError::Transient { retry_after, .. } => *retry_after,
                DeliveryError::Held | DeliveryError::Permanent { .. } => None,
            };
            self.again.failures = if tally.delivered > 0 { 1 } else { self.again.failures.saturating_add(1) };
            let wait = self.retry.wait(self.again.failures, self.random.f64(), retry_after);
            self.again.pause = Some((now_ms, wait));
            self.again.failure = Some(reason);
        } else {
            self.again.failures = 0;
            self.again.failure = None;
        }
        self.unsaved = Some(Progress { urgent: true, ..progress(self.progress(Vec::new())) });
        self.save().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_grow_while_they_are_quick_and_shrink_to_one_event() {
        let mut again = Again::default();
        let quick = Duration::from_millis(1);
        again.note_time(3, quick);
        assert_eq!(again.events_max(), EVENTS_FIRST, "one that was not full shows nothing");
        for _ in 0..10 {
            again.note_time(again.events_max(), quick);
        }
        assert_eq!(again.events_max(), EVENTS_MAX);
        for _ in 0..10 {
            again.note_time(again.events_max(), Duration::from_secs(10));
        }
        assert_eq!(again.events_max(), 1);
    }

    #[test]
    fn a_pause_ends_in_time_and_when_the_clock_is_set_back() {
        let pause = Some((10_000, Duration::from_secs(2)));
        let again = Again { is_needed: true, pause, ..Again::default() };
        let wait_ms = |now_ms| again.wait(now_ms).unwrap().as_millis();
        assert_eq!((wait_ms(10_000), wait_ms(11_500), wait_ms(12_000), wait_ms(9_999)), (2000, 500, 0, 0));
        assert_eq!(Again { is_stopping: true, ..again }.wait(12_000), None);
        assert_eq!(Again::default().wait(0), None);
    }
}
