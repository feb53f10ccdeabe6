//! `--key` and `--key-file`: a callback key on the command line, never repeated in a message.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;

use super::input;
use crate::callback::CallbackKey;

/// The most that a file of keys may hold.
const FILE_BYTES_MAX: usize = 64 * 1024;

/// The key to sign with.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct KeyArguments {
    /// The callback key to sign with
    #[arg(long, value_name = "KEY", value_parser = KeyParser)]
    key: Option<CallbackKey>,
    /// A file that holds the callback key; of several, one a line, the first is taken
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl KeyArguments {
    /// The key that was given.
    ///
    /// # Errors
    /// The file cannot be read or holds no key.
    pub(crate) fn read(&self) -> anyhow::Result<CallbackKey> {
        match (&self.key, &self.key_file) {
            (Some(key), _) => Ok(key.clone()),
            (None, Some(path)) => read_file(path),
            (None, None) => Err(anyhow!("there is no callback key: give --key or --key-file")),
        }
    }
}

fn read_file(path: &Path) -> anyhow::Result<CallbackKey> {
    let name = path.display();
    let content = input::read_file(path, FILE_BYTES_MAX)?;
    let content = String::from_utf8(content).map_err(|_| anyhow!("{name}: not UTF-8 text"))?;
    let first = content.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    let key = first.ok_or_else(|| anyhow!("{name}: there is no key in it; make one with `livehook keygen`"))?;
    CallbackKey::new(key).with_context(|| name.to_string())
}

/// Reads a callback key. Unlike the parsers that clap makes of a function, it does not quote what it refuses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyParser;

impl TypedValueParser for KeyParser {
    type Value = CallbackKey;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<CallbackKey, clap::Error> {
        let refuse =
            |why: &str| clap::Error::raw(ErrorKind::ValueValidation, format!("--key: {why}\n")).with_cmd(command);
        let text = value.to_str().ok_or_else(|| refuse("the key is not UTF-8"))?;
        CallbackKey::new(text).map_err(|error| refuse(&error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_key_is_not_repeated() {
        let error = KeyParser.parse_ref(&clap::Command::new("x"), None, OsStr::new("se cret")).unwrap_err();
        assert!(error.to_string().contains("white space") && !error.to_string().contains("cret"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn a_file_gives_its_first_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        for (content, key) in [("abc\n", Some("abc")), ("\n# old\r\n  abc  \ndef\n", Some("abc")), ("# none\n", None)] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(read_file(&path).ok(), key.map(|key| CallbackKey::new(key).unwrap()), "{content:?}");
        }
    }
}
