//! Publishes a batch, each event as a message of its own.

use async_nats::HeaderMap;
use async_nats::jetstream::message::PublishMessage;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::connection::Connection;
use super::options::Options;
use crate::journal::Record;
use crate::sink::broker::{Answer, Carrier, InTurn, deliver_in_turn, escaped_token};
use crate::sink::{Failure, Outcome};

/// A longer subject could exceed the line that a server reads, and the server would end the connection.
const SUBJECT_BYTES_MAX: usize = 1024;

/// Publishes a batch.
pub(super) async fn publish(connection: &Connection, options: &Options, batch: &[Record]) -> InTurn {
    deliver_in_turn(batch, options.batch_events_max, &Publisher { connection, options }).await
}

struct Publisher<'p> {
    connection: &'p Connection,
    options: &'p Options,
}

#[async_trait]
impl Carrier for Publisher<'_> {
    async fn send(&self, record: &Record) -> Result<BoxFuture<'_, Answer>, Answer> {
        let subject = self.options.subject.fill(&record.event, escaped_token);
        if subject.len() > SUBJECT_BYTES_MAX {
            let reason = format!("the subject of the event has more than {SUBJECT_BYTES_MAX} bytes");
            return Err(Answer::Of(Outcome::Rejected { reason }));
        }
        self.connection.publish(subject, message(record, self.options)).await
    }

    async fn broken(&self) -> Failure {
        self.connection.broken().await
    }
}

fn message(record: &Record, options: &Options) -> PublishMessage {
    let event = &record.event;
    let mut headers = HeaderMap::new();
    headers.insert("Content-Type", options.format.content_type());
    PublishMessage::build()
        .headers(headers)
        // The server stores an event of the same id once.
        .message_id(event.id().to_string())
        .expected_stream(&options.stream)
        .payload(Bytes::copy_from_slice(options.format.text(event).as_bytes()))
}
