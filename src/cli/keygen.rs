//! `livehook keygen`: makes random callback keys and webhook secrets.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use super::render::Output;
use crate::sink::http::WebhookSecret;

/// The longest key that the CSS console accepts.
const KEY_CHARACTERS: usize = 32;

/// A webhook secret has 24 to 64 bytes. More than the 32 bytes of the digest do not make it stronger.
const SECRET_BYTES: usize = 32;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Make a random callback key, or a signing secret for a sink of type http
///
/// A callback key has 32 letters and digits, the most that the CSS console accepts. Other users of the machine may be able to
/// read a file that the shell makes (`keygen > FILE`): use --out, or `umask 077` before.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook keygen                   a key, for the CSS console and for livehook
  livehook keygen --count 3         three keys
  livehook keygen --out callback.key
      a file for `keys_file` or --key-file, which only you can read
  livehook keygen --webhook         a secret for `secrets` of a sink, whsec_...")]
pub(super) struct Arguments {
    /// How many keys or secrets to make, one per line
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// Make a secret that signs the requests of an http sink (Standard Webhooks), instead of a callback key
    #[arg(long)]
    webhook: bool,
    /// Write to this new file, which only its owner can read and write (0600), and not to stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Prints the keys or secrets, or writes them to a file.
pub(super) fn run(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let mut lines = String::new();
    for _ in 0..arguments.count {
        lines.push_str(&if arguments.webhook { secret()? } else { key()? });
        lines.push('\n');
    }
    match &arguments.out {
        Some(path) => write_private(path, &lines).with_context(|| path.display().to_string())?,
        None => output.bytes(lines.as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes a file that only its owner can read. A file that exists stays as it is: it may hold a key in use.
fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(file.sync_all()?)
}

fn secret() -> anyhow::Result<String> {
    let mut random = [0; SECRET_BYTES];
    fill_random(&mut random)?;
    Ok(WebhookSecret::from_bytes(&random)?.reveal())
}

fn key() -> anyhow::Result<String> {
    let mut key = String::with_capacity(KEY_CHARACTERS);
    let mut random = [0; 64];
    while key.len() < KEY_CHARACTERS {
        fill_random(&mut random)?;
        key.extend(random.iter().filter_map(|byte| character(*byte)).take(KEY_CHARACTERS - key.len()));
    }
    Ok(key)
}

fn fill_random(bytes: &mut [u8]) -> anyhow::Result<()> {
    getrandom::fill(bytes).context("the system has no random bytes")
}

/// A character for a random byte. The 8 highest bytes return none, because they would make the first letters more likely.
fn character(byte: u8) -> Option<char> {
    let choices = ALPHABET.len();
    let position = usize::from(byte);
    (position < 256 / choices * choices).then(|| char::from(ALPHABET[position % choices]))
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::callback::CallbackKey;
    use crate::cli::testing::{error_of, stdout_of};

    #[test]
    fn keys_random() {
        let printed = stdout_of(&["keygen", "--count", "100"]);
        let keys: HashSet<&str> = printed.lines().collect();
        assert_eq!(keys.len(), 100);
        for key in keys {
            assert!(key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{key}");
            assert!(!CallbackKey::new(key).unwrap().is_short());
        }
    }

    #[test]
    fn file_is_private_and_new() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("callback.key");
        let line = ["keygen", "--count", "2", "--out", path.to_str().unwrap()];
        assert_eq!(stdout_of(&line), "");
        let keys = std::fs::read_to_string(&path).unwrap();
        assert_eq!((keys.lines().count(), keys.len()), (2, 66));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let error = format!("{:#}", error_of(&line));
        assert!(error.contains("callback.key") && error.contains("exists"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), keys);
        // A link to nothing counts as a file: another user may have put it there.
        let link = directory.path().join("link.key");
        std::os::unix::fs::symlink(directory.path().join("absent"), &link).unwrap();
        error_of(&["keygen", "--out", link.to_str().unwrap()]);
        assert!(!link.exists());
    }

    #[test]
    fn secrets_random() {
        let printed = stdout_of(&["keygen", "--count", "100", "--webhook"]);
        let secrets: HashSet<&str> = printed.lines().collect();
        assert_eq!(secrets.len(), 100);
        assert!(secrets.iter().all(|secret| WebhookSecret::new(secret).is_ok()));
    }

    #[test]
    fn characters_equally_likely() {
        let mut counts = HashMap::new();
        for character in (0..=u8::MAX).filter_map(character) {
            *counts.entry(character).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 62);
        assert!(counts.values().all(|count| *count == 4));
    }
}
