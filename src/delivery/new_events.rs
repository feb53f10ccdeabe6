//! New events: reads on after the cursor, skips the events that the sink's selection excludes, and delivers the rest. The
//! cursor stops at the first unfinished record.

use std::time::Duration;

use tokio::time::Instant;

use super::backoff::Pause;
use super::held::HeldStreams;
use super::outcome::{BatchOutcome, Decision, is_cut_short};
use super::outlet::Outlet;
use super::pending::{Attempts, Pending, RECORDS_MAX};
use super::report::{NewFailure, Report};
use super::requests::SkipSelection;
use super::status::FailingEvent;
use crate::journal::{JournalError, NewDeadLetter, Offset, Progress, Record, Step};
use crate::sink::Outcome;
use crate::telemetry::DeliveryOutcome;

#[cfg(test)]
mod tests;

/// The most records of a read for held streams. Most of them may be of other streams.
const HELD_READ_RECORDS: usize = 1000;

/// The most such reads before the next delivery.
const HELD_READS_MAX: usize = 16;

/// The delivery of new events to one sink.
pub(super) struct NewEvents {
    pending: Pending,
    is_resumed: bool,
    /// The last record to read; `None` as long as the sink takes every record.
    last: Option<Offset>,
    /// The number of outages in a row. The pause grows with it.
    outages: u32,
    /// The pause of the whole sink. It gets no event until the pause ends.
    pause: Option<Pause>,
    report: Report,
    /// When the last delivery ended, if no record of the journal waited then.
    caught_up_at: Option<Instant>,
}

/// The result of a read.
struct ReadAhead {
    /// Whether it found any record.
    has_read: bool,
    /// Whether it found as many records as may be pending, so that there may be more.
    is_full: bool,
}

impl NewEvents {
    /// Starts after `cursor`.
    pub(super) fn new(cursor: Offset) -> NewEvents {
        let pending = Pending::new(cursor, Vec::new(), HeldStreams::default());
        NewEvents {
            pending,
            is_resumed: false,
            last: None,
            outages: 0,
            pause: None,
            report: Report::default(),
            caught_up_at: None,
        }
    }

    /// The records that were read and aren't finished.
    pub(super) fn pending(&self) -> &Pending {
        &self.pending
    }

    /// Whether the sink has resumed.
    pub(super) fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    /// Returns the rest of the pause of the whole sink; `None` if it has none.
    pub(super) fn pause_left(&mut self, now_ms: i64) -> Option<Duration> {
        self.pause = self.pause.filter(|pause| !pause.left(now_ms).is_zero());
        self.pause.map(|pause| pause.left(now_ms))
    }

    /// Returns once when the last delivery ended. `None` if the journal had more records then, or if no more are to be read.
    pub(super) fn take_caught_up_at(&mut self) -> Option<Instant> {
        self.caught_up_at.take()
    }

    /// Reads no record after `last` from now on, except the ones that come with it in one batch.
    pub(super) fn read_up_to(&mut self, last: Offset) {
        self.last = Some(last);
    }

    /// Whether more records may be read. A sink that keeps order over all streams first finishes the pending ones, unless it sends
    /// all of them in one message.
    pub(super) fn can_read_more(&self, outlet: &Outlet) -> bool {
        if outlet.sink.is_ordered() && outlet.sink.digest_wait().is_none() {
            self.pending.is_empty()
        } else {
            self.pending.free_records() > 0
        }
    }

