//! The parts that the sinks of brokers share.
//!
//! - A broker files an event under a name: a subject, a routing key or a topic. Its parts come from the sender of the callback, so
//!   `template` escapes them.
//! - `in_turn` keeps the order of each stream over a connection that carries many.
//! - `attributes` and `message_format` write an event as a message with headers.

#![cfg_attr(
    not(feature = "full"),
    allow(dead_code, unused_imports, reason = "a build with only some of the sinks needs only some of these parts")
)]

#[cfg(any(feature = "amqp", feature = "kafka"))]
mod attributes;
#[cfg(any(feature = "amqp", feature = "nats"))]
mod in_turn;
#[cfg(any(feature = "amqp", feature = "kafka"))]
mod message_format;
mod template;

#[cfg(any(feature = "amqp", feature = "kafka"))]
pub(super) use attributes::attributes;
#[cfg(any(feature = "amqp", feature = "nats"))]
pub(super) use in_turn::{Answer, Carrier, InTurn, deliver_in_turn};
#[cfg(any(feature = "amqp", feature = "kafka"))]
pub use message_format::MessageFormat;
pub(super) use template::Field;
pub use template::Template;
#[cfg(any(feature = "amqp", feature = "nats"))]
pub(super) use template::escaped_token;
