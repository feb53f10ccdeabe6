//! The sink itself: keeps the connection, and delivers one batch after another.

use async_trait::async_trait;

use super::connection::Connection;
use super::options::Options;
use super::publishing::publish;
use super::stream_subjects::{covers, pattern};
use crate::journal::Record;
use crate::sink::parallel::none_tried;
use crate::sink::{Failure, Outcome, Sink};

/// Publishes events to a stream.
pub struct NatsSink {
    options: Options,
    connection: Option<Connection>,
    /// The number of the server that the next connection goes to.
    server: usize,
    /// Whether the stream exists, as far as this sink has to care.
    has_stream: bool,
}

impl NatsSink {
    /// Makes the sink. It touches nothing until it delivers.
    pub fn new(options: Options) -> NatsSink {
        NatsSink { has_stream: !options.create_stream, options, connection: None, server: 0 }
    }

    /// Returns a connection. Taken out of the sink, so that a delivery that is dropped leaves none with answers on the way.
    async fn connected(&mut self) -> Result<Connection, Failure> {
        if let Some(open) = self.connection.take().filter(|open| open.failure().is_none()) {
            return Ok(open);
        }
        let open = Connection::open(&self.options, self.server).await.inspect_err(|_| self.choose_next_server())?;
        if !self.has_stream {
            open.create_stream(&self.options).await?;
            self.has_stream = true;
        }
        Ok(open)
    }

    fn choose_next_server(&mut self) {
        self.server = (self.server + 1) % (self.options.servers.len() + 1);
    }
}

#[async_trait]
impl Sink for NatsSink {
    async fn deliver(&mut self, batch: &[Record]) -> Vec<Outcome> {
        let open = match self.connected().await {
            Ok(open) => open,
            Err(failure) => return none_tried(batch, failure),
        };
        let published = publish(&open, &self.options, batch).await;
        if published.is_sound {
            self.connection = Some(open);
        } else {
            self.choose_next_server();
        }
        published.outcomes
    }

    async fn probe(&mut self) -> Result<String, Failure> {
        let Options { url, stream, subject, create_stream, .. } = &self.options;
        let shown = url.shown();
        let open = Connection::open(&self.options, 0).await?;
        let Some(config) = open.stream(&self.options).await? else {
            if *create_stream {
                return Ok(format!(
                    "{shown} can be reached; livehook will create the stream `{stream}`, and sent no event"
                ));
            }
            let reason = format!("{shown} has no stream `{stream}`: create it, or set `create_stream`");
            return Err(Failure::outage(reason));
        };
        let pattern = pattern(subject.text());
        if !config.subjects.iter().any(|subject| covers(subject, &pattern)) {
            return Err(Failure::outage(format!(
                "{shown}: the stream `{stream}` doesn't take every subject {pattern}: add it to the stream, or change `subject`"
            )));
        }
        if config.no_ack {
            let reason = format!("{shown}: the stream `{stream}` acknowledges nothing: set its no_ack to false");
            return Err(Failure::outage(reason));
        }
        Ok(format!("{shown} can be reached, and has the stream `{stream}`; livehook sent no event"))
    }
}