    /// Prepares the sink, and reads the records that an earlier run left unfinished.
    ///
    /// # Errors
    /// The journal can't be read.
    pub(super) async fn resume(&mut self, outlet: &mut Outlet) -> Result<Step, JournalError> {
        let state = outlet.consumer.state().map(<[u8]>::to_vec);
        let cursor = outlet.consumer.cursor();
        match outlet.sink.resume(cursor, state.as_deref(), &*outlet.consumer).await {
            Ok(position) => {
                let ahead = outlet.consumer.ahead().clone();
                let mut pending = Vec::with_capacity(ahead.pending.len());
                // The sink may have found out that it has some of them already.
                for (offset, attempts) in ahead.pending.into_iter().filter(|(offset, _)| *offset > position) {
                    let read = outlet.consumer.read(offset.before(), 1).await?.pop();
                    // The selection may have changed since.
                    let is_wanted =
                        |record: &Record| record.offset == offset && outlet.selection().takes(&record.event);
                    pending.extend(read.filter(is_wanted).map(|record| (record, attempts)));
                }
                // Each of the three can be the furthest, and only later records are unread. The sink may have records that the
                // journal does not know it has. The cursor also passes events that the selection excludes. The stored progress
                // reaches beyond the cursor if a record is unfinished.
                let held = ahead.held.into_iter().map(|(key, from)| (key, from.max(position.next()))).collect();
                let last = position.max(cursor).max(ahead.position);
                self.pending = Pending::new(last, pending, HeldStreams::new(held));
                self.is_resumed = true;
                self.outages = 0;
                self.report.success(outlet);
                // The next step saves this before it delivers, because the sink's position and state must be durable together.
                outlet.keep(outlet.progress(&self.pending));
                Ok(Step::More)
            }
            Err(failure) => {
                // Nothing is pending yet, but the status shows the age of the oldest event.
                let oldest = outlet.consumer.read(cursor, 1).await?;
                outlet.status.set_oldest_pending_ms(oldest.first().map(|record| record.event.received_ms()));
                self.outages = self.outages.saturating_add(1);
                self.report.failure(outlet, self.outages, failure.reason.clone(), Some((None, failure.reason)));
                Ok(Step::Wait(self.pause_sink(outlet, outlet.now_ms(), None)))
            }
        }
    }

    /// Reads on, and delivers every record that is ready. Returns `None` if there was nothing to do.
    ///
    /// # Errors
    /// The journal can't be read or written.
    pub(super) async fn step(&mut self, outlet: &mut Outlet) -> Result<Option<Step>, JournalError> {
        let ReadAhead { has_read, is_full } = self.read(outlet).await?;
        self.report.waiting(outlet, &self.pending);
        // A digest is about every event that waits, so the worker first reads on. Until its time has come, the status shows the
        // oldest of them.
        let is_gathering =
            outlet.sink.digest_wait().is_some_and(|left| !left.is_zero() || is_full && self.can_read_more(outlet));
        let (batch, attempts) =
            if is_gathering { Default::default() } else { self.pending.take_ready(outlet.now_ms()) };
        // A restart reads the events that a digest waits for once more, so they cost no commit.
        if is_gathering && has_read && self.pending.cursor() == outlet.consumer.cursor() {
            return Ok(Some(Step::More));
        }
        // Reading alone is progress too: the cursor passes the events that the selection excludes.
        if batch.is_empty() && !has_read {
            return Ok(None);
        }
        self.deliver(outlet, batch, attempts, is_full).await.map(Some)
    }

    /// Reads as many records as may be pending.
    async fn read(&mut self, outlet: &mut Outlet) -> Result<ReadAhead, JournalError> {
        let has_read_held = self.read_held(outlet).await?;
        let has_read_last = self.last.is_some_and(|last| self.pending.position() >= last);
        if has_read_last || !self.can_read_more(outlet) {
            return Ok(ReadAhead { has_read: has_read_held, is_full: !has_read_last });
        }
        let count_max = self.pending.free_records();
        let read = outlet.consumer.read(self.pending.position(), count_max).await?;
        let Some(position) = read.last().map(|record| record.offset) else {
            return Ok(ReadAhead { has_read: has_read_held, is_full: false });
        };
        let count = read.len();
        let passing: Vec<Record> = read.into_iter().filter(|record| outlet.selection().takes(&record.event)).collect();
        let filtered = count - passing.len();
        if filtered > 0 {
            outlet.metrics.deliveries(outlet.name(), DeliveryOutcome::Filtered, filtered as u64);
        }
        self.pending.take_in(passing, position);
        Ok(ReadAhead { has_read: true, is_full: count == count_max })
    }

