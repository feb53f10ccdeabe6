//! The destinations of events: one file or folder for each kind of sink, and one variant of [`Options`].
//!
//! A sink delivers the events that it is given and reports an outcome for each. It doesn't read the journal on its own, decide
//! on retries or move a cursor: the delivery worker does.

#[cfg(feature = "amqp")]
pub mod amqp;
mod blocking;
#[cfg(any(feature = "amqp", feature = "kafka", feature = "nats"))]
pub mod broker;
pub mod command;
mod contract;
pub mod file;
mod filter;
mod format;
pub mod http;
#[cfg(feature = "kafka")]
pub mod kafka;
mod keys;
pub mod log;
mod mistake;
#[cfg(feature = "nats")]
pub mod nats;
mod options;
mod outage;
mod own_secrets;
mod parallel;
#[cfg(feature = "redis")]
pub mod redis;
mod secrets;
#[cfg(feature = "connection")]
pub mod server;
mod small_file;
#[cfg(feature = "sql")]
pub mod sql;
#[cfg(test)]
mod testing;
mod tls_cure;
mod url_source;

pub use contract::{Failure, Outcome, Sink};
pub use filter::Filter;
pub use format::Format;
pub use mistake::{Mistake, member_path};
pub use options::Options;
pub use secrets::{SecretSources, shown_path};
