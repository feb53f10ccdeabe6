//! The space that the databases take on the disk, and the space that their volume has.

use std::path::PathBuf;

use prometheus_client::metrics::gauge::Gauge;
use rustix::fs::statvfs;

use super::gauges::set;
use super::registrar::Registrar;

/// The used size of each database, and the size of its file: the difference is free pages that wait for new rows. Also the
/// volume of the data directory.
#[derive(Debug)]
pub struct DiskMetrics {
    data_dir: PathBuf,
    volume: Gauge,
    volume_free: Gauge,
    journal_used: Gauge,
    journal_file: Gauge,
    journal_held: Gauge,
    index_used: Gauge,
    index_file: Gauge,
}

impl DiskMetrics {
    pub(super) fn new(registrar: &mut Registrar<'_>) -> DiskMetrics {
        DiskMetrics {
            data_dir: PathBuf::new(),
            volume: registrar.zero("volume_bytes", "Size of the volume that holds the data directory"),
            volume_free: registrar.zero("volume_free_bytes", "Free space of that volume for livehook's user"),
            journal_used: registrar.zero("journal_bytes", "Used size of the journal"),
            journal_file: registrar.zero("journal_file_bytes", "Size of the journal's file without its WAL"),
            journal_held: registrar
                .zero("journal_held_bytes", "Size of dead letters and of records that a sink or the index needs"),
            index_used: registrar.zero("index_bytes", "Used size of the index"),
            index_file: registrar.zero("index_file_bytes", "Size of the index's file without its WAL"),
        }
    }

    /// Names the directory whose volume is measured.
    pub(super) fn watch(&mut self, data_dir: PathBuf) {
        self.data_dir = data_dir;
    }

    /// Measures the volume. If the system can't, for example because the directory is gone, no space is free.
    pub fn refresh(&self) {
        let (volume, free) = statvfs(&self.data_dir).map_or((0, 0), |volume| {
            (volume.f_blocks.saturating_mul(volume.f_frsize), volume.f_bavail.saturating_mul(volume.f_frsize))
        });
        set(&self.volume, volume);
        set(&self.volume_free, free);
    }

    /// Sets the sizes of the journal, in bytes. `held` is the part that pruning can't remove.
    pub fn journal(&self, used: u64, file: u64, held: u64) {
        set(&self.journal_used, used);
        set(&self.journal_file, file);
        set(&self.journal_held, held);
    }

    /// Sets the sizes of the index, in bytes.
    pub fn index(&self, used: u64, file: u64) {
        set(&self.index_used, used);
        set(&self.index_file, file);
    }
}

#[cfg(test)]
mod tests {
    use super::super::metrics::Metrics;

    #[test]
    fn volume_is_measured() {
        let directory = tempfile::tempdir().unwrap();
        let mut metrics = Metrics::new();
        metrics.watch_volume(directory.path().to_owned());
        let disk = metrics.disk();
        disk.refresh();
        assert!(disk.volume_free.get() > 0 && disk.volume_free.get() <= disk.volume.get());
        drop(directory);
        disk.refresh();
        assert_eq!((disk.volume.get(), disk.volume_free.get()), (0, 0));
    }
}
