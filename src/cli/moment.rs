//! The moments that `--since` and `--until` take.

use jiff::Timestamp;

use crate::moment;

/// Reads a moment as Unix ms, spans counted back from the present.
///
/// # Errors
/// Everything that has none of the forms.
pub(super) fn parse_from_now(text: &str) -> Result<i64, String> {
    moment::parse(text, Timestamp::now().as_millisecond())
}
