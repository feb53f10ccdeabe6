//! Wrong usage that depends on several arguments, so that clap cannot find it.

/// Wrong usage. The process prints the message with the usage of the program, and exits with 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// Returns an error of wrong usage. The message says what to use instead.
pub(crate) fn usage_error(message: &str) -> anyhow::Error {
    UsageError(message.to_owned()).into()
}
