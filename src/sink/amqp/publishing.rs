//! Publishes a batch, each event as a message of its own.

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

use super::connection::Connection;
use super::options::{NAME_BYTES_MAX, Options};
use crate::callback::Event;
use crate::journal::Record;
use crate::sink::Outcome;
use crate::sink::broker::{Answer, Carrier, InTurn, MessageFormat, attributes, deliver_in_turn, escaped_token};

/// The server writes the message to disk.
const PERSISTENT: u8 = 2;

/// Publishes a batch with at most `in_flight_max` events in flight.
pub(super) async fn publish(
    connection: &Connection,
    options: &Options,
    batch: &[Record],
    in_flight_max: usize,
) -> InTurn {
    deliver_in_turn(batch, in_flight_max, &Publisher { connection, options, is_alone: in_flight_max == 1 }).await
}

struct Publisher<'p> {
    connection: &'p Connection,
    options: &'p Options,
    is_alone: bool,
}

#[async_trait]
impl Carrier for Publisher<'_> {
    async fn send(&self, record: &Record) -> Result<BoxFuture<'_, Answer>, Answer> {
        let Publisher { connection, options, is_alone } = self;
        let event = &record.event;
        let routing_key = options.routing_key.fill(event, escaped_token);
        if routing_key.len() > NAME_BYTES_MAX {
            let reason = format!("the routing key of the event has more than {NAME_BYTES_MAX} bytes");
            return Err(Answer::Of(Outcome::Rejected { reason }));
        }
        let body = options.format.body(event);
        connection.publish(options, routing_key, body, properties(event, options.format), *is_alone).await
    }
}

fn properties(event: &Event, format: MessageFormat) -> BasicProperties {
    let properties = BasicProperties::default()
        .with_message_id(event.id().to_string().into())
        .with_type(event.event_type().cloud_event_type().to_string().into())
        .with_content_type(format.content_type().into())
        .with_app_id("livehook".into())
        .with_delivery_mode(PERSISTENT);
    if format != MessageFormat::Binary {
        return properties;
    }
    let mut headers = FieldTable::default();
    for (name, value) in attributes(event) {
        headers.insert(format!("cloudEvents:{name}").into(), AMQPValue::LongString(value.into()));
    }
    properties.with_headers(headers)
}
