//! Reads what a command is given, from a file or stdin, up to a bound.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use anyhow::{Context, bail};

use crate::cli::render::output::talk;

/// A callback as given to a command.
#[derive(Debug)]
pub(crate) struct Input {
    /// What to call it in messages.
    pub(crate) name: String,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
}

/// The most that a callback in a file may hold: far more than any receiver takes.
const CALLBACK_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Reads a callback from a file, or from stdin where there is none or it is `-`.
///
/// # Errors
/// It cannot be read or is larger than 16 MiB.
pub(crate) fn read_callback(path: Option<&Path>) -> anyhow::Result<Input> {
    match path {
        Some(path) if path != Path::new("-") => {
            Ok(Input { name: path.display().to_string(), bytes: read_file(path, CALLBACK_BYTES_MAX)? })
        }
        _ => {
            let stdin = io::stdin();
            if stdin.is_terminal() {
                talk("reading a callback from the terminal; end it with Ctrl-D");
            }
            Ok(Input { name: "stdin".to_owned(), bytes: read_bounded(stdin.lock(), "stdin", CALLBACK_BYTES_MAX)? })
        }
    }
}

/// Reads a file of at most `bytes_max` bytes.
///
/// # Errors
/// It cannot be read or is larger.
pub(crate) fn read_file(path: &Path, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| name.clone())?;
    read_bounded(file, &name, bytes_max)
}

fn read_bounded(reader: impl Read, name: &str, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(bytes_max as u64 + 1).read_to_end(&mut bytes).with_context(|| name.to_owned())?;
    if bytes.len() > bytes_max {
        bail!("{name}: larger than {bytes_max} bytes, the most that is read");
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_inclusive_and_named() {
        assert_eq!(read_bounded(&b"1234"[..], "x", 4).unwrap(), b"1234");
        let error = read_bounded(&b"12345"[..], "x", 4).unwrap_err();
        assert_eq!(error.to_string(), "x: larger than 4 bytes, the most that is read");
    }
}
