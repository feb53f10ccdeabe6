//! `livehook keygen`: callback keys and webhook secrets that nobody can guess.

use std::process::ExitCode;

use anyhow::Context;

use super::render::output::Output;
use crate::sink::http::WebhookSecret;

/// The longest key that the CSS console takes.
const KEY_CHARACTERS: usize = 32;

/// A webhook secret may have 24 to 64 bytes; more than the digest's 32 gain nothing.
const SECRET_BYTES: usize = 32;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Make a callback key: 32 letters and digits, the most that the CSS console takes; or a secret for a sink of type http
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook keygen                   one, for a template and for livehook
  livehook keygen --count 3         three
  livehook keygen > callback.key    into a file, for `keys_file` or --key-file
  livehook keygen --webhook         a secret for `secrets` of a sink, whsec_...")]
pub(super) struct Arguments {
    /// How many keys to make, one a line
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// Make secrets that sign what a sink of type http sends (Standard Webhooks) in place of callback keys
    #[arg(long)]
    webhook: bool,
}

/// Prints the keys.
pub(super) fn run(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    for _ in 0..arguments.count {
        output.line(if arguments.webhook { secret()? } else { key()? })?;
    }
    Ok(ExitCode::SUCCESS)
}

fn secret() -> anyhow::Result<String> {
    let mut random = [0; SECRET_BYTES];
    getrandom::fill(&mut random).context("the system gives no random bytes")?;
    Ok(WebhookSecret::from_bytes(&random)?.reveal())
}

fn key() -> anyhow::Result<String> {
    let mut key = String::with_capacity(KEY_CHARACTERS);
    let mut random = [0; 64];
    while key.len() < KEY_CHARACTERS {
        getrandom::fill(&mut random).context("the system gives no random bytes")?;
        key.extend(random.iter().filter_map(|byte| character(*byte)).take(KEY_CHARACTERS - key.len()));
    }
    Ok(key)
}

/// One character for a random byte. Bytes that would favour the first letters give none.
fn character(byte: u8) -> Option<char> {
    let choices = ALPHABET.len();
    let position = usize::from(byte);
    (position < 256 / choices * choices).then(|| char::from(ALPHABET[position % choices]))
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;
    use crate::callback::CallbackKey;

    #[test]
    fn keys_are_of_32_letters_and_digits_and_differ() {
        let mut written = Vec::new();
        run(&Arguments { count: 100, webhook: false }, &mut Output::to(&mut written)).unwrap();
        let written = String::from_utf8(written).unwrap();
        let keys: HashSet<&str> = written.lines().collect();
        assert_eq!(keys.len(), 100);
        for key in keys {
            assert!(key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{key}");
            assert!(!CallbackKey::new(key).unwrap().is_short());
        }
    }

    #[test]
    fn secrets_are_such_and_differ() {
        let mut written = Vec::new();
        run(&Arguments { count: 100, webhook: true }, &mut Output::to(&mut written)).unwrap();
        let secrets: HashSet<String> = String::from_utf8(written).unwrap().lines().map(str::to_owned).collect();
        assert_eq!(secrets.len(), 100);
        assert!(secrets.iter().all(|secret| WebhookSecret::new(secret).is_ok()));
    }

    #[test]
    fn no_character_is_favoured() {
        let mut counts = HashMap::new();
        for character in (0..=u8::MAX).filter_map(character) {
            *counts.entry(character).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 62);
        assert!(counts.values().all(|count| *count == 4));
    }
}
