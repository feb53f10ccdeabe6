//! The sink `amqp`: publishes events to an exchange of a RabbitMQ server, or of another one that speaks AMQP 0.9.1.
//!
//! `connection` logs in and opens one channel with confirms. `publishing` sends a batch in turn. `answer` says what a confirm, a
//! returned message or an error means. `runtime` gives the client library a connection that livehook itself has made.
//!
//! The client library could recover connections. It doesn't here: after any failure the sink makes a new connection, so that no
//! outage stays hidden, and no confirm counts for another event.

mod amqp_sink;
mod answer;
mod connection;
mod cure;
mod errors;
mod options;
mod publishing;
mod runtime;

pub use amqp_sink::AmqpSink;
pub use options::Options;
