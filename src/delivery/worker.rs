//! The worker of one sink: takes turns between new events and resends, and waits when there is nothing to do.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::backoff::Pause;
use super::new_events::NewEvents;
use super::order::Order;
use super::outlet::Outlet;
use super::resend::Resends;
use crate::journal::{JournalError, Step};

#[cfg(test)]
mod tests;

/// The wait after the journal could not be read or written.
const JOURNAL_WAIT: Duration = Duration::from_secs(1);

/// How long after a delivery the next events wait for others. Each delivery stores its progress in the journal, and many sync a
/// disk, so under load one for each event would cost more than all else.
const GATHERING: Duration = Duration::from_millis(20);

/// The time between two calls of [`Sink::tend`](crate::sink::Sink::tend).
const TEND_INTERVAL: Duration = Duration::from_secs(60);

/// Delivers the records of a journal to one sink.
pub struct Worker {
    outlet: Outlet,
    new_events: NewEvents,
    resends: Resends,
    is_stopping: bool,
    /// Why the journal failed last; `None` after it worked again.
    journal_failure: Option<String>,
    /// The pause until the sink is tended again; `None` before the first time.
    tended: Option<Pause>,
    /// Why tending the sink failed last; `None` after it worked.
    tend_failure: Option<String>,
}

impl Worker {
    /// Makes the worker of a sink. It does nothing before its first step.
    pub fn new(outlet: Outlet) -> Worker {
        Worker {
            new_events: NewEvents::new(outlet.consumer.cursor()),
            resends: Resends::default(),
            outlet,
            is_stopping: false,
            journal_failure: None,
            tended: None,
            tend_failure: None,
        }
    }

    /// Works as long as `order` says. The cursor stays before the events that are not delivered, so the next worker delivers them.
    ///
    /// # Errors
    /// The journal is closed.
    pub async fn run(mut self, order: watch::Receiver<Order>) -> Result<(), JournalError> {
        let result = self.work_until(order).await;
        self.outlet.status.requests.close();
        result
    }

    async fn work_until(&mut self, mut order: watch::Receiver<Order>) -> Result<(), JournalError> {
        loop {
            let present = *order.borrow_and_update();
            if present == Order::End {
                return self.save_last().await;
            }
            if present == Order::Drain && !self.is_stopping {
                self.is_stopping = true;
                // Callbacks are still received, so a sink that takes all of them would never stop.
                self.new_events.read_up_to(self.outlet.consumer.head());
            }
            match self.step().await? {
                Step::More => {
                    if let Some(wait) = self.gathering_wait() {
                        self.rest(wait, &mut order).await;
                    }
                }
                _ if self.is_stopping => return Ok(()),
                Step::Idle => {
                    let (wait, can_read_more) = (self.wait(), self.new_events.can_read_more(&self.outlet));
                    let position = self.new_events.pending().position();
                    // New records don't wake a sink that may read no more. It waits for a pause to end.
                    let wait = wait.map_or(self.tend_wait(), |wait| wait.min(self.tend_wait()));
                    tokio::select! {
                        result = self.outlet.consumer.wait(position), if can_read_more => result?,
                        () = tokio::time::sleep(wait) => {}
                        () = self.outlet.status.requests.wait() => {}
                        // The sender goes only with the whole service.
                        Ok(()) = order.changed() => {}
                    }
                }
                Step::Wait(wait) => self.rest(wait.min(self.tend_wait().max(JOURNAL_WAIT)), &mut order).await,
            }
        }
    }

    /// The time in which the next events wait for others; `None` if they don't, or if something else can be done.
    fn gathering_wait(&mut self) -> Option<Duration> {
        let until = self.new_events.take_caught_up_at()? + GATHERING;
        let left = until.checked_duration_since(Instant::now())?;
        (self.wait() != Some(Duration::ZERO)).then_some(left)
    }

