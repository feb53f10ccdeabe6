//! JSON on one line, with escapes for every character that a terminal obeys or that a program reads as a line end.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use super::output::{Output, OutputError};

/// Writes a value as one line of JSON. Events inside it keep their own escapes.
///
/// # Errors
/// The output cannot be written, or the value fails to serialize.
pub(crate) fn write_json_line(value: &impl Serialize, output: &mut Output<'_>) -> anyhow::Result<()> {
    let mut serializer = Serializer::with_formatter(&mut *output, EscapeControls);
    value.serialize(&mut serializer).map_err(|error| match error.is_io() {
        // serde_json wraps the error of a closed pipe, which is not a failure of the command.
        true => OutputError::from(io::Error::from(error)).into(),
        false => anyhow::Error::from(error),
    })?;
    Ok(output.bytes(b"\n")?)
}

/// Compact JSON that escapes more characters than JSON requires.
struct EscapeControls;

impl Formatter for EscapeControls {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        write_escaped(fragment, is_harmful, writer)
    }
}

/// Whether a terminal obeys a character, or a program reads it as a line end.
pub(super) fn is_harmful(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// Writes a text with some of its characters as `\u001b`. All of these must be below U+10000.
pub(super) fn write_escaped<W: Write + ?Sized>(
    text: &str,
    must_be_escaped: impl Fn(char) -> bool,
    writer: &mut W,
) -> io::Result<()> {
    let mut rest = text;
    while let Some(at) = rest.find(&must_be_escaped) {
        writer.write_all(&rest.as_bytes()[..at])?;
        let mut characters = rest[at..].chars();
        if let Some(character) = characters.next() {
            write!(writer, "\\u{:04x}", u32::from(character))?;
        }
        rest = characters.as_str();
    }
    writer.write_all(rest.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_with_escaped_controls() {
        let mut written = Vec::new();
        let text = "a\u{1b}\u{7f}\u{9b}\u{2028}直\n";
        write_json_line(&serde_json::json!({"a": text}), &mut Output::to(&mut written)).unwrap();
        let json = String::from_utf8(written).unwrap();
        assert_eq!(json, "{\"a\":\"a\\u001b\\u007f\\u009b\\u2028直\\n\"}\n");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["a"], text);
    }
}
