//! The command line of a bench: a mode, and options with one value each.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;

/// Returns the directory for data if `--dir` does not name one: it is in `target/`.
pub(crate) fn default_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

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

/// Reads the arguments, and calls `set` with each option and its value. Returns the mode, or `all` if none is given.
pub(crate) fn read(mut set: impl FnMut(&str, &Value) -> anyhow::Result<()>) -> anyhow::Result<String> {
    let mut arguments = given();
    let mut mode = "all".to_owned();
    while let Some(argument) = arguments.next() {
        if !argument.starts_with("--") {
            mode = argument;
            continue;
        }
        let text = arguments.next().with_context(|| format!("{argument} needs a value"))?;
        set(&argument, &Value { option: argument.clone(), text })?;
    }
    Ok(mode)
}

fn given() -> impl Iterator<Item = String> {
    // `cargo bench` adds `--bench`.
    std::env::args().skip(1).filter(|argument| argument != "--bench")
}

/// The value of an option.
pub(crate) struct Value {
    option: String,
    /// The value as given.
    pub(crate) text: String,
}

impl Value {
    /// Returns the value as a whole number.
    pub(crate) fn number(&self) -> anyhow::Result<u64> {
        self.text.parse().with_context(|| format!("{} {}: this is not a number", self.option, self.text))
    }

    /// Returns the value as a whole number, and 1 for 0.
    pub(crate) fn count(&self) -> anyhow::Result<usize> {
        Ok(usize::try_from(self.number()?.max(1))?)
    }
}
