//! The worker of one sink: reads on after the cursor, leaves out what the filter leaves out, delivers the rest, and moves
//! the cursor up to the lowest record that is not done.
//!
//! Here are its steps; `pending` knows what may be handed over, `attempt` does it, `tally` judges what became of it, and
//! `again` sends once more what people want sent once more.

mod again;
mod attempt;
mod pending;
mod redrive;
mod replay;
mod tally;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use again::Again;
use pending::Pending;

use super::backoff::Pause;
use super::{RetryOptions, Status};
use crate::callback::EventSelection;
use crate::journal::{Consumer, DeadLetter, JournalError, Progress, Record};
use crate::sink::Sink;
use crate::telemetry::{DeliveryOutcome, Metrics};

/// How long a journal that cannot be read or written is left alone.
const JOURNAL_WAIT: Duration = Duration::from_secs(1);

/// Tells the Unix time in ms; a test gives its own.
pub(super) type Clock = Box<dyn Fn() -> i64 + Send + Sync>;

/// What a step leaves to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is more to do at once.
    More,
    /// Nothing until there are new records, or the time has come for what waits.
    Idle,
    /// Nothing at all before the end of this wait.
    Wait(Duration),
}

/// Delivers the records of a journal to one sink.
pub struct Worker {
    consumer: Box<dyn Consumer>,
    sink: Box<dyn Sink>,
    selection: EventSelection,
    retry: RetryOptions,
    status: Arc<Status>,
    metrics: Arc<Metrics>,
    clock: Clock,
    random: fastrand::Rng,
    is_resumed: bool,
    pending: Pending,
    /// How many times in a row the sink took nothing at all, for the wait before the next.
    failures: u32,
    /// The time in which the sink is given nothing.
    pause: Option<Pause>,
    /// Why the sink failed, as it was logged last; `None` once it takes events again.
    logged: Option<String>,
    /// Progress that the journal has not confirmed.
    unsaved: Option<Progress>,
    /// Why the journal failed last; `None` once it did not.
    journal_failure: Option<String>,
    /// What is sent once more, beside what is new.
    again: Again,
}

impl Worker {
    /// Makes the worker of a sink. It does nothing before its first step.
    pub fn new(
        consumer: Box<dyn Consumer>,
        sink: Box<dyn Sink>,
        selection: EventSelection,
        retry: RetryOptions,
        status: Arc<Status>,
        metrics: Arc<Metrics>,
    ) -> Worker {
        status.set_cursor(consumer.cursor().0);
        status.set_dead_letters(consumer.dead_letters());
        Worker {
            pending: Pending::new(consumer.cursor(), Vec::new()),
            consumer,
            sink,
            selection,
            retry,
            status,
            metrics,
            clock: Box::new(|| jiff::Timestamp::now().as_millisecond()),
            random: fastrand::Rng::new(),
            is_resumed: false,
            failures: 0,
            pause: None,
            logged: None,
            unsaved: None,
            journal_failure: None,
            again: Again::default(),
        }
    }

    /// The same, with another clock.
    #[cfg(test)]
    pub(super) fn with_clock(self, clock: Clock) -> Worker {
        Worker { clock, ..self }
    }

    fn now_ms(&self) -> i64 {
        (self.clock)()
    }

