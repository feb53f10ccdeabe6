//! Finds the strings and the ends of values in a JSON text. The text must be compact and valid.

use std::ops::Range;

use serde_json::value::RawValue;

use super::work;

/// Returns the place of the first string at or after `start`, without its quotes. `start` must be outside a string.
pub(super) fn next_string(json: &str, start: usize) -> Option<Range<usize>> {
    let start = start + json[start..].find('"')? + 1;
    let mut escaped = false;
    let length = json[start..].bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    work::count(length);
    Some(start..start + length)
}

/// Returns the length in bytes of the JSON value that a text starts with.
pub(super) fn value_length(text: &str) -> Option<usize> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    values.next()?.ok()?;
    work::count(values.byte_offset());
    Some(values.byte_offset())
}
