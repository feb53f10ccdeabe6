//! The command line of a bench: a mode, and options that have a value each.

use anyhow::Context;

/// Reads the arguments, and calls `set` with each option and its value. Returns the mode, or `all` if none is given.
pub(crate) fn read(
    mut arguments: impl Iterator<Item = String>,
    mut set: impl FnMut(&str, &Value) -> anyhow::Result<()>,
) -> anyhow::Result<String> {
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

/// The value of an option.
pub(crate) struct Value {
    option: String,
    /// The value as given.
    pub(crate) text: String,
}

impl Value {
    /// The value as a whole number.
    pub(crate) fn number(&self) -> anyhow::Result<u64> {
        self.text.parse().with_context(|| format!("{} {}: this is not a number", self.option, self.text))
    }
}
