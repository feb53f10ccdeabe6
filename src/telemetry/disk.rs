//! The space that the databases take on the disk.

use prometheus_client::metrics::gauge::Gauge;

use super::gauges::set;
use super::registrar::Registrar;

/// The used size of each database, and the size of its file: the difference is free pages that wait for new rows.
#[derive(Debug)]
pub struct DiskMetrics {
    journal_used: Gauge,
    journal_file: Gauge,
    index_used: Gauge,
    index_file: Gauge,
}

impl DiskMetrics {
    pub(super) fn new(registrar: &mut Registrar<'_>) -> DiskMetrics {
        DiskMetrics {
            journal_used: registrar.zero("journal_bytes", "Used size of the journal"),
            journal_file: registrar.zero("journal_file_bytes", "Size of the journal's file without its WAL"),
            index_used: registrar.zero("index_bytes", "Used size of the index"),
            index_file: registrar.zero("index_file_bytes", "Size of the index's file without its WAL"),
        }
    }

    /// Sets the sizes of the journal, in bytes.
    pub fn journal(&self, used: u64, file: u64) {
        set(&self.journal_used, used);
        set(&self.journal_file, file);
    }

    /// Sets the sizes of the index, in bytes.
    pub fn index(&self, used: u64, file: u64) {
        set(&self.index_used, used);
        set(&self.index_file, file);
    }
}
