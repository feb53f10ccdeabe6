//! Medians and percentiles, and the Markdown tables that show them.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use super::process::LIVEHOOK;

/// Returns a percentile: `share` (0 to 1) of the values are below it. 0 if there are no values.
pub(crate) fn percentile(values: &mut [u32], share: f64) -> u32 {
    values.sort_unstable();
    let index = (values.len() as f64 * share) as usize;
    values.get(index.min(values.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// Returns the median of the values, the upper of two. 0 if there are no values.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Prints a heading, and the head of the table below it.
pub(crate) fn table(title: &str, columns: &[&str]) {
    println!("\n{title}\n");
    row(columns);
    row(&vec!["---"; columns.len()]);
}

/// Prints a row.
pub(crate) fn row<T: AsRef<str>>(cells: &[T]) {
    let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
    println!("| {} |", cells.join(" | "));
}

/// Prints the processor, the time of one sync of the disk, and the size of the binary.
pub(crate) fn machine(directory: &Path) -> anyhow::Result<()> {
    let processors = fs::read_to_string("/proc/cpuinfo")?;
    let processor = processors
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(": "))
        .map_or("an unnamed processor", |(_, name)| name);
    let binary_mib = fs::metadata(LIVEHOOK)?.len() as f64 / 1024.0 / 1024.0;
    println!(
        "On {processor}; one sync of the disk takes {:.2} ms; the binary has {binary_mib:.1} MiB.",
        sync_ms(directory)?
    );
    Ok(())
}

/// Returns the time in ms that the disk takes to make 4 KiB durable: the median of 200.
pub(crate) fn sync_ms(directory: &Path) -> anyhow::Result<f64> {
    let path = directory.join("sync");
    let mut file = File::create(&path)?;
    let mut times_ms = Vec::new();
    for _ in 0..200 {
        file.write_all(&[0; 4096])?;
        let started = Instant::now();
        file.sync_data()?;
        times_ms.push(ms(started.elapsed()));
    }
    fs::remove_file(path)?;
    Ok(median(times_ms))
}

/// Returns a time in ms.
pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
