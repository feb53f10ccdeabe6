//! The error of a text that names no value of its type, such as `0167` for an event id.

use std::borrow::Cow;

/// The most characters of the text that the error repeats. The text can come from a stranger.
const CHARACTERS_MAX: usize = 100;

/// The text names no value of its type.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not {kind}: give {valid}")]
pub struct InvalidText {
    text: String,
    kind: &'static str,
    valid: Cow<'static, str>,
}

impl InvalidText {
    /// `kind` is the type with its article, for example `an event id`. `valid` says what to give instead.
    pub fn new(text: &str, kind: &'static str, valid: impl Into<Cow<'static, str>>) -> InvalidText {
        InvalidText { text: text.chars().take(CHARACTERS_MAX).collect(), kind, valid: valid.into() }
    }
}
