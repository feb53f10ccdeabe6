//! One sink with everything that delivers to it. New events and resends share it, because some sinks must be the only writer to
//! their destination.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::backoff::{Pause, RetryOptions};
use super::doubts::Doubts;
use super::pending::Pending;
use super::status::Status;
use crate::callback::EventSelection;
use crate::clock::Clock;
use crate::journal::{Consumer, JournalError, Progress, Record};
use crate::sink::{Failure, Outcome, Sink};
use crate::telemetry::Metrics;

/// The longest wait in an outage, unless the destination asks for a longer one.
const OUTAGE_WAIT_MAX: Duration = Duration::from_secs(15);

/// One sink, its consumer of the journal, and its retry rules.
pub struct Outlet {
    pub(super) consumer: Box<dyn Consumer>,
    pub(super) sink: Box<dyn Sink>,
    pub(super) retry: RetryOptions,
    pub(super) status: Arc<Status>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Clock,
    random: fastrand::Rng,
    doubts: Doubts,
    /// Progress that the journal hasn't confirmed.
    unsaved: Option<Progress>,
}

impl Outlet {
    /// Makes the outlet of a sink, and shows the consumer's cursor in `status`.
    pub fn new(
        consumer: Box<dyn Consumer>,
        sink: Box<dyn Sink>,
        retry: RetryOptions,
        status: Arc<Status>,
        metrics: Arc<Metrics>,
        clock: Clock,
    ) -> Outlet {
        status.set_cursor(consumer.cursor().0);
        status.set_dead_letters(consumer.dead_letters());
        metrics.expect_deliveries(&status.sink);
        let random = fastrand::Rng::new();
        Outlet { consumer, sink, retry, status, metrics, clock, random, doubts: Doubts::default(), unsaved: None }
    }

    /// The name of the sink.
    pub(super) fn name(&self) -> &str {
        &self.status.sink
    }

    /// The events that the sink is given. A resend obeys it too.
    pub(super) fn selection(&self) -> &EventSelection {
        &self.status.selection
    }

    pub(super) fn now_ms(&self) -> i64 {
        (self.clock)()
    }

    /// Hands a batch to the sink, and returns an outcome for each event.
    pub(super) async fn deliver(&mut self, batch: &[Record]) -> Vec<Outcome> {
        if batch.is_empty() {
            return Vec::new();
        }
        let began = Instant::now();
        let mut outcomes = self.sink.deliver(batch).await;
        let has_delivered = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Delivered));
        let delivered_ms = has_delivered.then(|| self.now_ms());
        if let Some(delivered_ms) = delivered_ms {
            self.status.note_delivery(delivered_ms);
        }
        self.metrics.attempts().finished(self.name(), began.elapsed(), delivered_ms);
        if outcomes.len() != batch.len() {
            // Without an outcome, nothing proves that the sink has the event.
            outcomes.resize(batch.len(), Failure::outage("the sink returned no outcome for this event").into());
        }
        self.doubts.decide(batch, &mut outcomes);
        outcomes
    }

    /// Returns the pause after failed attempt number `attempt`. It begins at `since_ms`, and `retry_after` is the wait that the
    /// destination asked for. In an outage the pause is shorter, so that the sink soon finds out that it's over.
    pub(super) fn pause(
        &mut self,
        attempt: u32,
        since_ms: i64,
        retry_after: Option<Duration>,
        is_outage: bool,
    ) -> Pause {
        let length = self.retry.wait(attempt, self.random.f64(), retry_after);
        let is_asked = retry_after.is_some_and(|asked| asked > OUTAGE_WAIT_MAX);
        let length = if is_outage && !is_asked { length.min(OUTAGE_WAIT_MAX) } else { length };
        Pause { since_ms, length }
    }

    /// Returns the progress to store: the cursor, the finished records after it, and the state of the sink.
    pub(super) fn progress(&self, pending: &Pending) -> Progress {
        Progress {
            cursor: pending.cursor(),
            ahead: pending.ahead(),
            state: self.sink.state(),
            // With nothing left to do, the progress may wait for the next commit of events, and costs no sync of its own.
            urgent: !pending.is_empty() || self.consumer.head() > pending.position(),
            ..Progress::default()
        }
    }

    /// Keeps progress for the next [`Outlet::save`].
    pub(super) fn keep(&mut self, progress: Progress) {
        self.unsaved = Some(progress);
    }

    /// Makes kept progress durable. If that fails, it stays kept.
    ///
    /// # Errors
    /// The journal can't be written, or is closed.
    pub(super) async fn save(&mut self) -> Result<(), JournalError> {
        let Some(progress) = &self.unsaved else { return Ok(()) };
        // Cleared only after the commit, so that a journal that fails loses no dead letter.
        self.consumer.advance(progress.clone()).await?;
        self.unsaved = None;
        let cursor = self.consumer.cursor().0;
        self.status.set_cursor(cursor);
        self.status.note_lag(self.now_ms(), self.consumer.head().0.saturating_sub(cursor));
        Ok(())
    }
}
