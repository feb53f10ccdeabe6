//! The worker of one sink: reads a batch after the cursor, leaves out what the filter leaves out, delivers the rest, and
//! moves the cursor up to the lowest record that is not done.

mod again;
mod redrive;
mod replay;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use again::Again;

use super::{RetryOptions, Status};
use crate::journal::{Consumer, DeadLetter, JournalError, Offset, Progress, Record};
use crate::sink::{DeliveryError, Filter, Outcome, Sink};
use crate::telemetry::{DeliveryOutcome, Metrics};

/// How many records are read and delivered at a time.
const BATCH_RECORDS_MAX: usize = 1000;

/// How long a journal that cannot be read or written is left alone.
const JOURNAL_WAIT: Duration = Duration::from_secs(1);

/// What a step leaves to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is more to do at once.
    More,
    /// Everything is done up to the end of the journal. What failed when it was sent once more may be left, for later.
    Idle,
    /// An attempt failed: the next one comes after this wait.
    Wait(Duration),
}

/// Delivers the records of a journal to one sink.
pub struct Worker {
    consumer: Box<dyn Consumer>,
    sink: Box<dyn Sink>,
    filter: Filter,
    retry: RetryOptions,
    status: Arc<Status>,
    metrics: Arc<Metrics>,
    random: fastrand::Rng,
    is_resumed: bool,
    /// Every record up to here has been read.
    position: Offset,
    /// Records that are read and not done, in order. Done ones between them are gone already.
    pending: Vec<Record>,
    /// How often the sink has tried each of `pending`.
    attempts: Vec<u32>,
    /// How many attempts in a row brought nothing, for the wait before the next.
    failures: u32,
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
        filter: Filter,
        retry: RetryOptions,
        status: Arc<Status>,
        metrics: Arc<Metrics>,
    ) -> Worker {
        status.set_cursor(consumer.cursor().0);
        status.set_dead_letters(consumer.dead_letters());
        metrics.dead_letters(&status.sink, consumer.dead_letters());
        Worker {
            position: consumer.cursor(),
            consumer,
            sink,
            filter,
            retry,
            status,
            metrics,
            random: fastrand::Rng::new(),
            is_resumed: false,
            pending: Vec::new(),
            attempts: Vec::new(),
            failures: 0,
            unsaved: None,
            journal_failure: None,
            again: Again::default(),
        }
    }

    /// Works until `stop` turns true, and then on until all is done or an attempt fails: the cursor holds, so what is left
    /// is delivered after the next start.
    ///
    /// # Errors
    /// The journal is closed.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), JournalError> {
        loop {
            let now_ms = jiff::Timestamp::now().as_millisecond();
            // Asked before the step: what had come by then is seen by it.
            let is_stopping = *stop.borrow();
            let step = self.step(now_ms).await?;
            self.again.is_stopping = is_stopping;
            match step {
                Step::More => {}
                _ if is_stopping => return Ok(()),
                Step::Idle => {
                    let again = self.again.wait(now_ms);
                    tokio::select! {
                        result = self.consumer.wait(self.position) => result?,
                        () = tokio::time::sleep(again.unwrap_or_default()), if again.is_some() => {}
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

    /// Does one thing: saves progress, resumes the sink, reads, delivers, or sends something once more. `now_ms` is Unix time in ms.
    ///
    /// # Errors
    /// The journal is closed; any other failure is waited out.
    pub async fn step(&mut self, now_ms: i64) -> Result<Step, JournalError> {
        let result = match self.try_step(now_ms).await {
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

    async fn try_step(&mut self, now_ms: i64) -> Result<Step, JournalError> {
        self.save().await?;
        if !self.is_resumed {
            return self.resume().await;
        }
        if self.again.is_overdue()
            && let Some(step) = self.send_again(now_ms).await?
        {
            return Ok(step);
        }
        if self.pending.is_empty() {
            let read = self.consumer.read(self.position, BATCH_RECORDS_MAX).await?;
            let Some(last) = read.last() else { return Ok(self.send_again(now_ms).await?.unwrap_or(Step::Idle)) };
            self.position = last.offset;
            let count = read.len();
            self.pending = read.into_iter().filter(|record| self.filter.passes(&record.event)).collect();
            self.attempts = vec![0; self.pending.len()];
            let filtered = count - self.pending.len();
            if filtered > 0 {
                self.metrics.deliveries(&self.status.sink, DeliveryOutcome::Filtered, filtered as u64);
            }
        }
        self.deliver(now_ms).await
    }

    async fn resume(&mut self) -> Result<Step, JournalError> {
        let state = self.consumer.state().map(<[u8]>::to_vec);
        match self.sink.resume(self.consumer.cursor(), state.as_deref(), &*self.consumer).await {
            Ok(position) => {
                self.is_resumed = true;
                self.position = position.max(self.position);
                self.succeed();
                self.unsaved = Some(self.progress(Vec::new()));
                Ok(Step::More)
            }
            Err(error) => {
                // So that the age of what waits is known although nothing is pending yet.
                let oldest = self.consumer.read(self.position, 1).await?;
                self.status.set_oldest_pending_ms(oldest.first().map(|record| record.event.received_ms()));
                self.failures = self.failures.saturating_add(1);
                Ok(Step::Wait(self.fail(&error)))
            }
        }
    }

    async fn deliver(&mut self, now_ms: i64) -> Result<Step, JournalError> {
        self.status.set_oldest_pending_ms(self.pending.first().map(|record| record.event.received_ms()));
        let pending = std::mem::take(&mut self.pending);
        let outcomes = self.hand_over(&pending).await;
        self.again.batches = self.again.batches.saturating_add(1);

        let mut dead_letters = Vec::new();
        let mut failure = None;
        let (mut delivered, mut failed) = (0, 0);
        let attempts = std::mem::take(&mut self.attempts);
        for ((record, outcome), tried) in pending.into_iter().zip(outcomes).zip(attempts) {
            let error = match outcome {
                Ok(()) => {
                    delivered += 1;
                    continue;
                }
                Err(error) => error,
            };
            let attempts = if error == DeliveryError::Held { tried } else { tried.saturating_add(1) };
            if self.is_given_up(&error, record.event.received_ms(), attempts, now_ms) {
                let reason = error.to_string();
                tracing::warn!(sink = self.status.sink, id = %record.event.id(), attempts, reason, "gave up on an event: it is a dead letter now");
                dead_letters.push(DeadLetter { record, attempts, reason, failed_ms: now_ms });
                continue;
            }
            if error != DeliveryError::Held {
                failed += 1;
                failure.get_or_insert(error);
            }
            self.pending.push(record);
            self.attempts.push(attempts);
        }
        if failure.is_none() && !self.pending.is_empty() && delivered == 0 && dead_letters.is_empty() {
            // One that holds others back without failing itself would make the worker spin.
            failure = Some(DeliveryError::transient("the sink held events back and said of none that it had failed"));
        }
        for (outcome, count) in [
            (DeliveryOutcome::Delivered, delivered),
            (DeliveryOutcome::Transient, failed),
            (DeliveryOutcome::DeadLetter, dead_letters.len() as u64),
        ] {
            if count > 0 {
                self.metrics.deliveries(&self.status.sink, outcome, count);
            }
        }

        // Any success shows that the sink takes events again, so what is left begins anew.
        self.failures = if failure.is_some() && delivered == 0 { self.failures.saturating_add(1) } else { 0 };
        let wait = failure.map(|error| self.fail(&error));
        if wait.is_none() {
            self.succeed();
        }
        self.unsaved = Some(self.progress(dead_letters));
        self.save().await?;
        Ok(wait.map_or(Step::More, Step::Wait))
    }

    /// Has the sink take a batch, and gives an outcome for each event.
    async fn hand_over(&mut self, batch: &[Record]) -> Vec<Outcome> {
        let mut outcomes = if batch.is_empty() { Vec::new() } else { self.sink.deliver(batch).await };
        if outcomes.len() != batch.len() {
            // A sink that does not answer for an event has not proven that it has it.
            outcomes.resize(batch.len(), Err(DeliveryError::transient("the sink did not answer for this event")));
        }
        outcomes
    }

    /// Whether an event is to be a dead letter after this failure; its age counts since `since_ms`.
    fn is_given_up(&self, error: &DeliveryError, since_ms: i64, attempts: u32, now_ms: i64) -> bool {
        let age_secs = now_ms.saturating_sub(since_ms) / 1000;
        let age_secs_max = self.retry.age_secs_max.map_or(i64::MAX, |most| i64::try_from(most).unwrap_or(i64::MAX));
        match error {
            DeliveryError::Permanent { .. } => true,
            DeliveryError::Held => age_secs >= age_secs_max,
            DeliveryError::Transient { .. } => {
                age_secs >= age_secs_max || self.retry.attempts_max.is_some_and(|most| attempts >= most)
            }
        }
    }

    /// What is done, as the journal is to know it.
    fn progress(&self, dead_letters: Vec<DeadLetter>) -> Progress {
        Progress {
            cursor: self.pending.first().map_or(self.position, |record| record.offset.before()),
            state: self.sink.state(),
            dead_letters,
            settled: Vec::new(),
            replay: None,
            urgent: !self.pending.is_empty() || self.consumer.head() > self.position,
        }
    }

    async fn save(&mut self) -> Result<(), JournalError> {
        let Some(progress) = &self.unsaved else { return Ok(()) };
        let has_dead_letters = !progress.dead_letters.is_empty() || !progress.settled.is_empty();
        self.consumer.advance(progress.clone()).await?;
        self.unsaved = None;
        self.status.set_cursor(self.consumer.cursor().0);
        if has_dead_letters {
            self.tell_dead_letters();
        }
        Ok(())
    }

    fn tell_dead_letters(&self) {
        self.status.set_dead_letters(self.consumer.dead_letters());
        self.metrics.dead_letters(&self.status.sink, self.consumer.dead_letters());
    }

    /// Notes a failed attempt, and tells how long to wait.
    fn fail(&mut self, error: &DeliveryError) -> Duration {
        let retry_after = match error {
            DeliveryError::Transient { retry_after, .. } => *retry_after,
            DeliveryError::Held | DeliveryError::Permanent { .. } => None,
        };
        self.note_failure(&error.to_string());
        self.retry.wait(self.failures.max(1), self.random.f64(), retry_after)
    }

    /// A lasting failure is logged when it changes, not each time.
    fn note_failure(&self, reason: &str) {
        if self.status.set_attempt(self.failures.saturating_add(1), Some(reason.to_owned())) {
            tracing::warn!(
                sink = self.status.sink,
                reason,
                "the sink fails: what it has not taken is kept and tried again"
            );
        }
    }

    fn succeed(&mut self) {
        self.failures = 0;
        if self.status.set_attempt(1, None) {
            tracing::info!(sink = self.status.sink, "the sink takes events again");
        }
    }
}
