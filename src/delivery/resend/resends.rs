//! When a resend has its turn: if there are no new events, and otherwise after every few batches of new events.
//!
//! Redrives and replays alternate, and each turn takes only a moment, so neither new events nor resends wait for long. An
//! ordered sink resends only records that the cursor has passed. Such a sink looks for records after a crash, and would
//! take a later record that it finds as proof that all earlier ones were delivered.

use std::time::Duration;

use super::pace::Pace;
use super::redrive::Redrive;
use super::replay::ReplayRunner;
use super::turn::{Results, Turn};
use crate::delivery::backoff::Pause;
use crate::delivery::outcome::BatchOutcome;
use crate::delivery::outlet::Outlet;
use crate::delivery::pending::Pending;
use crate::journal::{JournalError, Progress, Step};
use crate::telemetry::DeliveryOutcome;

#[cfg(test)]
mod tests;

/// A resend has its turn after at most this many batches of new events.
const BATCHES_BETWEEN: u32 = 8;

/// The wait before the next turn, if the events to resend come after the cursor.
const CURSOR_WAIT: Duration = Duration::from_secs(1);

/// The resends of one sink.
#[derive(Default)]
pub(in crate::delivery) struct Resends {
    redrive: Redrive,
    replay: ReplayRunner,
    pace: Pace,
    /// Whether there may be something to resend.
    is_needed: bool,
    is_turn_of_replays: bool,
    /// The batches of new events since the last turn.
    batches: u32,
    /// The number of failed turns in a row. The pause grows with it.
    failed_turns: u32,
    /// The pause before the next turn.
    pause: Option<Pause>,
    /// Why the last turn failed; `None` once a turn succeeded.
    failure: Option<String>,
}

impl Resends {
    /// The time until there may be something to resend; `None` if there is nothing.
    pub(in crate::delivery) fn wait(&self, now_ms: i64) -> Option<Duration> {
        self.is_needed.then(|| self.pause.map_or(Duration::ZERO, |pause| pause.left(now_ms)))
    }

    /// Counts a batch of new events.
    pub(in crate::delivery) fn note_batch(&mut self) {
        self.batches = self.batches.saturating_add(1);
    }

    /// Ends the pause before the next turn.
    pub(in crate::delivery) fn end_pause(&mut self) {
        self.pause = None;
    }

    /// Whether new events have had enough batches.
    pub(in crate::delivery) fn is_overdue(&self) -> bool {
        self.batches >= BATCHES_BETWEEN
    }

    /// Takes a turn, if there is something to resend and no pause. Returns `None` if there was nothing to do.
    ///
    /// # Errors
    /// The journal can't be read or written.
    pub(in crate::delivery) async fn step(
        &mut self,
        outlet: &mut Outlet,
        pending: &Pending,
    ) -> Result<Option<Step>, JournalError> {
        if outlet.consumer.take_news() {
            self.is_needed = true;
            // News end the wait for the cursor, but not the pause after a failure.
            self.pause = self.pause.filter(|_| self.failure.is_some());
        }
        if self.wait(outlet.now_ms()) != Some(Duration::ZERO) {
            return Ok(None);
        }
        self.batches = 0;
        self.pause = None;
        let mut is_left = false;
        for _ in 0..2 {
            // A kind with nothing to send passes its turn on, and the next turn begins with the other kind.
            self.is_turn_of_replays = !self.is_turn_of_replays;
            let turn = if self.is_turn_of_replays {
                self.replay.take_turn(outlet, &mut self.pace).await?
            } else {
                self.redrive.take_turn(outlet, pending, &mut self.pace).await?
            };
            match turn {
                Turn::Taken(outcome, results) => {
                    self.save_results(outlet, pending, outcome, results).await?;
                    return Ok(Some(Step::More));
                }
                Turn::Later => is_left = true,
                Turn::Nothing => {}
            }
        }
        self.is_needed = is_left;
        self.pause = is_left.then_some(Pause { since_ms: outlet.now_ms(), length: CURSOR_WAIT });
        Ok(None)
    }

    /// Makes the results of a turn durable, together with the state of the sink. After a failure, pauses before the next turn.
    async fn save_results(
        &mut self,
        outlet: &mut Outlet,
        pending: &Pending,
        mut outcome: BatchOutcome,
        results: Results,
    ) -> Result<(), JournalError> {
        outcome.blame_sink_without_progress();
        outcome.count(&outlet.metrics, outlet.name(), DeliveryOutcome::Refused);
        if let Some(reason) = outcome.failure {
            if self.failure.as_ref() != Some(&reason) {
                tracing::warn!(
                    sink = outlet.name(),
                    reason,
                    "a resend fails: livehook keeps its events and tries again"
                );
            }
            // A delivery shows that the destination is up, so the pause becomes short again.
            self.failed_turns = if outcome.delivered > 0 { 1 } else { self.failed_turns.saturating_add(1) };
            self.pause = Some(outlet.pause(self.failed_turns, outlet.now_ms(), outcome.retry_after, true));
            self.failure = Some(reason);
        } else if outcome.delivered > 0 {
            self.failed_turns = 0;
            self.failure = None;
        }
        // One commit stores the results and the sink's state, so that a crash can't count an event that was not sent.
        let Results { redrive_attempts, replay } = results;
        outlet.keep(Progress { redrive_attempts, replay, urgent: true, ..outlet.progress(pending) });
        outlet.save().await
    }
}
