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
    durable_files::make(directory, MODE)
        .map_err(|source| StorageError::NoDataDir { path: directory.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_in_the_way_is_named_with_a_cure() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for directory in [file.path(), &file.path().join("below")] {
            let said = make_data_dir(directory).unwrap_err().to_string();
            let shown = directory.display().to_string();
            assert!(said.starts_with(&shown) && said.contains("choose another `data_dir`"), "{said}");
        }
    }
}
