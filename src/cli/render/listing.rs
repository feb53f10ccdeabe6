//! What every command that lists something does with its rows: a table for people, JSON or CSV for programs.
//!
//! A row is described once, by its `Serialize`: that is the JSON, and CSV picks its columns from it by name. Only the
//! table is made by hand, since it shows less and in another way.
//!
//! CSV has the values as they are, quoted as RFC 4180 has it: a backslash is a backslash. There are two exceptions. A control
//! character other than a tab or a line end, which a terminal would obey, is written as JSON writes it (`\u001b`). And a text
//! that a spreadsheet would take for a formula has an apostrophe before it, unless it is an id.

use anyhow::Context;
use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

use super::cell::Cell;
use super::output::Output;
use super::table::{Column, Table};

/// How rows are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people: aligned, times and durations readable, long names cut
    Table,
    /// One JSON object a line
    Json,
    /// Comma-separated with a head (RFC 4180); a text that begins like a formula has `'` before it
    Csv,
}

/// What can be listed.
pub(crate) trait Row: Serialize {
    /// The columns of the table.
    const COLUMNS: &'static [Column];

    /// The columns of CSV: members of the JSON, those of inner objects with dots between (`reason.category`).
    const CSV_MEMBERS: &'static [&'static str];

    /// A cell for each column of the table.
    fn cells(&self) -> Vec<Cell>;
}

/// Writes the rows. Without any, CSV still has its head, and the other forms have nothing.
pub(crate) fn show<R: Row>(rows: &[R], form: Form, output: &mut Output<'_>) -> anyhow::Result<()> {
    match form {
        Form::Table => {
            let mut table = Table::new(R::COLUMNS);
            for row in rows {
                table.row(row.cells());
            }
            table.write(output)?;
        }
        Form::Json => {
            for row in rows {
                output.line(json_line(row)?)?;
            }
        }
        Form::Csv => {
            csv_record(R::CSV_MEMBERS, output)?;
            for row in rows {
                let value = serde_json::to_value(row).context("a row cannot be written")?;
                let fields: Vec<String> =
                    R::CSV_MEMBERS.iter().map(|path| csv_field(path, member(&value, path))).collect();
                csv_record(&fields, output)?;
            }
        }
    }
    Ok(())
}

/// A row as JSON on one line that is harmless to a terminal, with the escapes that events have, too.
pub(crate) fn json_line(row: &impl Serialize) -> anyhow::Result<String> {
    let json = serde_json::to_string(row).context("a row cannot be written")?;
    // Such a character is within a string, where an escape may stand for it.
    Ok(escaped(json, is_harmful))
}

/// Whether a terminal would obey a character, or a program take it for the end of a line.
fn is_harmful(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// The text with some of its characters as JSON escapes them; all of these are below U+10000.
fn escaped(text: String, must_be: impl Fn(char) -> bool) -> String {
    if !text.contains(&must_be) {
        return text;
    }
    let mut output = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match must_be(character) {
            true => output.push_str(&format!("\\u{:04x}", u32::from(character))),
            false => output.push(character),
        }
    }
    output
}

fn member<'v>(value: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(value, |value, name| &value[name])
}

/// The members that are made of letters, digits, `.`, `_` and `-` alone. They call for nothing in a spreadsheet, and other
/// commands must find what they name.
const IDS: [&str; 5] = ["id", "sequence", "session", "first_session", "last_session"];

fn csv_field(path: &str, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => {
            let text = escaped(text.clone(), |c| is_harmful(c) && !matches!(c, '\t' | '\n' | '\r'));
            if IDS.contains(&path) { text } else { guarded(text) }
        }
        other => other.to_string(),
    }
}

/// Keeps a spreadsheet from taking a text for a formula, by an apostrophe before it.
///
/// Numbers are not touched, so that -5 stays one. Of the strings, the words of livehook never begin like a formula;
/// what does was written by a sender.
fn guarded(text: String) -> String {
    // The wide forms count as the plain ones where East Asian settings are in use.
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if is_formula { format!("'{text}") } else { text }
}

