//! Wrong usage that clap cannot find, because it depends on more than one argument.

/// Wrong usage. The process prints the usage of the program with it, and exits with 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// An error of wrong usage, with a message that says what to give instead.
pub(crate) fn usage_error(message: &str) -> anyhow::Error {
    UsageError(message.to_owned()).into()
}
