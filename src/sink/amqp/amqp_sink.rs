//! The sink itself: keeps the connection, and delivers one batch after another.

use async_trait::async_trait;

use super::connection::Connection;
use super::options::Options;
use super::publishing::publish;
use crate::journal::Record;
use crate::sink::parallel::none_tried;
use crate::sink::{Failure, Outcome, Sink};

/// Publishes events to an exchange.
pub struct AmqpSink {
    options: Options,
    connection: Option<Connection>,
    /// Whether the next batch goes one event at a time, because the server refused one of several by its size.
    is_cautious: bool,
}

impl AmqpSink {
    /// Makes the sink. It touches nothing until it delivers.
    pub fn new(options: Options) -> AmqpSink {
        AmqpSink { options, connection: None, is_cautious: false }
    }
}

#[async_trait]
impl Sink for AmqpSink {
    async fn deliver(&mut self, batch: &[Record]) -> Vec<Outcome> {
        // Taken out, so that a delivery that is dropped leaves no connection with confirms on the way.
        let open = match self.connection.take() {
            Some(open) => open,
            None => match Connection::open(&self.options).await {
                Ok(open) => open,
                Err(failure) => return none_tried(batch, failure),
            },
        };
        let in_flight_max = if self.is_cautious { 1 } else { self.options.batch_events_max };
        let published = publish(&open, &self.options, batch, in_flight_max).await;
        let is_at_fault = |outcome: &Outcome| match outcome {
            Outcome::Retry(failure) => Connection::is_size_at_fault(failure),
            _ => false,
        };
        self.is_cautious = published.outcomes.iter().any(is_at_fault);
        // The server closes the channel if an event is too large.
        let is_open = !published.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Rejected { .. }));
        self.connection = (published.is_sound && is_open).then_some(open);
        published.outcomes
    }

    async fn probe(&mut self) -> Result<String, Failure> {
        let Options { url, exchange, declare, routing_key, .. } = &self.options;
        let shown = url.shown();
        let probed = Options { declare: false, ..self.options.clone() };
        let open = Connection::open(&probed).await?;
        if *declare {
            return Ok(format!("{shown} can be reached; livehook will declare `{exchange}`, and sent no event"));
        }
        if exchange.is_empty() && routing_key.text().contains('{') {
            return Ok(format!("{shown} can be reached; livehook sent no event"));
        }
        open.check(&self.options).await?;
        let found = if exchange.is_empty() {
            format!("the queue `{}`", routing_key.text())
        } else {
            format!("the exchange `{exchange}`")
        };
        Ok(format!("{shown} can be reached, and has {found}; livehook sent no event"))
    }
}
