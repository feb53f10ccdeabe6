//! The sink itself: keeps the connection, and delivers one batch after another.

use std::time::Duration;

use async_trait::async_trait;

use super::batch;
use super::connection::Connection;
use super::digest::{self, MessageInterval};
use super::options::Options;
use crate::clock::Clock;
use crate::journal::{Offset, Record, Records};
use crate::sink::parallel::none_tried;
use crate::sink::{Failure, Outcome, Sink};

#[cfg(test)]
mod tests;

/// Posts events to a receiver.
pub struct HttpSink {
    options: Options,
    clock: Clock,
    connection: Option<Connection>,
    /// Whether the next batch begins with single events. Set if a list of the last batch got no answer, or if the receiver was
    /// down.
    is_cautious: bool,
    /// The interval between two messages. With one, a message is about every event that waits.
    interval: Option<MessageInterval>,
}

impl HttpSink {
    /// Makes the sink. It touches nothing until it resumes.
    pub fn new(options: Options, clock: Clock) -> HttpSink {
        let length = options.min_interval_secs.map(Duration::from_secs);
        let interval = length.map(|length| MessageInterval::new(length, clock));
        HttpSink { options, clock, connection: None, is_cautious: false, interval }
    }

    async fn try_deliver(&mut self, batch: &[Record]) -> Result<Vec<Outcome>, Failure> {
        let HttpSink { options, clock, connection, is_cautious, interval } = self;
        let connection = connected(connection, options, *clock).await?;
        if let Some(interval) = interval {
            let outcomes = digest::deliver(connection, batch).await?;
            interval.note(&outcomes);
            return Ok(outcomes);
        }
        let delivered = batch::deliver(options, connection, batch, *is_cautious).await?;
        *is_cautious = delivered.is_next_cautious;
        Ok(delivered.outcomes)
    }
}

/// Returns the connection, and makes it if there is none yet.
async fn connected<'c>(
    connection: &'c mut Option<Connection>,
    options: &Options,
    clock: Clock,
) -> Result<&'c Connection, Failure> {
    match connection {
        Some(connection) => Ok(connection),
        none => Ok(none.insert(Connection::new(options, clock).await?)),
    }
}

#[async_trait]
impl Sink for HttpSink {
    async fn resume(&mut self, cursor: Offset, state: Option<&[u8]>, _: &dyn Records) -> Result<Offset, Failure> {
        if let Some(interval) = &mut self.interval {
            interval.restore(state);
        }
        connected(&mut self.connection, &self.options, self.clock).await?;
        Ok(cursor)
    }

    /// Dropping the future drops its requests. Their events may have arrived, and are delivered again.
    async fn deliver(&mut self, batch: &[Record]) -> Vec<Outcome> {
        match self.try_deliver(batch).await {
            Ok(outcomes) => outcomes,
            // No request was made, so the first event stands for all, and the others lose no attempt.
            Err(failure) => none_tried(batch, failure),
        }
    }

    /// A message is about events of many streams, so they all share its fate.
    fn is_ordered(&self) -> bool {
        self.interval.is_some()
    }

    fn digest_wait(&self) -> Option<Duration> {
        self.interval.as_ref().map(MessageInterval::left)
    }

    fn state(&self) -> Option<Vec<u8>> {
        self.interval.as_ref()?.state()
    }

    async fn probe(&mut self) -> Result<String, Failure> {
        connected(&mut self.connection, &self.options, self.clock).await?.probe().await
    }
}
