//! CSV for programs and spreadsheets (RFC 4180).
//!
//! Values are written unchanged, with two exceptions. A control character that a terminal obeys is written as JSON writes
//! it, such as `\u001b`. A text that a spreadsheet would run as a formula gets an apostrophe before it, except ids.

use anyhow::Context;
use csv::{Terminator, WriterBuilder};
use serde::Serialize;
use serde_json::Value;

use super::json::{is_harmful, write_escaped};
use super::output::Output;

/// Members with ids. They contain only letters, digits, `.`, `_` and `-`, and users paste them into other commands.
const IDS: [&str; 5] = ["id", "sequence", "session", "first_session", "last_session"];

/// Prints a head and the rows. `members` are the names of the JSON members, such as `reason.category` for an inner one.
///
/// # Errors
/// The output cannot be written, or a row fails to serialize.
pub(super) fn print_csv(members: &[&str], rows: &[impl Serialize], output: &mut Output<'_>) -> anyhow::Result<()> {
    print_record(members, output)?;
    for row in rows {
        let row = serde_json::to_value(row).context("cannot write a row")?;
        let fields: Vec<String> = members.iter().map(|path| field(path, member(&row, path))).collect();
        print_record(&fields, output)?;
    }
    Ok(())
}

fn print_record(fields: &[impl AsRef<[u8]>], output: &mut Output<'_>) -> anyhow::Result<()> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(fields)?;
    let record = writer.into_inner().context("cannot write a row")?;
    Ok(output.bytes(&record)?)
}

fn member<'v>(value: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(value, |value, name| &value[name])
}

fn field(path: &str, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => {
            let text = without_controls(text);
            if IDS.contains(&path) { text } else { without_formula(text) }
        }
        other => other.to_string(),
    }
}

/// The text with control characters escaped. Tabs and line ends stay, because CSV quotes them.
fn without_controls(text: &str) -> String {
    let mut escaped = Vec::new();
    let must_be_escaped = |character| is_harmful(character) && !matches!(character, '\t' | '\n' | '\r');
    // Writing to memory does not fail, and escapes are ASCII.
    let _ = write_escaped(text, must_be_escaped, &mut escaped);
    String::from_utf8_lossy(&escaped).into_owned()
}

/// The text with an apostrophe before it, if a spreadsheet would run it as a formula. Numbers such as -5 are not texts.
fn without_formula(text: String) -> String {
    // Spreadsheets with East Asian settings also accept the wide forms.
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if is_formula { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field_of(text: &str) -> String {
        let mut written = Vec::new();
        print_csv(&["stream", "ms"], &[serde_json::json!({"stream": text, "ms": -5})], &mut Output::to(&mut written))
            .unwrap();
        let written = String::from_utf8(written).unwrap();
        written.strip_prefix("stream,ms\r\n").unwrap().strip_suffix(",-5\r\n").unwrap().to_owned()
    }

    #[test]
    fn field_quoted() {
        assert_eq!(field_of("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(field_of("a\r\nb"), "\"a\r\nb\"");
    }

    #[test]
    fn formula_defused() {
        for (text, expected) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("＝1", "'＝1"),
            ("\t=1", "'\t=1"),
            ("\r=1", "\"'\r=1\""),
            ("\n=1", "\"'\n=1\""),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(field_of(text), expected, "{text:?}");
        }
    }

    // Users copy an id from a spreadsheet into another command, so it must stay as it is.
    #[test]
    fn id_unchanged() {
        assert_eq!(field("id", &"-7-2055036c".into()), "-7-2055036c");
        assert_eq!(field("first_session", &"-7-2055036c".into()), "-7-2055036c");
        assert_eq!(field("stream", &"-7".into()), "'-7");
    }

    #[test]
    fn only_controls_escaped() {
        for text in ["a\\b\\n", "ห้อง e\u{301}", "a\tb"] {
            assert_eq!(field_of(text), text);
        }
        assert_eq!(field_of("a\u{1b}[2J\u{9b}\u{2028}"), r"a\u001b[2J\u009b\u2028");
    }
}
