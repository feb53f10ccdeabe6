//! Sends all events that wait in one message, at most one message in an interval.

use std::time::Duration;

use super::connection::Connection;
use crate::clock::Clock;
use crate::journal::Record;
use crate::sink::parallel::none_tried;
use crate::sink::{Failure, Outcome};

/// The time between two messages.
pub(super) struct MessageInterval {
    clock: Clock,
    length: Duration,
    /// When the receiver answered the last message, in Unix ms.
    last_ms: Option<i64>,
}

impl MessageInterval {
    /// Makes an interval that has not begun.
    pub(super) fn new(length: Duration, clock: Clock) -> MessageInterval {
        MessageInterval { clock, length, last_ms: None }
    }

    /// Returns the rest of the interval. It ends at once if the clock was set back.
    pub(super) fn left(&self) -> Duration {
        let passed_ms = self.last_ms.map(|last_ms| (self.clock)().saturating_sub(last_ms));
        match passed_ms.and_then(|passed_ms| u64::try_from(passed_ms).ok()) {
            Some(passed_ms) => self.length.saturating_sub(Duration::from_millis(passed_ms)),
            None => Duration::ZERO,
        }
    }

    /// Begins the interval again, if the receiver has answered a message. A message without an answer is tried again by the retry
    /// rules.
    pub(super) fn note(&mut self, outcomes: &[Outcome]) {
        if outcomes.iter().all(|outcome| matches!(outcome, Outcome::Delivered | Outcome::Rejected { .. })) {
            self.last_ms = Some((self.clock)());
        }
    }

    /// The state of the sink, so that a restart doesn't end the interval.
    pub(super) fn state(&self) -> Option<Vec<u8>> {
        self.last_ms.map(|last_ms| last_ms.to_string().into_bytes())
    }

    /// Restores the state of an earlier run. A state of another form is ignored: a message then goes out too early.
    pub(super) fn restore(&mut self, state: Option<&[u8]>) {
        let text = state.and_then(|state| std::str::from_utf8(state).ok());
        self.last_ms = text.and_then(|text| text.parse().ok()).or(self.last_ms);
    }
}

/// Sends one message about the whole batch. The events share its outcome.
///
/// # Errors
/// No request can be made: the bearer token can't be read.
pub(super) async fn deliver(connection: &Connection, batch: &[Record]) -> Result<Vec<Outcome>, Failure> {
    let headers = connection.headers().await?;
    let records: Vec<&Record> = batch.iter().collect();
    let body = match connection.body(&records) {
        Ok(body) => body,
        Err(reason) => return Ok(without_faulty(connection, batch, &reason)),
    };
    Ok(match connection.send(&headers, &records, body).await {
        // The first event stands for the message, so the others lose no attempt.
        Outcome::Retry(failure) => none_tried(batch, failure),
        outcome => vec![outcome; batch.len()],
    })
}

/// The outcomes if the template fails: it rejects each event that it fails for. The others go out with the next message.
fn without_faulty(connection: &Connection, batch: &[Record], reason: &str) -> Vec<Outcome> {
    let alone = |record: &Record| match connection.body(&[record]) {
        Ok(_) => Outcome::Held,
        Err(reason) => Outcome::rejected(reason),
    };
    let outcomes: Vec<Outcome> = batch.iter().map(alone).collect();
    if outcomes.iter().all(|outcome| *outcome == Outcome::Held) {
        // It takes each of them and not all together, so another try would fail too.
        return vec![Outcome::rejected(reason); batch.len()];
    }
    outcomes
}
