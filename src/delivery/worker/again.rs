//! What a worker sends once more, beside what is new: dead letters that were put back, and replays.
//!
//! It does so when there is nothing newer, and else after every few batches, in batches that take a sink a moment only: so
//! neither waits for the other for long. Both go through the worker's own sink, since some sinks are the only ones that
//! may write to their place.
//!
//! A replay sends only what the cursor has passed, and an ordered sink is given nothing else again. One that after a crash
//! looks for what it has already would otherwise take a later record that it finds for the proof that all before it was
//! delivered.

use std::time::Duration;

use super::replay::Run;
use super::tally::HourlyCounts;
use super::{Step, Worker};
use crate::delivery::backoff::Pause;
use crate::journal::{JournalError, Progress, Record};
use crate::sink::Outcome;
use crate::telemetry::DeliveryOutcome;

/// After how many batches of new events it has its turn at the latest.
const BATCHES_BETWEEN: u32 = 8;

/// How many events a turn has at most.
pub(super) const EVENTS_MAX: usize = 256;

/// How many the sink is handed at first. More follow, twice as many each time, while they are quick.
const EVENTS_FIRST: usize = 8;

/// For how long a turn goes on, in ms: a new event waits for no more than that and what is under way then.
const TURN_MS: i64 = 200;

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
    /// How many events the sink took in the time of a turn at last, where it is that slow.
    events_per_turn: Option<usize>,
    /// How many turns in a row brought nothing.
    failures: u32,
    /// The time in which nothing is tried.
    pause: Option<Pause>,
    /// Why the last turn failed; `None` once one did not.
    failure: Option<String>,
    /// The number of the dead letter that was tried last. Those after it come next, so that none keeps others waiting.
    pub(super) last_letter: i64,
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
        Some(self.pause.map_or(Duration::ZERO, |pause| pause.left(now_ms)))
    }

    /// Whether new events have had enough turns.
    pub(super) fn is_overdue(&self) -> bool {
        self.batches >= BATCHES_BETWEEN
    }

    /// How many events a turn begins with.
    fn events_first(&self) -> usize {
        self.events_per_turn.map_or(EVENTS_FIRST, |events| events.clamp(1, EVENTS_FIRST))
    }
}

/// How many events fit into so many ms, when `events` took `took_ms`; `None` where they took no time.
fn events_within(left_ms: i64, events: usize, took_ms: i64) -> Option<usize> {
    let events = i64::try_from(events).unwrap_or(i64::MAX);
    let fitting = left_ms.max(0).saturating_mul(events).checked_div(took_ms.max(0))?;
    usize::try_from(fitting).ok()
}

impl Worker {
    /// Sends something once more, if there is something and its time has come.
    pub(super) async fn send_again(&mut self) -> Result<Option<Step>, JournalError> {
        if self.consumer.take_news() {
            self.again.is_needed = true;
            self.again.pause = self.again.pause.filter(|_| self.again.failure.is_some());
        }
        if self.again.wait(self.now_ms()) != Some(Duration::ZERO) {
            return Ok(None);
        }
        self.again.batches = 0;
        self.again.pause = None;
        let mut is_left = false;
        for _ in 0..2 {
            self.again.is_turn_of_replays = !self.again.is_turn_of_replays;
            let turn = if self.again.is_turn_of_replays { self.replay().await? } else { self.redrive().await? };
            match turn {
                Turn::Taken => return Ok(Some(Step::More)),
                Turn::Later => is_left = true,
                Turn::Nothing => {}
            }
        }
        self.again.is_needed = is_left;
        self.again.pause = is_left.then_some(Pause { since_ms: self.now_ms(), length: CURSOR_WAIT });
        Ok(None)
    }

    /// Has the sink take the first of these: as many as it takes in the time of a turn, and none after one that failed.
    /// Gives an outcome for each that it was handed.
    pub(super) async fn deliver_again(&mut self, events: &[Record]) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = Vec::new();
        let mut count = self.again.events_first();
        let end_ms = self.now_ms().saturating_add(TURN_MS);
        while count > 0 && outcomes.len() < events.len() {
            let rest = &events[outcomes.len()..];
            let batch = &rest[..count.min(rest.len())];
            let began_ms = self.now_ms();
            let answers = self.hand_over(batch).await;
            let now_ms = self.now_ms();
            let took_ms = now_ms.saturating_sub(began_ms);
            self.again.events_per_turn = events_within(TURN_MS, batch.len(), took_ms);
            let is_any_failed = answers.iter().any(|outcome| *outcome != Outcome::Delivered);
            outcomes.extend(answers);
            if is_any_failed {
                break;
            }
            let fitting = events_within(end_ms.saturating_sub(now_ms), batch.len(), took_ms);
            count = fitting.map_or(2 * count, |fitting| fitting.min(2 * count));
        }
        outcomes
    }

    /// Makes durable what became of a turn, with what the sink wants to be kept. After a failure there is a
    /// pause before the next turn.
    pub(super) async fn settle_again(
        &mut self,
        mut tally: HourlyCounts,
        progress: impl FnOnce(Progress) -> Progress,
    ) -> Result<(), JournalError> {
        tally.blame_the_sink_for_standing_still();
        tally.count(&self.metrics, &self.status.sink, DeliveryOutcome::Refused);
        if let Some(reason) = tally.failure {
            if self.again.failure.as_ref() != Some(&reason) {
                tracing::warn!(sink = self.status.sink, reason, "what is sent again fails: it is kept and tried again");
            }
            self.again.failures = if tally.delivered > 0 { 1 } else { self.again.failures.saturating_add(1) };
            let length = self.retry.wait(self.again.failures, self.random.f64(), tally.retry_after);
            self.again.pause = Some(Pause { since_ms: self.now_ms(), length });
            self.again.failure = Some(reason);
        } else if tally.delivered > 0 {
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
    fn as_many_fit_as_the_last_ones_were_quick() {
        assert_eq!(events_within(200, 8, 0), None);
        assert_eq!(events_within(200, 8, 1600), Some(1));
        assert_eq!(events_within(199, 8, 1600), Some(0));
        assert_eq!(events_within(-5, 8, 1600), Some(0));
        assert_eq!(events_within(100, 8, -7), None, "the clock was set back");
        assert_eq!(events_within(i64::MAX, usize::MAX, 1), usize::try_from(i64::MAX).ok());
        for (per_turn, first) in [(None, 8), (Some(0), 1), (Some(3), 3), (Some(5000), 8)] {
            assert_eq!(Again { events_per_turn: per_turn, ..Again::default() }.events_first(), first);
        }
    }

    #[test]
    fn nothing_is_waited_for_when_nothing_is_needed_or_the_worker_stops() {
        let pause = Some(Pause { since_ms: 10_000, length: Duration::from_secs(2) });
        let again = Again { is_needed: true, pause, ..Again::default() };
        assert_eq!(again.wait(11_500), Some(Duration::from_millis(500)));
        assert_eq!(Again { is_stopping: true, ..again }.wait(12_000), None);
        assert_eq!(Again::default().wait(0), None);
    }
}
