//! The sink `log`: one event a line on stdout.

use async_trait::async_trait;
use serde::Deserialize;

use super::{DeliveryError, Outcome, Sink};
use crate::journal::Record;

/// Has no keys of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Options {}

/// Writes to stdout.
pub struct LogSink {}

impl LogSink {
    /// Makes the sink.
    pub fn new(_options: Options) -> LogSink {
        LogSink {}
    }
}

#[async_trait]
impl Sink for LogSink {
    async fn deliver(&mut self, batch: &[Record]) -> Vec<Outcome> {
        batch.iter().map(|_| Err(DeliveryError::transient("unfinished"))).collect()
    }
}