    /// Reads records that wait in the journal and may be tried now. Returns whether it read any record.
    async fn read_held(&mut self, outlet: &mut Outlet) -> Result<bool, JournalError> {
        let mut has_read = false;
        for _ in 0..HELD_READS_MAX {
            // The other half is for new records, which must not wait until a long stream has caught up.
            let count_max = self.pending.free_records().div_ceil(2);
            let Some(first) = self.pending.first_held().filter(|_| count_max > 0) else { break };
            let records = outlet.consumer.read(first.before(), HELD_READ_RECORDS).await?;
            has_read = true;
            if self.pending.take_in_held(records, count_max, |event| outlet.selection().takes(event)) {
                break;
            }
        }
        Ok(has_read)
    }

    /// Delivers a batch, decides on each event, and stores the progress. `may_have_more` says that the journal may have records that
    /// are not read.
    async fn deliver(
        &mut self,
        outlet: &mut Outlet,
        batch: Vec<Record>,
        attempts: Vec<Attempts>,
        may_have_more: bool,
    ) -> Result<Step, JournalError> {
        let outcomes = outlet.deliver(&batch).await;
        self.caught_up_at = (!may_have_more && self.last.is_none()).then(Instant::now);
        // The attempt may have taken long, so pauses and ages count from its end.
        let now_ms = outlet.now_ms();
        let is_cut_short = is_cut_short(&batch, &outcomes);
        let is_any_delivered = outcomes.contains(&Outcome::Delivered);
        let mut outcome_of_batch = BatchOutcome::default();
        let (mut unfinished, mut dead_letters, mut new_failure) = (Vec::new(), Vec::new(), None);
        for ((record, earlier), outcome) in batch.into_iter().zip(attempts).zip(outcomes) {
            let attempts = earlier.count.saturating_add(1);
            let age_ms = now_ms.saturating_sub(record.event.received_ms());
            match outcome_of_batch.decide(outcome, &outlet.retry, attempts, age_ms) {
                Decision::Done => {}
                Decision::Hold => unfinished.push((record, earlier)),
                Decision::Retry { reason, retry_after } => {
                    if earlier.reason.as_ref() != Some(&reason) {
                        new_failure.get_or_insert_with(|| (Some(FailingEvent::of(&record.event)), reason.clone()));
                    }
                    // Without a delivery, each failure may be an outage, whatever the sink reports.
                    let pause = outlet.pause(attempts, now_ms, retry_after, !is_any_delivered);
                    // A sink that keeps order over all streams pauses as a whole.
                    let pause = (!outlet.sink.is_ordered()).then_some(pause);
                    unfinished.push((record, Attempts { count: attempts, reason: Some(reason), pause }));
                }
                Decision::GiveUp { reason } => {
                    let FailingEvent { id, stream } = FailingEvent::of(&record.event);
                    tracing::warn!(sink = outlet.name(), %id, stream, attempts, reason, "gave up on an event: it is a dead letter now");
                    dead_letters.push(NewDeadLetter { record, attempts, failure: reason, failed_at_ms: now_ms });
                }
            }
        }
        // First, because the status below shows the failures of the records that are still pending.
        self.pending.take_back(unfinished);
        if !outlet.sink.is_ordered() {
            self.pending.hold_back(RECORDS_MAX / 2);
        }
        outcome_of_batch.blame_sink_without_progress();
        outcome_of_batch.count(&outlet.metrics, outlet.name(), DeliveryOutcome::DeadLetter);
        let wait = self.pause_sink_after(outlet, &outcome_of_batch, is_cut_short, now_ms);
        self.report_batch(outlet, &outcome_of_batch, new_failure);
        // One commit stores the dead letters and the cursor, so that a crash neither loses a dead letter nor makes it twice.
        outlet.keep(Progress { dead_letters, ..outlet.progress(&self.pending) });
        outlet.save().await?;
        Ok(wait.map_or(Step::More, Step::Wait))
    }

