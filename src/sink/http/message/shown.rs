//! Makes a text of the sender fit to be shown.

use crate::printable::printable;

/// The most characters of a text.
const TEXT_CHARACTERS_MAX: usize = 256;

/// Returns a text of the sender. It has one line and no invisible character, and its length is bounded.
pub(super) fn shown(text: &str) -> String {
    printable(text, TEXT_CHARACTERS_MAX).into_owned()
}
