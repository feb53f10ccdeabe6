//! The sink `file`: JSON Lines, each event once.

use std::path::PathBuf;

use async_trait::async_trait;
use serde::Deserialize;

use super::{DeliveryError, Outcome, Sink};
use crate::journal::Record;

/// The keys of a file sink.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Options {
    /// The file.
    pub path: PathBuf,
    /// Rotate before the file would grow beyond this, in bytes.
    #[serde(default)]
    pub rotate_bytes: Option<u64>,
    /// Rotate at the end of each day (UTC).
    #[serde(default)]
    pub rotate_daily: bool,
    /// How many rotated files to keep.
    #[serde(default)]
    pub keep_files_max: Option<u32>,
    /// How long to keep rotated files, in days.
    #[serde(default)]
    pub keep_days_max: Option<u32>,
    /// Compress rotated files.
    #[serde(default)]
    pub gzip: bool,
}

/// Appends to a file.
pub struct FileSink {}

impl FileSink {
    /// Makes the sink.
    pub fn new(_options: Options) -> FileSink {
        FileSink {}
    }
}

#[async_trait]
impl Sink for FileSink {
    async fn deliver(&mut self, batch: &[Record]) -> Vec<Outcome> {
        batch.iter().map(|_| Err(DeliveryError::transient("unfinished"))).collect()
    }
}
