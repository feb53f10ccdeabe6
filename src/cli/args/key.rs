//! `--key` and `--key-file`: a callback key on the command line. No message repeats a key.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;

use crate::byte_order_mark::without_mark;
use crate::callback::CallbackKey;
use crate::cli::bounded_file;
use crate::sink::shown_path;

/// The most bytes of a key file.
const FILE_BYTES_MAX: usize = 64 * 1024;

/// The callback key that signs.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct KeyArguments {
    /// The callback key to sign with
    #[arg(long, value_name = "KEY", value_parser = KeyParser)]
    key: Option<CallbackKey>,
    /// A file with callback keys, one per line; the first one signs
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl KeyArguments {
    /// Returns the key of `--key`, or the first key of `--key-file`.
    ///
    /// # Errors
    /// The file cannot be read or holds no key.
    pub(crate) fn read(&self) -> anyhow::Result<CallbackKey> {
        match (&self.key, &self.key_file) {
            (Some(key), _) => Ok(key.clone()),
            (None, Some(path)) => read_file(path),
            (None, None) => Err(anyhow!("no callback key: use --key or --key-file")),
        }
    }
}

fn read_file(path: &Path) -> anyhow::Result<CallbackKey> {
    let name = path.display();
    let content = bounded_file::read_file(path, FILE_BYTES_MAX).map_err(|error| match shown_path(path, Path::exists) {
        Some(_) => error,
        None => anyhow!(
            "--key-file: cannot be read: {}; give the path of a file, not the key itself (livehook doesn't show the value, \
             because it may be the key)",
            error.root_cause()
        ),
    })?;
    let content = String::from_utf8(content).map_err(|_| anyhow!("{name}: not UTF-8 text"))?;
    // Empty lines and comments are skipped, as in `receiver.keys_file`.
    let first = without_mark(&content).lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    let key = first.ok_or_else(|| anyhow!("{name}: no key in this file; make one with `livehook keygen`"))?;
    CallbackKey::new(key).with_context(|| name.to_string())
}

/// Parses a callback key. It's not a plain function, because clap would print the refused value.
#[derive(Clone, Copy, Debug)]
struct KeyParser;

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
    fn refused_key_hidden() {
        let error = KeyParser.parse_ref(&clap::Command::new("x"), None, OsStr::new("se cret")).unwrap_err();
        assert!(error.to_string().contains("white space") && !error.to_string().contains("cret"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn key_in_place_of_a_file_is_hidden() {
        let error = read_file(Path::new("se-cret-key")).unwrap_err();
        assert!(!format!("{error:#}").contains("cret-key") && error.to_string().contains("No such file"), "{error:#}");
        let error = read_file(Path::new("./absent.key")).unwrap_err();
        assert!(error.to_string().contains("absent.key"), "{error:#}");
    }

    #[test]
    fn first_key_of_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        for (content, key) in [
            ("abc\n", Some("abc")),
            ("\n# old\r\n  abc  \ndef\n", Some("abc")),
            ("\u{feff}abc\n", Some("abc")),
            ("# none\n", None),
        ] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(read_file(&path).ok(), key.map(|key| CallbackKey::new(key).unwrap()), "{content:?}");
        }
    }
}
