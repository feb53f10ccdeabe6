//! The process, under the names that the client libraries of Prometheus use, so that dashboards for other programs fit.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::gauges::set;
use super::registrar::Registrar;

/// The metrics of the process. They have a registry of their own, because their names begin with `process`.
#[derive(Debug)]
pub struct ProcessMetrics {
    registry: Registry,
    cpu: Counter<f64, AtomicU64>,
    resident_memory: Gauge,
    open_files: Gauge,
    open_files_max: Gauge,
    start_time: Gauge<f64, AtomicU64>,
}

impl ProcessMetrics {
    pub(super) fn new() -> ProcessMetrics {
        let mut registry = Registry::with_prefix("process");
        let mut registrar = Registrar(&mut registry);
        ProcessMetrics {
            cpu: registrar.zero("cpu_seconds", "Processor time of the process"),
            resident_memory: registrar.zero("resident_memory_bytes", "Memory of the process"),
            open_files: registrar.zero("open_fds", "Open files of the process"),
            open_files_max: registrar.zero("max_fds", "Most open files of the process"),
            start_time: registrar.zero("start_time_seconds", "When the process started, as Unix time"),
            registry,
        }
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Sets when the process started, in Unix ms.
    pub fn started(&self, now_ms: i64) {
        self.start_time.set(now_ms as f64 / 1000.0);
    }

    /// Reads the state of the process. A value that the system doesn't show keeps its last one.
    pub fn refresh(&self) {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        self.cpu.inner().store((cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9).to_bits(), Ordering::Relaxed);
        if let Some(bytes) = resident_memory_bytes() {
            self.resident_memory.set(bytes);
        }
        if let Some(count) = open_files() {
            self.open_files.set(count);
        }
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        set(&self.open_files_max, limit);
    }
}

/// The line is, for example, `VmRSS:     1234 kB`.
fn resident_memory_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn open_files() -> Option<i64> {
    // One of them is the directory that is being read.
    let count = std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    i64::try_from(count).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_is_shown() {
        let process = ProcessMetrics::new();
        process.started(1_777_636_800_500);
        process.refresh();
        assert!(process.cpu.get() > 0.0);
        assert!(process.resident_memory.get() > 1024 * 1024);
        assert!((3..process.open_files_max.get()).contains(&process.open_files.get()));
        let first = process.cpu.get();
        process.refresh();
        assert!(process.cpu.get() >= first);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, process.registry()).unwrap();
        for name in
            ["cpu_seconds_total", "resident_memory_bytes", "open_fds", "max_fds", "start_time_seconds 1777636800.5"]
        {
            assert!(text.contains(&format!("process_{name}")), "{name} is not in\n{text}");
        }
    }
}
