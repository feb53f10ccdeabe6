//! The command line of a bench: a mode, and options with one value each.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, bail};

/// Returns the address to serve on if this process was started as `BENCH command ADDRESS`: the bench runs its other end as a
/// process of the same program.
pub(crate) fn address_after(command: &str) -> anyhow::Result<Option<SocketAddr>> {
    let mut arguments = given();
    if arguments.next().is_none_or(|argument| argument != command) {
        return Ok(None);
    }
    let address = arguments.next().with_context(|| format!("{command} needs an address"))?;
    Ok(Some(address.parse()?))
}

/// The arguments that the user gave, for example `steady --secs 30`. Ask for every option, then for the mode.
pub(crate) struct Arguments {
    mode: String,
    values: BTreeMap<String, String>,
    /// The options that the bench has.
    known: Vec<&'static str>,
}

impl Arguments {
    /// Reads the arguments of this process.
    pub(crate) fn read() -> anyhow::Result<Arguments> {
        let mut arguments = given();
        let (mut mode, mut values) = ("all".to_owned(), BTreeMap::new());
        while let Some(argument) = arguments.next() {
            if !argument.starts_with("--") {
                mode = argument;
                continue;
            }
            let value = arguments.next().with_context(|| format!("{argument} needs a value"))?;
            values.insert(argument, value);
        }
        Ok(Arguments { mode, values, known: Vec::new() })
    }

    /// Returns the value of an option.
    pub(crate) fn text(&mut self, option: &'static str) -> Option<String> {
        self.known.push(option);
        self.values.remove(option)
    }

    /// Returns the value of an option as a whole number.
    pub(crate) fn number(&mut self, option: &'static str, default: u64) -> anyhow::Result<u64> {
        match self.text(option) {
            Some(text) => text.parse().with_context(|| format!("{option} {text}: this is not a number")),
            None => Ok(default),
        }
    }

    /// Returns the value of an option as a whole number, and 1 for 0.
    pub(crate) fn count(&mut self, option: &'static str, default: u64) -> anyhow::Result<usize> {
        Ok(usize::try_from(self.number(option, default)?.max(1))?)
    }

    /// Returns the directory for data: the value of `--dir`, or else a folder in `target/`.
    pub(crate) fn dir(&mut self) -> PathBuf {
        self.text("--dir").unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").to_owned()).into()
    }

    /// Returns the mode, or `all` if the user gave none.
    ///
    /// # Errors
    /// The bench has no such mode, or asked for none of the given options.
    pub(crate) fn mode(self, modes: &[&str]) -> anyhow::Result<String> {
        if let Some(option) = self.values.keys().next() {
            bail!("{option} is not an option: choose one of {}", self.known.join(", "));
        }
        if self.mode != "all" && !modes.contains(&self.mode.as_str()) {
            bail!("`{}` is not a mode: choose one of {}", self.mode, modes.join(", "));
        }
        Ok(self.mode)
    }
}

fn given() -> impl Iterator<Item = String> {
    // `cargo bench` adds `--bench`.
    std::env::args().skip(1).filter(|argument| argument != "--bench")
}
