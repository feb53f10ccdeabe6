//! The sinks `postgres` and `mysql`: add events to a table, and keep a table of sessions.
//!
//! `sql_sink` splits a batch, and `transaction` stores each part as a whole. `destination` connects. `postgres` and `mysql` hold the
//! statements of each server, `tables` and `session_row` make the rows, and `fault` explains errors.
//!
//! After any failure the sink makes a new connection, because an answer that comes late must not count for a later statement.

mod database;
mod destination;
mod fault;
mod kind;
mod mysql;
mod options;
mod postgres;
mod server_warnings;
mod session_row;
mod sql_sink;
mod tables;
mod tls_mode;
mod transaction;

pub use kind::Kind;
pub use options::Options;
pub use sql_sink::SqlSink;
