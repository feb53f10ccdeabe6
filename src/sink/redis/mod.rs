//! The sink `redis`: adds events to a stream, or keeps a hash of the live streams.
//!
//! `stream_mode` and `live_mode` make one call of a script for many events. A script runs as a whole or not at all, so no other
//! client sees half of its work. `connection` logs in, and explains why a call failed.
//!
//! After any failure the sink makes a new connection, because an answer that comes late must not count for a later call.

mod connection;
mod cure;
mod live_mode;
mod options;
mod redis_sink;
mod stream_mode;

pub use options::{Mode, Options};
pub use redis_sink::RedisSink;
