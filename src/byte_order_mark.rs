//! The byte order mark that some editors and programs write at the start of a UTF-8 text. The text begins after it.

/// The mark.
pub(crate) const MARK: &str = "\u{feff}";

/// Returns a text without the mark at its start.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix(MARK).unwrap_or(text)
}

/// Returns bytes without the mark at their start.
pub(crate) fn without_mark_bytes(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(MARK.as_bytes()).unwrap_or(bytes)
}
