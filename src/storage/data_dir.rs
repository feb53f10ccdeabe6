//! Makes the directory that holds the databases.

use std::path::Path;

use super::{StorageError, durable_files};

/// Only the user that runs livehook may look into a data directory or a copy of one.
const MODE: u32 = 0o700;

/// Makes a data directory that survives a power failure. One that exists stays as it is.
///
/// # Errors
/// The directory cannot be made or synced.
pub(crate) fn make_data_dir(directory: &Path) -> Result<(), StorageError> {
    durable_files::make(directory, MODE).map_err(StorageError::io(directory))
}
