//! Examines the file system of the data directory: its kind, its free space and its free files.

use std::path::Path;

use super::report::Report;
use crate::config::Config;
use crate::storage::volume::{Volume, network_file_system, space_bytes};

const AREA: &str = "volume";

/// With fewer free files than this, the file system is about to be full.
const FREE_FILES_MIN: u64 = 1000;

/// Below this, the next burst can fill the volume.
const FREE_BYTES_MIN: u64 = 512 * 1024 * 1024;

const MIB: u64 = 1024 * 1024;

/// Reports a file system on which the journal is not safe, or cannot grow.
pub(super) fn check(data_dir: &Path, config: Option<&Config>, report: &mut Report<'_, '_>) -> anyhow::Result<()> {
    let shown = data_dir.display();
    if let Some(name) = network_file_system(data_dir) {
        report.error(
            AREA,
            format!("{shown} is on {name}"),
            "neither locks nor syncs are reliable there, so answered events can get lost",
            "choose a `data_dir` on a local disk",
        )?;
    }
    let Some(volume) = Volume::of(data_dir) else {
        return report.note(AREA, format!("the file system of {shown} does not answer"), "its space is unknown");
    };
    if volume.is_read_only {
        return report.error(
            AREA,
            format!("{shown} is mounted read-only"),
            "livehook can store no event and answers 503",
            "mount it for writing; after a disk error, look at `dmesg` first",
        );
    }
    let free_mib = volume.free_bytes / MIB;
    let mut is_fine = true;
    if volume.free_bytes < FREE_BYTES_MIN {
        is_fine = false;
        report.error(
            AREA,
            format!("{free_mib} MiB are free on the volume of {shown}"),
            "if the disk is full, livehook answers 503, and CSS gives up after some minutes",
            "free some space, or set a lower `journal.size_bytes_max`",
        )?;
    } else if let Some(config) = config {
        let size_bytes_max = config.journal.size_bytes_max;
        let space_bytes = space_bytes(data_dir).unwrap_or(u64::MAX);
        if space_bytes < size_bytes_max {
            is_fine = false;
            report.warning(
                AREA,
                format!("the journal may take {} MiB, and has {} MiB", size_bytes_max / MIB, space_bytes / MIB),
                "the disk is full before livehook removes old events, and new ones then get a 503",
                format!("set `journal.size_bytes_max` to at most {}, or use a larger volume", space_bytes / 4 * 3),
            )?;
        }
    }
    if let Some(free_files) = volume.free_files.filter(|free_files| *free_files < FREE_FILES_MIN) {
        is_fine = false;
        report.error(
            AREA,
            format!("the file system has {free_files} free inodes"),
            "without a free inode no file can be made, although there is free space",
            "remove files that are not needed, often many small ones of another program",
        )?;
    }
    if is_fine {
        report.ok(AREA, format!("{free_mib} MiB are free, on a local file system that can be written"))?;
    }
    Ok(())
}
