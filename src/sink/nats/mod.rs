//! The sink `nats`: publishes events to a JetStream stream of a NATS server.
//!
//! `connection` logs in, and notices when the connection breaks. `publishing` sends a batch in turn.
//! `answer` says what an acknowledgement or an error means.
//!
//! The client library would reconnect without end. After any failure the sink makes a new connection instead, so that no outage
//! stays hidden, and no answer counts for another event.

mod answer;
mod connection;
mod cure;
mod errors;
mod nats_sink;
mod options;
mod publishing;
mod stream_subjects;

pub use nats_sink::NatsSink;
pub use options::Options;