    /// Pauses the sink if it seems to be down, and returns the length of the pause.
    fn pause_sink_after(
        &mut self,
        outlet: &mut Outlet,
        outcome: &BatchOutcome,
        is_cut_short: bool,
        now_ms: i64,
    ) -> Option<Duration> {
        // No event of an ordered sink may pass one that failed, so its first failure stops all of it.
        let ordered_sink_failed = outlet.sink.is_ordered() && outcome.failure.is_some();
        if !(ordered_sink_failed || is_cut_short || outcome.is_outage()) {
            self.outages = 0;
            return None;
        }
        // If some of the batch got through, the destination is up again or nearly so. A short pause then loses least time.
        self.outages = if outcome.is_any_done() { 1 } else { self.outages.saturating_add(1) };
        Some(self.pause_sink(outlet, now_ms, outcome.retry_after))
    }

    /// Pauses the sink, and returns the length of the pause.
    fn pause_sink(&mut self, outlet: &mut Outlet, now_ms: i64, retry_after: Option<Duration>) -> Duration {
        let pause = outlet.pause(self.outages.max(1), now_ms, retry_after, true);
        self.pause = Some(pause);
        pause.length
    }

    /// Ends every pause, because a person wants the sink to try again now.
    pub(super) fn end_pauses(&mut self) {
        self.pause = None;
        self.pending.end_pauses();
    }

    /// Makes dead letters of the selected events that are read and not finished. Returns their number.
    ///
    /// # Errors
    /// The journal can't be written.
    pub(super) async fn skip(&mut self, outlet: &mut Outlet, selection: &SkipSelection) -> Result<u64, JournalError> {
        let failed_at_ms = outlet.now_ms();
        let dead_letter = |(record, attempts): (Record, Attempts)| {
            let failure = match attempts.reason {
                Some(reason) => format!("skipped on request; the last failure: {reason}"),
                None => "skipped on request".to_owned(),
            };
            NewDeadLetter { record, attempts: attempts.count, failure, failed_at_ms }
        };
        let taken = self.pending.take_events(|event| selection.takes(event));
        let mut count = self.save_skipped(outlet, taken.into_iter().map(dead_letter).collect()).await?;
        while let Some(first) = self.pending.first_held_of(|key| selection.takes_stream(key)) {
            let records = outlet.consumer.read(first.before(), HELD_READ_RECORDS).await?;
            let mut taken = self.pending.take_held_of(records, |key| selection.takes_stream(key));
            taken.retain(|record| outlet.selection().takes(&record.event));
            let untried = taken.into_iter().map(|record| (record, Attempts::default()));
            count += self.save_skipped(outlet, untried.map(dead_letter).collect()).await?;
        }
        tracing::warn!(sink = outlet.name(), count, "events were skipped on request: they are dead letters now");
        if self.outages == 0 && !self.pending.has_failed() {
            // The failure that the status shows was of a skipped event.
            outlet.status.set_attempt(1, None);
        }
        self.report.waiting(outlet, &self.pending);
        Ok(count)
    }

    /// Stores the dead letters of events that were skipped, and returns their number.
    async fn save_skipped(
        &mut self,
        outlet: &mut Outlet,
        dead_letters: Vec<NewDeadLetter>,
    ) -> Result<u64, JournalError> {
        let count = dead_letters.len() as u64;
        if count > 0 {
            outlet.metrics.deliveries(outlet.name(), DeliveryOutcome::DeadLetter, count);
            outlet.keep(Progress { dead_letters, ..outlet.progress(&self.pending) });
            outlet.save().await?;
        }
        Ok(count)
    }

    /// Shows in the status and in the log whether the sink works. `new_failure` is a failure that differs from the last one of
    /// its event.
    fn report_batch(&mut self, outlet: &Outlet, outcome: &BatchOutcome, new_failure: Option<NewFailure>) {
        if let Some(reason) = &outcome.failure {
            let attempts = self.outages.max(self.pending.attempts_max());
            self.report.failure(outlet, attempts, reason.clone(), new_failure);
        // A delivery of another stream says nothing about the records that have failed and still wait.
        } else if outcome.delivered > 0 && !self.pending.has_failed() {
            self.outages = 0;
            self.report.success(outlet);
        }
    }
}