    /// Waits until the time is over, a person requests something, or the order changes.
    async fn rest(&mut self, wait: Duration, order: &mut watch::Receiver<Order>) {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = self.outlet.status.requests.wait() => {}
            // The sender goes only with the whole service.
            Ok(()) = order.changed() => {}
        }
    }

    /// Stores the progress of the last delivery, unless the journal fails now: then the next worker delivers those events again.
    async fn save_last(&mut self) -> Result<(), JournalError> {
        match self.outlet.save().await {
            Err(JournalError::Closed) => Err(JournalError::Closed),
            Err(error) => {
                tracing::warn!(sink = self.outlet.name(), "the progress of a sink can't be stored: {error}");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// The time until the next digest; `None` if the sink sends none, or if its time has come.
    fn digest_wait(&self) -> Option<Duration> {
        self.outlet.sink.digest_wait().filter(|left| !left.is_zero())
    }

    /// The time until the first pause ends; `None` if nothing is paused. A stopping worker doesn't ask.
    fn wait(&self) -> Option<Duration> {
        if let Some(left) = self.digest_wait() {
            return Some(left);
        }
        let now_ms = self.outlet.now_ms();
        self.new_events.pending().wait(now_ms).into_iter().chain(self.resends.wait(now_ms)).min()
    }

    /// Does one thing: saves progress, resumes the sink, delivers new events, or resends.
    ///
    /// # Errors
    /// The journal is closed. The worker waits after any other failure.
    pub async fn step(&mut self) -> Result<Step, JournalError> {
        let step = match self.try_step().await {
            Err(JournalError::Closed) => return Err(JournalError::Closed),
            // The journal may work again soon, and then the sink must go on without a restart.
            Err(error) => {
                let reason = error.to_string();
                if self.journal_failure.as_ref() != Some(&reason) {
                    tracing::warn!(
                        sink = self.outlet.name(),
                        reason,
                        "the journal cannot be read or written: the worker of this sink waits"
                    );
                }
                self.journal_failure = Some(reason);
                Step::Wait(JOURNAL_WAIT)
            }
            Ok(step) => {
                self.journal_failure = None;
                step
            }
        };
        // A person may have dropped dead letters.
        self.outlet.status.set_dead_letters(self.outlet.consumer.dead_letters());
        if self.new_events.is_resumed() {
            let oldest = self.new_events.pending().first();
            self.outlet.status.set_oldest_pending_ms(oldest.map(|record| record.event.received_ms()));
            self.outlet.status.set_failing(self.new_events.pending().first_failed().map(|record| &record.event));
        }
        Ok(step)
    }

    async fn try_step(&mut self) -> Result<Step, JournalError> {
        // First, because nothing may be delivered while the last progress is not durable.
        self.outlet.save().await?;
        if !self.new_events.is_resumed() {
            return self.new_events.resume(&mut self.outlet).await;
        }
        self.tend().await?;
        self.answer_requests().await?;
        // A sink that seems to be down gets no resend either.
        if let Some(left) = self.new_events.pause_left(self.outlet.now_ms()) {
            return Ok(Step::Wait(left));
        }
        if self.digest_wait().is_some() {
            // A resend waits too, because it would be a message of its own.
            return Ok(self.new_events.step(&mut self.outlet).await?.unwrap_or(Step::Idle));
        }
        // A busy sink always has new events, so resends would never have a turn.
        if self.resends.is_overdue()
            && let Some(step) = self.resend().await?
        {
            return Ok(step);
        }
        if let Some(step) = self.new_events.step(&mut self.outlet).await? {
            self.resends.note_batch();
            return Ok(step);
        }
        Ok(self.resend().await?.unwrap_or(Step::Idle))
    }

    /// Does what people have requested since the last step.
    async fn answer_requests(&mut self) -> Result<(), JournalError> {
        if self.outlet.status.requests.take_retry() {
            self.new_events.end_pauses();
            self.resends.end_pause();
        }
        for skip in self.outlet.status.requests.take_skips() {
            let count = self.new_events.skip(&mut self.outlet, &skip.selection).await?;
            // The caller may have stopped waiting.
            let _ = skip.answer.send(count);
        }
        Ok(())
    }

    /// The time until the sink is tended again.
    fn tend_wait(&self) -> Duration {
        self.tended.map_or(TEND_INTERVAL, |pause| pause.left(self.outlet.now_ms()))
    }

    /// Lets the sink do the work that the clock makes due, and stores its new state.
    async fn tend(&mut self) -> Result<(), JournalError> {
        let now_ms = self.outlet.now_ms();
        if self.is_stopping || self.tended.is_some_and(|pause| !pause.left(now_ms).is_zero()) {
            return Ok(());
        }
        self.tended = Some(Pause { since_ms: now_ms, length: TEND_INTERVAL });
        let failure = match self.outlet.sink.tend().await {
            Ok(has_changed) => {
                if has_changed {
                    self.outlet.keep(self.outlet.progress(self.new_events.pending()));
                }
                None
            }
            Err(failure) => Some(failure.reason),
        };
        if let Some(reason) = failure.as_ref().filter(|_| failure != self.tend_failure) {
            tracing::warn!(sink = self.outlet.name(), reason, "the sink could not do its regular work: it tries again");
        }
        self.tend_failure = failure;
        self.outlet.save().await
    }

    /// Resends, unless the worker stops. The next start continues.
    async fn resend(&mut self) -> Result<Option<Step>, JournalError> {
        if self.is_stopping {
            return Ok(None);
        }
        self.resends.step(&mut self.outlet, self.new_events.pending()).await
    }
}
