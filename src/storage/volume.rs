//! The volume that holds a directory: its kind, its free space, and whether it can be written.

use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statfs, statvfs};

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

/// A mounted file system, as this user sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Volume {
    /// The bytes that this user can still write.
    pub(crate) free_bytes: u64,
    /// How many files this user can still create; `None` if the file system has no limit.
    pub(crate) free_files: Option<u64>,
    /// Whether it is mounted read-only.
    pub(crate) is_read_only: bool,
}

impl Volume {
    /// Looks at the volume of a directory; `None` if the system doesn't answer.
    pub(crate) fn of(directory: &Path) -> Option<Volume> {
        let found = statvfs(directory).ok()?;
        Some(Volume {
            free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
            free_files: (found.f_files > 0).then_some(found.f_favail),
            is_read_only: found.f_flag.contains(StatVfsMountFlags::RDONLY),
        })
    }
}

/// Returns the name of the network file system that holds the directory; `None` if it is on another one.
pub(crate) fn network_file_system(directory: &Path) -> Option<&'static str> {
    statfs(directory).ok().and_then(|volume| network_file_system_of(volume.f_type))
}

fn network_file_system_of(number: i64) -> Option<&'static str> {
    // The numbers have 32 bits, and some of them arrive with a sign.
    let known = NETWORK_FILE_SYSTEMS.iter().find(|(known, _)| *known == number & 0xffff_ffff);
    known.map(|(_, name)| *name)
}

/// The bytes that the files of a directory may take in all: those that they have, and the free ones of its volume. `None` if the
/// system doesn't answer.
pub(crate) fn space_bytes(directory: &Path) -> Option<u64> {
    Volume::of(directory).map(|volume| volume.free_bytes.saturating_add(files_bytes(directory)))
}

/// The size of all files in a directory, in bytes.
fn files_bytes(directory: &Path) -> u64 {
    let files = std::fs::read_dir(directory).into_iter().flatten();
    files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len())).sum()
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
        let volume = Volume::of(directory.path()).unwrap();
        assert!(volume.free_bytes > 0 && !volume.is_read_only, "{volume:?}");
    }
}
