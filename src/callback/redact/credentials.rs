//! Removes `t` and `sign` from a callback that people see, in addition to its secret parameters.

use std::sync::LazyLock;

use super::json_strings::{next_string, value_length};
use super::redaction::REDACTED_STRING;
use super::redactor::Redactor;
use crate::callback::json;

/// Redacts signatures. A signature may be genuine even if its name has the wrong case, or if it is inside another text.
static SIGNATURES: LazyLock<Redactor> = LazyLock::new(|| Redactor::new(["sign", "signature"]));

/// Returns a JSON object (compact, valid) without the credentials of callbacks at any depth: the values of `sign` and `signature`,
/// also in strings, and every member `t`.
pub(in crate::callback) fn without_credentials(object: &str) -> String {
    let object = SIGNATURES.redact(object);
    let mut output = String::with_capacity(object.len());
    let (mut kept, mut position) = (0, 0);
    while let Some(string) = next_string(&object, position) {
        position = string.end + 1;
        let Some(member) = object[position..].strip_prefix(':') else { continue };
        let name = json::string(&object[string.start - 1..position]).unwrap_or_default();
        // Only members are compared with `t`. In a string, many other names end in `t`, and a `t` without its `sign` proves nothing.
        if !name.trim().eq_ignore_ascii_case("t") {
            continue;
        }
        if let Some(length) = value_length(member) {
            output.push_str(&object[kept..=position]);
            output.push_str(REDACTED_STRING);
            position += 1 + length;
            kept = position;
        }
    }
    output.push_str(&object[kept..]);
    output
}
