//! The text of an error with its causes.

/// Returns an error and its causes in one line, such as `a.json: no space`. A cause that the text contains already is left out.
pub(crate) fn error_text(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match text {
        text if text.is_empty() => cause,
        text if text.contains(&cause) => text,
        text => format!("{text}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cause_shown_once() {
        let cause = || std::io::Error::other("no space");
        assert_eq!(error_text(&anyhow::Error::from(cause()).context("a.json")), "a.json: no space");
        let with_cause = crate::storage::StorageError::Io { path: "x".into(), source: cause() };
        assert_eq!(error_text(&with_cause.into()), "x: no space");
    }
}
