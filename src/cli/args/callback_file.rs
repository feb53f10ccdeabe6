//! A callback from a file or from stdin.

use std::io::{self, IsTerminal};
use std::path::Path;

use crate::cli::bounded_file::{read_bounded, read_file};
use crate::cli::render::talk;

/// The most bytes of a callback. Receivers accept far less.
const CALLBACK_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A callback that was read, not parsed.
#[derive(Debug)]
pub(crate) struct CallbackFile {
    /// The path, or `stdin`.
    pub(crate) name: String,
    /// The content.
    pub(crate) bytes: Vec<u8>,
}

impl CallbackFile {
    /// Reads a file, or stdin if there is no path or the path is `-`.
    ///
    /// # Errors
    /// The callback cannot be read or is larger than 16 MiB.
    pub(crate) fn read(path: Option<&Path>) -> anyhow::Result<CallbackFile> {
        match path {
            Some(path) if path != Path::new("-") => {
                let bytes = read_file(path, CALLBACK_BYTES_MAX)?;
                Ok(CallbackFile { name: path.display().to_string(), bytes })
            }
            _ => {
                let stdin = io::stdin();
                // Otherwise the command would seem to hang.
                if stdin.is_terminal() {
                    talk("type a callback, then press Ctrl-D");
                }
                let bytes = read_bounded(stdin.lock(), "stdin", CALLBACK_BYTES_MAX)?;
                Ok(CallbackFile { name: "stdin".to_owned(), bytes })
            }
        }
    }
}
