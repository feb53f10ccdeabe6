//! Reads files that the user names, up to a size limit.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};

use crate::named_file;

/// Reads a file of at most `bytes_max` bytes. Never waits for ever for a pipe.
///
/// # Errors
/// The file cannot be read or is larger. The error names the file.
pub(crate) fn read_file(path: &Path, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
    named_file::read(path, bytes_max).with_context(|| path.display().to_string())
}

/// Reads at most `bytes_max` bytes. `name` stands for the reader in errors.
///
/// # Errors
/// The reader fails or has more bytes.
pub(crate) fn read_bounded(reader: impl Read, name: &str, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more shows that the file is too large, without reading all of it.
    reader.take(bytes_max as u64 + 1).read_to_end(&mut bytes).with_context(|| name.to_owned())?;
    if bytes.len() > bytes_max {
        bail!("{name}: larger than the limit of {bytes_max} bytes");
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_inclusive() {
        assert_eq!(read_bounded(&b"1234"[..], "x", 4).unwrap(), b"1234");
        let error = read_bounded(&b"12345"[..], "x", 4).unwrap_err();
        assert_eq!(error.to_string(), "x: larger than the limit of 4 bytes");
    }
}
