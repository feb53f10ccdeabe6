//! The index's section of the configuration.

use serde::Deserialize;

/// The name of the index among the journal's consumers. A sink cannot have it.
pub const CONSUMER: &str = "livehook/index";

/// The read model, as in the section `[index]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Whether there is an index.
    pub enabled: bool,
    /// How long ended and stale sessions are kept, in days.
    pub retention_days: u32,
    /// How long after its latest event a session without a stop counts as live, in seconds; 0 is for ever.
    pub stale_after_secs: u32,
    /// The longest gap between two sessions of one broadcast, in seconds.
    pub bridge_gap_secs: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options { enabled: true, retention_days: 365, stale_after_secs: 7 * 86_400, bridge_gap_secs: 70 }
    }
}
