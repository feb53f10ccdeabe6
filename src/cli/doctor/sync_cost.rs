//! Measures how long the disk takes for a sync: each 200 waits for one.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::report::Report;

const AREA: &str = "disk";

/// How many syncs are measured, and for how long at most.
const SYNCS_MAX: usize = 100;
const MEASURED_FOR: Duration = Duration::from_secs(2);

/// The size of a page of the journal.
const PAGE_BYTES: usize = 4096;

/// A median above this is slow: a spinning disk takes about 10 ms.
const SLOW: Duration = Duration::from_millis(20);

/// Reports the cost of a sync, and the rate of callbacks that it allows.
pub(super) fn check(data_dir: &Path, report: &mut Report<'_, '_>) -> anyhow::Result<()> {
    if !data_dir.is_dir() {
        return Ok(());
    }
    let mut syncs = match measure(data_dir) {
        Ok(syncs) => syncs,
        Err(error) => {
            let found = format!("the cost of a sync was not measured: {}: {error}", data_dir.display());
            return report.note(AREA, found, "this user cannot write there; run it as the user that livehook runs as");
        }
    };
    syncs.sort_unstable();
    let (Some(median), Some(longest)) = (syncs.get(syncs.len() / 2), syncs.last()) else { return Ok(()) };
    let rate = (1.0 / median.as_secs_f64().max(1e-6)).round();
    let measured = format!("a sync takes {} (median of {}), {} at most", shown(*median), syncs.len(), shown(*longest));
    if *median > SLOW {
        return report.warning(
            AREA,
            measured,
            format!(
                "each answer waits for a sync: callbacks that come one at a time get at most {rate} answers a second"
            ),
            "use a faster disk, or one with a battery-backed write cache; callbacks that come together share a sync",
        );
    }
    report.ok(
        AREA,
        format!("{measured}: {rate} callbacks a second one at a time, and more that come together and share a sync"),
    )
}

/// Writes pages to a file without a name, and measures each sync.
fn measure(data_dir: &Path) -> io::Result<Vec<Duration>> {
    let path = data_dir.join(format!("livehook.doctor.{}", std::process::id()));
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    let started = Instant::now();
    let mut syncs = Vec::with_capacity(SYNCS_MAX);
    while syncs.len() < SYNCS_MAX && (started.elapsed() < MEASURED_FOR || syncs.is_empty()) {
        file.write_all(&[0; PAGE_BYTES])?;
        let before = Instant::now();
        file.sync_data()?;
        syncs.push(before.elapsed());
    }
    Ok(syncs)
}

fn shown(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}
