//! The section `[journal]` of the configuration.

use serde::Deserialize;

/// The limits of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Options {
    /// How long a record is kept after its receipt, in days. A record that a consumer has not passed stays longer.
    pub retention_days: u32,
    /// The most that may be stored, in bytes of used pages.
    pub size_bytes_max: u64,
    /// How long the id of an event is remembered, so that a duplicate is recognised, in seconds.
    pub dedupe_window_secs: u32,
    /// How many ids are remembered at most, whatever the window.
    pub dedupe_ids_max: u32,
    /// How many events may wait for the writer.
    pub queue_events_max: u32,
    /// How many events one commit stores at most.
    pub batch_events_max: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            retention_days: 30,
            size_bytes_max: 10 * 1024 * 1024 * 1024,
            dedupe_window_secs: 3600,
            dedupe_ids_max: 1_000_000,
            queue_events_max: 4096,
            batch_events_max: 512,
        }
    }
}
