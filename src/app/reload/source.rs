//! Where a reload reads the configuration.

use std::fmt;

use crate::config::{Config, Mistakes};

/// Reads the configuration again, from the same file, environment and flags as at the start.
pub struct ReloadSource {
    pub(super) read: Box<dyn Fn() -> Result<Config, Mistakes> + Send + Sync>,
}

impl ReloadSource {
    /// Reads with this function, which may block.
    pub fn new(read: impl Fn() -> Result<Config, Mistakes> + Send + Sync + 'static) -> ReloadSource {
        ReloadSource { read: Box::new(read) }
    }
}

impl fmt::Debug for ReloadSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ReloadSource")
    }
}
