//! The sink `kafka`: produces each event to a topic, in the partition of its stream.
//!
//! `connection` logs in and produces one request at a time to each partition. `partitioner` chooses the partition as the Java client
//! does, by the number of partitions in `partition_counts`. `answer` says what an error means. `record` writes an event as a record.
//!
//! After any failure the sink makes a new connection, so that no answer counts for another request.

mod answer;
mod connection;
mod errors;
mod kafka_sink;
mod options;
mod partition_counts;
mod partitioner;
mod record;

pub use kafka_sink::KafkaSink;
pub use options::{Compression, Mechanism, Options, Sasl};
