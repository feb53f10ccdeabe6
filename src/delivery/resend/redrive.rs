//! A redrive: dead letters go to their own sink again. One transaction stores the proof of a delivery and removes the dead
//! letter.
//!
//! Dead letters are read again before each try, so that one that was dropped is not sent. They take turns by their number, so
//! that one that fails again and again doesn't hold up the others.

use super::pace::{EVENTS_MAX, Pace};
use super::turn::{Results, Turn};
use crate::delivery::outcome::{BatchOutcome, Decision};
use crate::delivery::outlet::Outlet;
use crate::delivery::pending::Pending;
use crate::journal::{DeadLetter, JournalError, Record, RedriveAttempt, RedriveOutcome};

/// The redrive of one sink's dead letters.
#[derive(Default)]
pub(super) struct Redrive {
    /// The number of the dead letter that was tried last. The next turn begins after it.
    last_number: i64,
}

/// The part of a dead letter that a redrive needs, without its record.
struct Tried {
    number: i64,
    redriven_at_ms: Option<i64>,
    attempts: u32,
}

impl Redrive {
    /// Sends some of the dead letters again.
    ///
    /// # Errors
    /// The journal can't be read.
    pub(super) async fn take_turn(
        &mut self,
        outlet: &mut Outlet,
        pending: &Pending,
        pace: &mut Pace,
    ) -> Result<Turn, JournalError> {
        let mut dead_letters = outlet.consumer.redriven(self.last_number, EVENTS_MAX).await?;
        if dead_letters.is_empty() && self.last_number > 0 {
            // The last dead letter had its turn, so the next round starts.
            self.last_number = 0;
            dead_letters = outlet.consumer.redriven(0, EVENTS_MAX).await?;
        }
        let Some(last) = dead_letters.last().map(|one| one.number) else { return Ok(Turn::Nothing) };
        dead_letters.retain(|one| may_resend(outlet, pending, one));
        if dead_letters.is_empty() {
            self.last_number = last;
            return Ok(Turn::Later);
        }
        let (records, dead_letters): (Vec<Record>, Vec<Tried>) = dead_letters.into_iter().map(split).unzip();
        let outcomes = pace.deliver(outlet, &records).await;

        let now_ms = outlet.now_ms();
        let (mut outcome_of_batch, mut attempted) = (BatchOutcome::default(), Vec::new());
        for ((dead_letter, record), outcome) in dead_letters.into_iter().zip(&records).zip(outcomes) {
            let Tried { number, redriven_at_ms, attempts } = dead_letter;
            // Also after a failure, so that the next turn tries another one first.
            self.last_number = number;
            // The age counts from the redrive: the event may have been given up because of its age.
            let age_ms = redriven_at_ms.map_or(0, |redriven_at_ms| now_ms.saturating_sub(redriven_at_ms));
            let attempts = attempts.saturating_add(1);
            let outcome = match outcome_of_batch.decide(outcome, &outlet.retry, attempts, age_ms) {
                Decision::Done => RedriveOutcome::Delivered,
                Decision::Hold => continue,
                Decision::Retry { .. } => RedriveOutcome::Retry,
                Decision::GiveUp { reason } => {
                    let id = record.event.id();
                    tracing::warn!(sink = outlet.name(), number, %id, attempts, reason, "a dead letter failed again: it stays a dead letter");
                    RedriveOutcome::GivenUp { failure: reason, failed_at_ms: now_ms }
                }
            };
            attempted.push(RedriveAttempt { number, outcome });
        }
        if outcome_of_batch.delivered > 0 {
            tracing::info!(sink = outlet.name(), count = outcome_of_batch.delivered, "dead letters were delivered");
        }
        Ok(Turn::Taken(outcome_of_batch, Results { redrive_attempts: attempted, ..Results::default() }))
    }
}

/// Whether the record may be sent again: its first delivery is finished, and an ordered sink's cursor has passed it.
fn may_resend(outlet: &Outlet, pending: &Pending, dead_letter: &DeadLetter) -> bool {
    let offset = dead_letter.offset;
    match outlet.sink.is_ordered() {
        true => offset <= outlet.consumer.cursor(),
        false => pending.is_done(offset, dead_letter.event.partition_key()),
    }
}

fn split(dead_letter: DeadLetter) -> (Record, Tried) {
    let DeadLetter { number, redriven_at_ms, redriven_attempts: attempts, offset, event, .. } = dead_letter;
    (Record { offset, event }, Tried { number, redriven_at_ms, attempts })
}
