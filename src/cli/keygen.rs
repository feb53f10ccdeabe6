//! `livehook keygen`: callback keys that nobody can guess.

use std::process::ExitCode;

use anyhow::Context;

use super::output::Output;

/// The longest key that the CSS console takes.
const KEY_CHARACTERS: usize = 32;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Make a callback key: 32 letters and digits, the most that the CSS console takes
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook keygen                   one, for a template and for livehook
  livehook keygen --count 3         three
  livehook keygen > callback.key    into a file, for `keys_file` or --key-file")]
pub(super) struct Arguments {
    /// How many keys to make, one a line
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
}

/// Prints the keys.
pub(super) fn run(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    for _ in 0..arguments.count {
        output.line(key()?)?;
    }
    Ok(ExitCode::SUCCESS)
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
        run(&Arguments { count: 100 }, &mut Output::to(&mut written)).unwrap();
        let written = String::from_utf8(written).unwrap();
        let keys: HashSet<&str> = written.lines().collect();
        assert_eq!(keys.len(), 100);
        for key in keys {
            assert!(key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{key}");
            assert!(!CallbackKey::new(key).unwrap().is_short());
        }
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
