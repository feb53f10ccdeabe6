//! The files in which a recovery looks for lines of the last batch.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::closed_names::{ClosedNames, Form, Stamp};
use super::error::FileError;
use super::paths::{directory_of, find_inode};
use super::state::FileState;

/// A file that may hold lines of the last batch, and the offset at which they would begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) start: u64,
    /// Whether only the sink can have written there: after the stored length, or in a file that it began since.
    pub(super) is_ours: bool,
}

/// Returns the places in the order in which the sink wrote them. The last one is the file `active`, to which it writes now.
///
/// # Errors
/// A directory can't be read.
pub(super) fn find(state: Option<&FileState>, active: &Path) -> Result<Vec<Place>, FileError> {
    let mut places = Vec::new();
    if let Some(state) = state {
        let stored_path = Path::new(&state.path);
        let names = ClosedNames::next_to(stored_path);
        // Others may have renamed the file, or the configured path may be a new one.
        for directory in [names.directory(), directory_of(active)] {
            let found =
                find_inode(directory, state.device, state.inode).map_err(FileError::io(directory, "list it"))?;
            places.extend(found.map(|path| Place { path, start: state.length, is_ours: true }));
        }
        let last_closed = state.rotated.as_deref().and_then(Stamp::parse);
        // The old directory may be gone.
        let closed = match names.list() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            closed => closed.map_err(FileError::io(names.directory(), "list it"))?,
        };
        let count_before = places.len();
        places.extend(
            closed
                .into_iter()
                .filter(|(stamp, form)| *form == Form::Plain && last_closed.is_none_or(|last| *stamp > last))
                .map(|(stamp, form)| Place { path: names.path(stamp, form), start: 0, is_ours: true }),
        );
        // If a file was closed since, the same rotation began the file that has the path now.
        let is_ours = places.len() > count_before;
        places.push(Place { path: stored_path.to_owned(), start: 0, is_ours });
    }
    places.push(Place { path: active.to_owned(), start: 0, is_ours: false });

    // The same file can appear twice, by its inode and by its name. The first place has the right start.
    let mut seen = Vec::new();
    places.retain(|place| match fs::symlink_metadata(&place.path) {
        Ok(metadata) if metadata.is_file() => {
            let identity = (metadata.dev(), metadata.ino());
            let is_new = !seen.contains(&identity);
            seen.push(identity);
            is_new
        }
        _ => false,
    });
    Ok(places)
}