    /// Works until `stop` turns true, and then on until all is done or has failed: the cursor holds, so what is left is
    /// delivered after the next start.
    ///
    /// # Errors
    /// The journal is closed.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), JournalError> {
        loop {
            // Asked before the step: what had come by then is seen by it.
            let is_stopping = *stop.borrow();
            self.again.is_stopping = is_stopping;
            match self.step().await? {
                Step::More => {}
                _ if is_stopping => return Ok(()),
                Step::Idle => {
                    let (wait, reads_on) = (self.wait(), self.reads_on());
                    tokio::select! {
                        result = self.consumer.wait(self.pending.position()), if reads_on => result?,
                        () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
                        _ = stop.wait_for(|stop| *stop) => {}
                    }
                }
                Step::Wait(wait) => tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                },
            }
        }
    }

    /// How long until something waits no longer; `None` where nothing does.
    pub(super) fn wait(&self) -> Option<Duration> {
        let now_ms = self.now_ms();
        self.pending.wait(now_ms).into_iter().chain(self.again.wait(now_ms)).min()
    }

    /// Whether records may be read beside those that are pending. Order over all streams would be lost by it.
    fn reads_on(&self) -> bool {
        if self.sink.is_ordered() { self.pending.is_empty() } else { self.pending.room() > 0 }
    }

    /// Does one thing: saves progress, resumes the sink, reads and delivers, or sends something once more.
    ///
    /// # Errors
    /// The journal is closed; any other failure is waited out.
    pub async fn step(&mut self) -> Result<Step, JournalError> {
        let result = match self.try_step().await {
            Err(JournalError::Closed) => return Err(JournalError::Closed),
            Err(error) => {
                let reason = error.to_string();
                if self.journal_failure.as_ref() != Some(&reason) {
                    tracing::warn!(sink = self.status.sink, reason, "the journal fails this sink: it waits");
                }
                self.journal_failure = Some(reason);
                Step::Wait(JOURNAL_WAIT)
            }
            Ok(step) => {
                self.journal_failure = None;
                step
            }
        };
        // Somebody may have dropped some.
        self.status.set_dead_letters(self.consumer.dead_letters());
        if self.is_resumed {
            self.status.set_oldest_pending_ms(self.pending.first().map(|record| record.event.received_ms()));
        }
        Ok(result)
    }

    async fn try_step(&mut self) -> Result<Step, JournalError> {
        self.save().await?;
        if !self.is_resumed {
            return self.resume().await;
        }
        if let Some(pause) = self.pause {
            let left = pause.left(self.now_ms());
            if !left.is_zero() {
                return Ok(Step::Wait(left));
            }
            self.pause = None;
        }
        if self.again.is_overdue()
            && let Some(step) = self.send_again().await?
        {
            return Ok(step);
        }
        let has_read = self.read().await?;
        let (batch, tries) = self.pending.take_ready(self.now_ms());
        if batch.is_empty() && !has_read {
            return Ok(self.send_again().await?.unwrap_or(Step::Idle));
        }
        self.deliver(batch, tries).await
    }

    /// Readies the sink, and finds what an earlier run left undone.
    async fn resume(&mut self) -> Result<Step, JournalError> {
        let state = self.consumer.state().map(<[u8]>::to_vec);
        let cursor = self.consumer.cursor();
        match self.sink.resume(cursor, state.as_deref(), &*self.consumer).await {
            Ok(position) => {
                let ahead = self.consumer.ahead().clone();
                let mut pending = Vec::with_capacity(ahead.pending.len());
                for (offset, attempts) in ahead.pending.into_iter().filter(|(offset, _)| *offset > position) {
                    let read = self.consumer.read(offset.before(), 1).await?.pop();
                    let wanted = |record: &Record| record.offset == offset && self.selection.takes(&record.event);
                    pending.extend(read.filter(wanted).map(|record| (record, attempts)));
                }
                self.pending = Pending::new(position.max(cursor).max(ahead.position), pending);
                self.is_resumed = true;
                self.succeed();
                self.unsaved = Some(self.progress(Vec::new()));
                Ok(Step::More)
            }
            Err(error) => {
                // So that the age of what waits is known although nothing is pending yet.
                let oldest = self.consumer.read(cursor, 1).await?;
                self.status.set_oldest_pending_ms(oldest.first().map(|record| record.event.received_ms()));
                self.failures = self.failures.saturating_add(1);
                self.tell_failure(error.to_string(), Some(error.to_string()));
                Ok(Step::Wait(self.rest(self.now_ms(), None)))
            }
        }
    }

    /// Reads on, as far as there is room. Whether there was anything.
    async fn read(&mut self) -> Result<bool, JournalError> {
        if !self.reads_on() {
            return Ok(false);
        }
        let read = self.consumer.read(self.pending.position(), self.pending.room()).await?;
        let Some(position) = read.last().map(|record| record.offset) else { return Ok(false) };
        let count = read.len();
        let passing: Vec<Record> = read.into_iter().filter(|record| self.selection.takes(&record.event)).collect();
        let filtered = count - passing.len();
        if filtered > 0 {
            self.metrics.deliveries(&self.status.sink, DeliveryOutcome::Filtered, filtered as u64);
        }
        self.pending.take_in(passing, position);
        Ok(true)
    }

    /// What is done, as the journal is to know it.
    fn progress(&self, dead_letters: Vec<DeadLetter>) -> Progress {
        Progress {
            cursor: self.pending.cursor(),
            ahead: self.pending.ahead(),
            state: self.sink.state(),
            dead_letters,
            settled: Vec::new(),
            replay: None,
            urgent: !self.pending.is_empty() || self.consumer.head() > self.pending.position(),
        }
    }

    async fn save(&mut self) -> Result<(), JournalError> {
        let Some(progress) = &self.unsaved else { return Ok(()) };
        self.consumer.advance(progress.clone()).await?;
        self.unsaved = None;
        self.status.set_cursor(self.consumer.cursor().0);
        Ok(())
    }
}
