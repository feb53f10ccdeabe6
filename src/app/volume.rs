//! Checks the volume of the data directory at start: whether the journal can grow to its limit, and whether locks work.

use std::path::Path;

use rustix::fs::{statfs, statvfs};

/// Network file systems, by the numbers that Linux gives them.
const NETWORK_FILE_SYSTEMS: [(i64, &str); 7] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x00c3_6400, "CephFS"),
    (0x5346_414f, "AFS"),
    (0x0102_1997, "9P"),
];

/// Returns the name of the network file system that holds the data directory; `None` if it is on another one.
pub(super) fn network_file_system(data_dir: &Path) -> Option<&'static str> {
    statfs(data_dir).ok().and_then(|volume| network_file_system_of(volume.f_type))
}

fn network_file_system_of(number: i64) -> Option<&'static str> {
    // The numbers have 32 bits, and some of them arrive with a sign.
    let known = NETWORK_FILE_SYSTEMS.iter().find(|(known, _)| *known == number & 0xffff_ffff);
    known.map(|(_, name)| *name)
}

/// Logs warnings if the data directory is on a network file system, or if the journal may become larger than the space that
/// its volume has for it: the free space, and the files that are there already.
pub(super) fn warn_of_volume(data_dir: &Path, size_bytes_max: u64) {
    if let Some(name) = network_file_system(data_dir) {
        tracing::warn!(
            "{}: this is on {name}, where neither locks nor syncs are reliable, so answered events can get lost; choose a \
             `data_dir` on a local disk",
            data_dir.display()
        );
    }
    // Without an answer there is nothing to compare. The journal reports a full disk all the same.
    let Ok(volume) = statvfs(data_dir) else { return };
    let space_bytes = volume.f_bavail.saturating_mul(volume.f_frsize).saturating_add(files_bytes(data_dir));
    if let Some(warning) = warning(data_dir, space_bytes, size_bytes_max) {
        tracing::warn!("{warning}");
    }
}

/// The size of all files in a data directory.
fn files_bytes(data_dir: &Path) -> u64 {
    let files = std::fs::read_dir(data_dir).into_iter().flatten();
    files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len())).sum()
}

fn warning(data_dir: &Path, space_bytes: u64, size_bytes_max: u64) -> Option<String> {
    (space_bytes < size_bytes_max).then(|| {
        format!(
            "journal.size_bytes_max = {size_bytes_max}: the volume of {} has only {space_bytes} bytes for the journal. If it is \
             full before livehook removes old events, new ones get a 503; set at most {}, or use a larger volume",
            data_dir.display(),
            // The index, the WAL and dead letters need space, too.
            space_bytes / 4 * 3
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known() {
        let known = [0x6969, 0xff53_4d42, 0xff53_4d42_u32 as i32 as i64].map(network_file_system_of);
        assert_eq!(known, [Some("NFS"), Some("CIFS"), Some("CIFS")]);
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(network_file_system(directory.path()), None);
    }

    #[test]
    fn small_volume_is_named_with_a_cure() {
        let data_dir = Path::new("/var/lib/livehook");
        assert_eq!(warning(data_dir, 4000, 4000), None);
        let warning = warning(data_dir, 4000, 4001).unwrap();
        for part in ["size_bytes_max = 4001", "/var/lib/livehook has only 4000 bytes", "set at most 3000"] {
            assert!(warning.contains(part), "{warning}");
        }
    }
}
