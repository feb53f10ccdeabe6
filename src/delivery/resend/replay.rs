//! A replay: journal records go to the sink again, in order, up to the end of the journal when the replay began.
//!
//! The cursor of a replay is stored only when every record before it is finished, so its counts are right after any crash.
//! Records sent after that cursor are then sent again.

use std::collections::VecDeque;

use super::pace::{EVENTS_MAX, Pace};
use super::turn::{Results, Turn};
use crate::callback::EventSelection;
use crate::delivery::outcome::{BatchOutcome, Decision};
use crate::delivery::outlet::Outlet;
use crate::delivery::replay_selection::ReplaySelection;
use crate::journal::{Consumer, JournalError, Offset, Record, Replay, ReplayProgress};
use crate::sink::{Failure, Outcome};

/// The records that are read at a time.
const READ_RECORDS: usize = 1000;

/// The most reads of a turn, if none of the records is selected.
const READS_MAX: u32 = 10;

/// Runs the replays of one sink, one after another.
#[derive(Default)]
pub(super) struct ReplayRunner {
    run: Option<Run>,
}

/// The replay in progress.
struct Run {
    number: i64,
    selection: EventSelection,
    last: Offset,
    /// Every record up to here is read.
    position: Offset,
    /// The records that are read and come after the batch, each with its number of attempts.
    queue: VecDeque<(Record, u32)>,
    /// The records that are being sent, each with its number of attempts.
    batch: Vec<(Record, u32)>,
    /// When the batch began, in Unix ms.
    began_ms: i64,
    /// The delivered events of the batch.
    done: i64,
    /// The events of the batch that were given up.
    failed: i64,
    reason: Option<String>,
}

impl ReplayRunner {
    /// Sends some records of the oldest replay that hasn't ended.
    ///
    /// # Errors
    /// The journal can't be read.
    pub(super) async fn take_turn(&mut self, outlet: &mut Outlet, pace: &mut Pace) -> Result<Turn, JournalError> {
        // Read in each turn, so that a replay that was cancelled ends.
        let Some(stored) = outlet.consumer.replay().await? else {
            self.run = None;
            return Ok(Turn::Nothing);
        };
        let run = match self.run.take().filter(|run| run.number == stored.number) {
            Some(run) => run,
            None => match begin(outlet, &stored) {
                Ok(run) => run,
                Err(reason) => return Ok(give_up(outlet, &stored, reason)),
            },
        };
        self.continue_run(outlet, pace, run, &stored).await
    }

    async fn continue_run(
        &mut self,
        outlet: &mut Outlet,
        pace: &mut Pace,
        mut run: Run,
        stored: &Replay,
    ) -> Result<Turn, JournalError> {
        let position_before = run.position;
        if let Err(error) = run.read(&*outlet.consumer, outlet.selection()).await {
            if error.is_damage() {
                return Ok(give_up(outlet, stored, error.to_string()));
            }
            self.run = Some(run);
            return Err(error);
        }
        if run.batch.is_empty() {
            // Nothing could be read, because the cursor of new events has not passed the next record yet.
            if run.queue.is_empty() && run.position == position_before && run.position < run.last {
                self.run = Some(run);
                return Ok(Turn::Later);
            }
            run.begin_batch(outlet.now_ms());
        }
        let outcome = run.try_batch(outlet, pace).await;
        let replay = run.progress(stored, outlet.now_ms());
        if replay.ended_at_ms.is_some() {
            let (done, failed) = (stored.done + replay.done, stored.failed + replay.failed);
            tracing::info!(sink = outlet.name(), replay = stored.number, done, failed, "a replay has ended");
        } else {
            self.run = Some(run);
        }
        Ok(Turn::Taken(outcome, Results { replay: Some(replay), ..Results::default() }))
    }
}

/// Begins or continues a replay from the place that the journal stores.
fn begin(outlet: &Outlet, stored: &Replay) -> Result<Run, String> {
    let selection: ReplaySelection =
        serde_json::from_str(&stored.order.selection).map_err(|error| error.to_string())?;
    let selection = selection.selection().map_err(|(member, reason)| format!("{member}: {reason}"))?;
    tracing::info!(
        sink = outlet.name(),
        replay = stored.number,
        events = stored.order.counted,
        "a replay begins or continues"
    );
    Ok(Run::new(stored, selection))
}

/// Ends a replay that can't go on: its stored selection can't be read, for example after a downgrade, or the next record is damaged.
fn give_up(outlet: &Outlet, stored: &Replay, reason: String) -> Turn {
    tracing::warn!(sink = outlet.name(), replay = stored.number, reason, "a replay cannot go on, so it has ended");
    let replay = ReplayProgress {
        number: stored.number,
        last_reason: Some(reason),
        ended_at_ms: Some(outlet.now_ms()),
        ..ReplayProgress::default()
    };
    Turn::Taken(BatchOutcome::default(), Results { replay: Some(replay), ..Results::default() })
}

