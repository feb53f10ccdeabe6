//! The command line of a bench: a mode, and options with a value each.

use anyhow::Context;

/// Reads the arguments, and hands each option with its value to `set`. Returns the mode, `all` where none is named.
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

/// What was given to an option.
pub(crate) struct Value {
    option: String,
    /// As it was given.
    pub(crate) text: String,
}

impl Value {
    /// The same as a whole number.
    pub(crate) fn number(&self) -> anyhow::Result<u64> {
        self.text.parse().with_context(|| format!("{} {}: this is no number", self.option, self.text))
    }
}
