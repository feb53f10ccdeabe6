//! The checksums of a backup, in a file that `sha256sum --check` reads, too.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{StorageError, own_file};

/// The name of the file in a backup.
pub(super) const FILE_NAME: &str = "SHA256SUMS";

/// The largest file of checksums that is read. Each file of a backup takes a line of some 80 bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;

const CHUNK_BYTES: usize = 1024 * 1024;

/// Writes the checksums of files, which get these names, to a new file, and syncs it.
///
/// # Errors
/// A file cannot be read, or the new one cannot be written.
pub(super) fn write(path: &Path, files: &[(PathBuf, String)]) -> Result<(), StorageError> {
    let mut lines = String::new();
    for (file, name) in files {
        lines.push_str(&format!("{}  {name}\n", checksum(file)?));
    }
    let written = own_file::open(path, OpenOptions::new().write(true).create_new(true).mode(0o600))
        .and_then(|mut file| file.write_all(lines.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(StorageError::io(path))
}

/// Compares the files of a directory with its checksums. Returns the names of the files.
///
/// # Errors
/// There are no checksums, a file is missing or differs, or one cannot be read.
pub(super) fn verify(directory: &Path) -> Result<Vec<String>, StorageError> {
    let path = directory.join(FILE_NAME);
    let invalid = |path: &Path, text: &str| StorageError::io(path)(io::Error::new(ErrorKind::InvalidData, text));
    let mut text = String::new();
    let file = own_file::open_to_read(&path).map_err(StorageError::io(&path))?;
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(StorageError::io(&path))?;
    let mut names = Vec::new();
    for line in text.lines() {
        let (expected, name) = line
            .split_once("  ")
            .ok_or_else(|| invalid(&path, "this is not a file of checksums of `livehook backup`"))?;
        // A name with a slash could lead out of the backup.
        if name.contains('/') || name.starts_with('.') {
            return Err(invalid(&path, "a name in this file is not one of a backup"));
        }
        let file = directory.join(name);
        if checksum(&file)? != expected {
            let text = "this file differs from its checksum in SHA256SUMS, so the backup is damaged; use another one";
            return Err(invalid(&file, text));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

fn checksum(path: &Path) -> Result<String, StorageError> {
    let digest = || -> io::Result<String> {
        let mut file: File = own_file::open_to_read(path)?;
        let (mut digest, mut chunk) = (Sha256::new(), vec![0; CHUNK_BYTES]);
        loop {
            match file.read(&mut chunk)? {
                0 => return Ok(hex::encode(digest.finalize())),
                count => digest.update(&chunk[..count]),
            }
        }
    };
    digest().map_err(StorageError::io(path))
}
