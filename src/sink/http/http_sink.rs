//! The sink itself: keeps the connection, and delivers one batch after another.

use async_trait::async_trait;

use super::batch;
use super::connection::Connection;
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
}

impl HttpSink {
    /// Makes the sink. It touches nothing until it resumes.
    pub fn new(options: Options, clock: Clock) -> HttpSink {
        HttpSink { options, clock, connection: None, is_cautious: false }
    }

    async fn try_deliver(&mut self, batch: &[Record]) -> Result<Vec<Outcome>, Failure> {
        let HttpSink { options, clock, connection, is_cautious } = self;
        let connection = connected(connection, options, *clock).await?;
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
    async fn resume(&mut self, cursor: Offset, _: Option<&[u8]>, _: &dyn Records) -> Result<Offset, Failure> {
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

    async fn probe(&mut self) -> Result<String, Failure> {
        connected(&mut self.connection, &self.options, self.clock).await?.probe().await
    }
}
