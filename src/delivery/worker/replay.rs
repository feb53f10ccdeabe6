//! A replay: recorded events go to the sink again, in their order, up to where the journal ended when it was asked for.
//!
//! Its place is stored only where all before it is done, so that its counts are right after any crash; what was sent after
//! it is sent once more then.

use std::collections::VecDeque;

use super::Worker;
use super::again::{EVENTS_MAX, Turn};
use super::tally::{Fate, HourlyCounts};
use crate::callback::EventSelection;
use crate::delivery::ReplaySelection;
use crate::journal::{JournalError, Offset, Progress, Record, Replay, ReplayProgress};
use crate::sink::{Failure, Outcome};

/// How many records are read at a time, and how often in one turn when none of them is meant.
const READ_RECORDS: usize = 1000;
const READS_MAX: u32 = 10;

/// The replay that is under way.
pub(super) struct Run {
    number: i64,
    selection: EventSelection,
    last: Offset,
    /// Every record up to here has been read.
    position: Offset,
    /// What is read and comes after the batch, each with how often it was tried.
    queue: VecDeque<(Record, u32)>,
    /// What is being tried.
    batch: Vec<(Record, u32)>,
    /// When the batch was begun, in Unix ms.
    began_ms: i64,
    /// How many of the batch are done.
    done: i64,
    failed: i64,
    reason: Option<String>,
}

impl Run {
    fn new(replay: &Replay, selection: EventSelection) -> Run {
        Run {
            number: replay.number,
            selection,
            last: replay.order.last,
            position: replay.cursor,
            queue: VecDeque::new(),
            batch: Vec::new(),
            began_ms: 0,
            done: 0,
            failed: 0,
            reason: None,
        }
    }

    /// Takes in records that were read, up to the last one that may be sent. A replay gives the sink nothing that the sink's
    /// own selection leaves out.
    fn take_in(&mut self, records: Vec<Record>, cursor: Offset, of_sink: &EventSelection) {
        if records.is_empty() {
            self.position = self.last;
        }
        for record in records {
            if record.offset > self.last {
                self.position = self.last;
                return;
            }
            if record.offset > cursor {
                return;
            }
            self.position = record.offset;
            if self.selection.takes(&record.event) && of_sink.takes(&record.event) {
                self.queue.push_back((record, 0));
            }
        }
    }

    /// The place up to which all is done, when the batch is.
    fn cursor(&self) -> Offset {
        self.queue.front().map_or(self.position, |(record, _)| record.offset.before())
    }

    /// What is to be stored: the place once the batch is done, else only why it is not.
    fn progress(&mut self, stored: &Replay, now_ms: i64) -> ReplayProgress {
        let number = self.number;
        let last_reason = self.reason.clone().filter(|reason| stored.last_reason.as_ref() != Some(reason));
        if !self.batch.is_empty() {
            return ReplayProgress { number, last_reason, ..ReplayProgress::default() };
        }
        let cursor = self.cursor();
        let (done, failed) = (std::mem::take(&mut self.done), std::mem::take(&mut self.failed));
        let ended_ms = (cursor >= self.last).then_some(now_ms);
        ReplayProgress { number, cursor, done, failed, last_reason, ended_ms }
    }
}

impl Worker {
    /// Does a part of the oldest replay that has not ended.
    pub(super) async fn replay(&mut self) -> Result<Turn, JournalError> {
        // Read each time, so that one that was cancelled ends.
        let Some(stored) = self.consumer.replay().await? else {
            self.again.run = None;
            return Ok(Turn::Nothing);
        };
        let run = match self.again.run.take().filter(|run| run.number == stored.number) {
            Some(run) => run,
            None => match self.begin(&stored) {
                Ok(run) => run,
                Err(reason) => return self.give_up(&stored, reason).await,
            },
        };
        self.go_on(run, &stored).await
    }

    fn begin(&self, stored: &Replay) -> Result<Run, String> {
        let selection: ReplaySelection =
            serde_json::from_str(&stored.order.selection).map_err(|error| error.to_string())?;
        let selection = selection.selection().map_err(|(member, reason)| format!("{member}: {reason}"))?;
        tracing::info!(
            sink = self.status.sink,
            replay = stored.number,
            events = stored.order.counted,
            "a replay goes on"
        );
        Ok(Run::new(stored, selection))
    }

    /// Ends a replay of which it cannot be read any more what was meant, as after a downgrade.
    async fn give_up(&mut self, stored: &Replay, reason: String) -> Result<Turn, JournalError> {
        tracing::warn!(
            sink = self.status.sink,
            replay = stored.number,
            reason,
            "a replay cannot be read, and has ended"
        );
        let replay = ReplayProgress {
            number: stored.number,
            last_reason: Some(reason),
            ended_ms: Some(self.now_ms()),
            ..ReplayProgress::default()
        };
        let progress = |progress| Progress { replay: Some(replay), ..progress };
        self.settle_again(HourlyCounts::default(), progress).await?;
        Ok(Turn::Taken)
    }

    async fn go_on(&mut self, mut run: Run, stored: &Replay) -> Result<Turn, JournalError> {
        let cursor = self.consumer.cursor();
        let from = run.position;
        for _ in 0..READS_MAX {
            if !run.queue.is_empty() || !run.batch.is_empty() || run.position >= run.last.min(cursor) {
                break;
            }
            let records = self.consumer.read(run.position, READ_RECORDS).await?;
            run.take_in(records, cursor, &self.selection);
        }
        if run.batch.is_empty() {
            if run.queue.is_empty() && run.position == from && run.position < run.last {
                self.again.run = Some(run);
                return Ok(Turn::Later);
            }
            let count = run.queue.len().min(EVENTS_MAX);
            run.batch = run.queue.drain(..count).collect();
            run.began_ms = self.now_ms();
        }

        let tally = self.try_batch(&mut run).await;
        let replay = run.progress(stored, self.now_ms());
        if replay.ended_ms.is_some() {
            let (done, failed) = (stored.done + replay.done, stored.failed + replay.failed);
            tracing::info!(
                sink = self.status.sink,
                replay = stored.number,
                done,
                failed,
                "a replay has come to its end"
            );
        } else {
            self.again.run = Some(run);
        }
        self.settle_again(tally, |progress| Progress { replay: Some(replay), ..progress }).await?;
        Ok(Turn::Taken)
    }

    async fn try_batch(&mut self, run: &mut Run) -> HourlyCounts {
        let mut tally = HourlyCounts::default();
        let (records, tries): (Vec<Record>, Vec<u32>) = std::mem::take(&mut run.batch).into_iter().unzip();
        let mut outcomes = self.deliver_again(&records).await.into_iter();
        let age_ms = self.now_ms().saturating_sub(run.began_ms);
        let mut left = VecDeque::new();
        for (record, tried) in records.into_iter().zip(tries) {
            let Some(outcome) = outcomes.next() else {
                left.push_back((record, tried));
                continue;
            };
            if let Outcome::Retry(Failure { reason, .. }) | Outcome::Rejected { reason } = &outcome {
                run.reason = Some(reason.clone());
            }
            let attempts = tried.saturating_add(1);
            // The events are old: what counts is for how long they are tried now.
            match tally.judge(outcome, &self.retry, attempts, age_ms) {
                Fate::Delivered => run.done += 1,
                Fate::GivenUp { .. } => run.failed += 1,
                Fate::Held => run.batch.push((record, tried)),
                Fate::Failed { .. } => run.batch.push((record, attempts)),
            }
        }
        left.append(&mut run.queue);
        run.queue = left;
        tally
    }
}
