//! The contract between the delivery worker and a sink: the trait [`Sink`], and the outcome that it reports for each event.
//!
//! A sink only delivers. The worker reads the journal, decides on retries, and moves the cursor.

use std::time::Duration;

use async_trait::async_trait;

use crate::journal::{Offset, Record, Records};

/// Why a sink could not take events. Another try may succeed.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{reason}")]
pub struct Failure {
    /// The cause, for the log and the API.
    pub reason: String,
    /// The wait that the destination asks for, such as the `Retry-After` of an HTTP answer.
    pub retry_after: Option<Duration>,
    /// Whether the destination seems to take no event at all, so that other events wait too.
    pub is_outage: bool,
    /// Whether the event itself may be at fault, although this looks like an outage. If other events pass, the worker gives the
    /// event up.
    pub is_doubtful: bool,
}

impl Failure {
    /// The destination seems to be down, or livehook can't reach it.
    pub fn outage(reason: impl ToString) -> Failure {
        Failure { reason: reason.to_string(), retry_after: None, is_outage: true, is_doubtful: false }
    }

    /// The destination didn't take this event. It may take others.
    pub fn of_event(reason: impl ToString) -> Failure {
        Failure { is_outage: false, ..Failure::outage(reason) }
    }
}

/// The result of handing one event to a sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The destination has the event and has confirmed it.
    Delivered,
    /// This attempt failed; another may succeed.
    Retry(Failure),
    /// The sink did not try the event, because an earlier event of its stream isn't done, or because the sink skipped the
    /// rest of the batch. The event keeps its place and loses no attempt.
    Held,
    /// The destination refuses the event for good. It becomes a dead letter.
    Rejected {
        /// The cause, for the log and the dead letter.
        reason: String,
    },
}

impl Outcome {
    /// The destination refuses the event for good.
    pub fn rejected(reason: impl ToString) -> Outcome {
        Outcome::Rejected { reason: reason.to_string() }
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Outcome {
        Outcome::Retry(failure)
    }
}

/// A destination for events.
#[async_trait]
pub trait Sink: Send {
    /// Connects, and finds out which records the destination already has. The worker calls this before the first
    /// [`Sink::deliver`], and again until it succeeds.
    ///
    /// `cursor` is the last record known to be done, and `state` the value of [`Sink::state`] stored next to it. `records`
    /// reads the journal, so that a sink can compare what it finds with what it would have been given.
    ///
    /// Returns the last record that the destination has. Deliveries start after it, once that position and
    /// [`Sink::state`] are durable together.
    ///
    /// # Errors
    /// The sink can't take events now.
    async fn resume(&mut self, cursor: Offset, state: Option<&[u8]>, records: &dyn Records) -> Result<Offset, Failure> {
        // Only a sink that can read its destination, such as a file, needs these.
        let _ = (state, records);
        Ok(cursor)
    }

    /// Delivers events, oldest first, and returns one outcome for each in the same order. After an [`Outcome::Retry`], no
    /// later event of the same partition key may be delivered: it is [`Outcome::Held`].
    ///
    /// A caller that drops the future gives up on the batch. Events delivered by then may be delivered again.
    async fn deliver(&mut self, batch: &[Record]) -> Vec<Outcome>;

    /// Whether the sink keeps order over all streams, and not only within each. Then no event passes one that failed.
    fn is_ordered(&self) -> bool {
        false
    }

    /// If the sink sends one message about all events that wait, and limits how often: the time until the next message. The worker
    /// delivers nothing before, and then as many events as it may hold. `None` for a sink without such a limit.
    fn digest_wait(&self) -> Option<Duration> {
        None
    }

    /// State to store next to the cursor, as of the last `resume` or `deliver` that returned. One transaction makes both
    /// durable, before the next `deliver` of new events.
    fn state(&self) -> Option<Vec<u8>> {
        None
    }

    /// Does the work that the clock makes due, for example the daily rotation of a file. The worker calls this at the start and
    /// about once a minute, also if no event comes, and never before the state of the last `resume` or `deliver` is durable.
    ///
    /// Returns whether [`Sink::state`] has changed.
    ///
    /// # Errors
    /// Some of the work could not be done. The next call tries again.
    async fn tend(&mut self) -> Result<bool, Failure> {
        Ok(false)
    }

    /// Checks whether events could be delivered, without delivering one or changing anything. Returns a short description,
    /// for example `https://example.com/events can be reached`.
    ///
    /// # Errors
    /// Events could not be delivered. The reason names the address, the cause and the cure.
    async fn probe(&mut self) -> Result<String, Failure> {
        Ok("there is nothing to check".to_owned())
    }
}
