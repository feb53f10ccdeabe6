//! Checks the volume of the data directory at start: whether the journal can grow to its limit, and whether locks work.

use std::path::Path;

use crate::storage::volume::{network_file_system, space_bytes};

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
    let Some(space_bytes) = space_bytes(data_dir) else { return };
    if let Some(warning) = warning(data_dir, space_bytes, size_bytes_max) {
        tracing::warn!("{warning}");
    }
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
    fn small_volume_is_named_with_a_cure() {
        let data_dir = Path::new("/var/lib/livehook");
        assert_eq!(warning(data_dir, 4000, 4000), None);
        let warning = warning(data_dir, 4000, 4001).unwrap();
        for part in ["size_bytes_max = 4001", "/var/lib/livehook has only 4000 bytes", "set at most 3000"] {
            assert!(warning.contains(part), "{warning}");
        }
    }
}
