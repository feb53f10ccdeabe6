//! The sink itself: keeps the connection, and delivers a batch in the configured mode.

use async_trait::async_trait;

use super::connection::Connection;
use super::live_mode::LiveMode;
use super::options::{Mode, Options};
use super::stream_mode::StreamMode;
use crate::clock::Clock;
use crate::journal::{Offset, Record, Records};
use crate::sink::server::{delivered_until, requests};
use crate::sink::{Failure, Outcome, Sink};

/// Writes events to a Redis server.
pub struct RedisSink {
    options: Options,
    clock: Clock,
    connection: Option<Connection>,
    /// `None` until the sink has resumed.
    writer: Option<Writer>,
}

/// What the sink writes.
enum Writer {
    Stream(StreamMode),
    Live(LiveMode),
}

impl RedisSink {
    /// Makes the sink. It touches nothing until it delivers.
    pub fn new(options: Options, clock: Clock) -> RedisSink {
        RedisSink { options, clock, connection: None, writer: None }
    }

    /// Sends the events of one call. Returns how many are delivered, and why the next one isn't.
    async fn send(&mut self, events: &[Record]) -> (usize, Option<Failure>) {
        let RedisSink { options, clock, connection, writer } = self;
        // Taken out, so that a delivery that is dropped leaves no connection in the middle of a call.
        let mut open = match connection.take() {
            Some(open) => open,
            None => match Connection::open(options).await {
                Ok(open) => open,
                Err(failure) => return (0, Some(failure)),
            },
        };
        let writer = writer.get_or_insert_with(|| Writer::new(options, None, Offset(0), clock()));
        let (count, failure) = match writer {
            Writer::Stream(stream) => stream.send(&mut open, options, events, clock()).await,
            Writer::Live(live) => match live.send(&mut open, options, events).await {
                Ok(()) => (events.len(), None),
                Err(failure) => (0, Some(failure)),
            },
        };
        // After a failure, a new connection asks for the address again, which a failover may have changed.
        *connection = failure.is_none().then_some(open);
        (count, failure)
    }
}

impl Writer {
    fn new(options: &Options, state: Option<&[u8]>, cursor: Offset, now_ms: i64) -> Writer {
        match options.mode {
            Mode::Stream => Writer::Stream(StreamMode::new(state, cursor, now_ms)),
            Mode::Live => Writer::Live(LiveMode::new()),
        }
    }
}

#[async_trait]
impl Sink for RedisSink {
    async fn resume(&mut self, cursor: Offset, state: Option<&[u8]>, _: &dyn Records) -> Result<Offset, Failure> {
        self.writer = Some(Writer::new(&self.options, state, cursor, (self.clock)()));
        Ok(cursor)
    }

    async fn deliver(&mut self, batch: &[Record]) -> Vec<Outcome> {
        let mut done = 0;
        for events in requests(batch, self.options.batch_events_max) {
            let (count, failure) = self.send(events).await;
            done += count;
            if let Some(failure) = failure {
                return delivered_until(batch, done, failure);
            }
        }
        vec![Outcome::Delivered; batch.len()]
    }

    fn is_ordered(&self) -> bool {
        true
    }

    fn state(&self) -> Option<Vec<u8>> {
        match &self.writer {
            Some(Writer::Stream(stream)) => Some(stream.state()),
            _ => None,
        }
    }

    async fn probe(&mut self) -> Result<String, Failure> {
        let shown = self.options.url.shown();
        let (key, wanted) = match self.options.mode {
            Mode::Stream => (self.options.stream.clone(), "stream"),
            Mode::Live => (LiveMode::key(&self.options), "hash"),
        };
        let found = Connection::open(&self.options).await?.type_of(&key).await?;
        match found.as_str() {
            "none" => Ok(format!("{shown} can be reached; it has no key `{key}` yet, and livehook sent no event")),
            found if found == wanted => {
                Ok(format!("{shown} can be reached, and `{key}` is a {wanted}; livehook sent no event"))
            }
            other => Err(Failure::outage(format!(
                "{shown}: `{key}` is a {other}, and must be a {wanted}: choose another key, or remove this one"
            ))),
        }
    }
}