impl Run {
    fn new(stored: &Replay, selection: EventSelection) -> Run {
        Run {
            number: stored.number,
            selection,
            last: stored.order.last,
            position: stored.cursor,
            queue: VecDeque::new(),
            batch: Vec::new(),
            began_ms: 0,
            done: 0,
            failed: 0,
            reason: None,
        }
    }

    /// Reads on until a record is selected, within the cursor of new events.
    async fn read(&mut self, consumer: &dyn Consumer, of_sink: &EventSelection) -> Result<(), JournalError> {
        let cursor = consumer.cursor();
        for _ in 0..READS_MAX {
            if !self.queue.is_empty() || !self.batch.is_empty() || self.position >= self.last.min(cursor) {
                break;
            }
            self.take_in(consumer.read(self.position, READ_RECORDS).await?, cursor, of_sink);
        }
        Ok(())
    }

    /// Adds records that were read, up to the last one that may be sent. A replay gives the sink no event that the sink's own
    /// selection (`of_sink`) excludes.
    fn take_in(&mut self, records: Vec<Record>, cursor: Offset, of_sink: &EventSelection) {
        if records.is_empty() {
            // No record is left up to `last`: pruning has removed them. The replay ends.
            self.position = self.last;
        }
        for record in records {
            if record.offset > self.last {
                self.position = self.last;
                return;
            }
            if record.offset > cursor {
                // Its first delivery is not finished, so sending it now would be early, not again.
                return;
            }
            self.position = record.offset;
            if self.selection.takes(&record.event) && of_sink.takes(&record.event) {
                self.queue.push_back((record, 0));
            }
        }
    }

    /// Begins a batch with the first records of the queue.
    fn begin_batch(&mut self, now_ms: i64) {
        let count = self.queue.len().min(EVENTS_MAX);
        self.batch = self.queue.drain(..count).collect();
        self.began_ms = now_ms;
    }

    /// Sends the records of the batch that the pace allows. The rest returns to the queue.
    async fn try_batch(&mut self, outlet: &mut Outlet, pace: &mut Pace) -> BatchOutcome {
        let mut outcome_of_batch = BatchOutcome::default();
        let (records, attempts): (Vec<Record>, Vec<u32>) = std::mem::take(&mut self.batch).into_iter().unzip();
        let mut outcomes = pace.deliver(outlet, &records).await.into_iter();
        // The events are old, so their age counts from the beginning of the batch.
        let age_ms = outlet.now_ms().saturating_sub(self.began_ms);
        let mut untried = VecDeque::new();
        for (record, earlier) in records.into_iter().zip(attempts) {
            let Some(outcome) = outcomes.next() else {
                untried.push_back((record, earlier));
                continue;
            };
            // Stored with the replay, so that `replay --watch` shows why it doesn't get on.
            if let Outcome::Retry(Failure { reason, .. }) | Outcome::Rejected { reason } = &outcome {
                self.reason = Some(reason.clone());
            }
            let attempts = earlier.saturating_add(1);
            match outcome_of_batch.decide(outcome, &outlet.retry, attempts, age_ms) {
                Decision::Done => self.done += 1,
                Decision::GiveUp { .. } => self.failed += 1,
                Decision::Hold => self.batch.push((record, earlier)),
                Decision::Retry { .. } => self.batch.push((record, attempts)),
            }
        }
        // The untried records come before the rest of the queue, because a replay keeps the order.
        untried.append(&mut self.queue);
        self.queue = untried;
        outcome_of_batch
    }

    /// Returns the cursor of the replay once the batch is finished.
    fn cursor(&self) -> Offset {
        self.queue.front().map_or(self.position, |(record, _)| record.offset.before())
    }

    /// Returns the progress to store: cursor and counts once the batch is finished, otherwise only the reason why it isn't.
    fn progress(&mut self, stored: &Replay, now_ms: i64) -> ReplayProgress {
        let number = self.number;
        let last_reason = self.reason.clone().filter(|reason| stored.last_reason.as_ref() != Some(reason));
        if !self.batch.is_empty() {
            return ReplayProgress { number, last_reason, ..ReplayProgress::default() };
        }
        let cursor = self.cursor();
        let (done, failed) = (std::mem::take(&mut self.done), std::mem::take(&mut self.failed));
        let ended_at_ms = (cursor >= self.last).then_some(now_ms);
        ReplayProgress { number, cursor, done, failed, last_reason, ended_at_ms }
    }
}
