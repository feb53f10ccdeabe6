//! The state of the file that is stored next to the cursor.

use serde::{Deserialize, Serialize};

/// The file as it was when the cursor was stored. The names of the members are a stored format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileState {
    /// The path, with symbolic links resolved.
    pub(super) path: String,
    /// The device. Device and inode identify the file, even after a rename.
    pub(super) device: u64,
    /// The inode.
    pub(super) inode: u64,
    /// The length in bytes.
    pub(super) length: u64,
    /// The stamp of the file that was closed last: `20260102T030405Z`.
    pub(super) rotated: Option<String>,
}