fn csv_record(fields: &[impl AsRef<[u8]>], output: &mut Output<'_>) -> anyhow::Result<()> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(fields)?;
    let record = writer.into_inner().context("a row cannot be written")?;
    Ok(output.bytes(&record)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Serialize)]
    struct Push {
        stream: Option<String>,
        duration_ms: Option<i64>,
        reason: Option<Inner>,
    }

    #[derive(Debug, Serialize)]
    struct Inner {
        category: &'static str,
    }

    impl Row for Push {
        const COLUMNS: &'static [Column] = &[Column::left("STREAM"), Column::right("MS")];
        const CSV_MEMBERS: &'static [&'static str] = &["stream", "duration_ms", "reason.category"];

        fn cells(&self) -> Vec<Cell> {
            vec![Cell::name(self.stream.as_deref().unwrap_or_default()), Cell::optional(self.duration_ms)]
        }
    }

    fn push(stream: &str) -> Push {
        Push { stream: Some(stream.to_owned()), duration_ms: Some(-5), reason: Some(Inner { category: "idle" }) }
    }

    fn shown(rows: &[Push], form: Form) -> String {
        let mut written = Vec::new();
        show(rows, form, &mut Output::to(&mut written)).unwrap();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn each_form_shows_each_row() {
        let rows = [push("a"), Push { stream: None, duration_ms: None, reason: None }];
        assert_eq!(shown(&rows, Form::Table), "STREAM  MS\na       -5\n-        -\n");
        assert_eq!(
            shown(&rows, Form::Json),
            "{\"stream\":\"a\",\"duration_ms\":-5,\"reason\":{\"category\":\"idle\"}}\n\
             {\"stream\":null,\"duration_ms\":null,\"reason\":null}\n"
        );
        assert_eq!(shown(&rows, Form::Csv), "stream,duration_ms,reason.category\r\na,-5,idle\r\n,,\r\n");
    }

    #[test]
    fn without_rows_only_csv_has_a_head() {
        assert_eq!((shown(&[], Form::Table).as_str(), shown(&[], Form::Json).as_str()), ("", ""));
        assert_eq!(shown(&[], Form::Csv), "stream,duration_ms,reason.category\r\n");
    }

    #[test]
    fn csv_quotes_what_would_split_a_field() {
        assert!(shown(&[push("a,\"b\"")], Form::Csv).ends_with("\r\n\"a,\"\"b\"\"\",-5,idle\r\n"));
    }

    #[test]
    fn no_text_of_a_sender_is_a_formula_to_a_spreadsheet() {
        for (stream, field) in [
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
            assert!(shown(&[push(stream)], Form::Csv).ends_with(&format!("\r\n{field},-5,idle\r\n")), "{stream:?}");
        }
    }

    #[test]
    fn an_id_is_found_by_what_csv_says() {
        assert_eq!(csv_field("id", &"-7-2055036c".into()), "-7-2055036c");
        assert_eq!(csv_field("first_session", &"-7-2055036c".into()), "-7-2055036c");
        assert_eq!(csv_field("stream", &"-7".into()), "'-7");
    }

    #[test]
    fn csv_changes_no_text_but_what_a_terminal_would_obey() {
        for (text, field) in [("a\\b\\n", "a\\b\\n"), ("ห้อง e\u{301}", "ห้อง e\u{301}"), ("a\tb", "a\tb")]
        {
            assert!(shown(&[push(text)], Form::Csv).ends_with(&format!("\r\n{field},-5,idle\r\n")), "{text:?}");
        }
        assert!(shown(&[push("a\r\nb")], Form::Csv).ends_with("\r\n\"a\r\nb\",-5,idle\r\n"));
        assert!(shown(&[push("a\u{1b}[2J\u{9b}\u{2028}")], Form::Csv).contains(r"a\u001b[2J\u009b\u2028,-5"));
    }

    #[test]
    fn json_escapes_what_moves_a_cursor() {
        let json = shown(&[push("a\u{1b}\u{7f}\u{9b}\u{2028}直")], Form::Json);
        assert!(json.contains(r"a\u001b\u007f\u009b\u2028直"), "{json}");
    }

    proptest! {
        #[test]
        fn whatever_a_sender_wrote_stays_in_its_row(stream in any::<String>()) {
            let rows = [push(&stream), push("next")];
            let harmful = |text: &str| text.contains(|c: char| c.is_control() && !matches!(c, '\t' | '\r' | '\n'));
            for form in [Form::Table, Form::Json, Form::Csv] {
                prop_assert!(!harmful(&shown(&rows, form)), "{:?}", stream);
            }
            prop_assert_eq!(shown(&rows, Form::Table).lines().count(), 3);
            let json = shown(&rows, Form::Json);
            prop_assert_eq!(json.lines().count(), 2);
            let json: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
            prop_assert_eq!(json["stream"].as_str(), Some(&*stream));
            let csv = shown(&rows, Form::Csv);
            let read: Vec<csv::StringRecord> = csv::Reader::from_reader(csv.as_bytes()).records().map(Result::unwrap).collect();
            prop_assert_eq!(read.len(), 2);
            prop_assert_eq!(&read[0][2], "idle");
            if !stream.contains(is_harmful) {
                prop_assert_eq!(read[0][0].strip_prefix('\'').unwrap_or(&read[0][0]), stream.strip_prefix('\'').unwrap_or(&stream));
            }
        }
    }
}
