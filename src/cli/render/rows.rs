//! Prints the rows of a list in the format that the user chose.
//!
//! `Serialize` defines the JSON of a row. CSV picks members from that JSON by name, and a table has its own columns.

use clap::ValueEnum;
use serde::Serialize;

use super::csv::print_csv;
use super::json::write_json_line;
use super::output::{Output, talk};
use super::table::{Column, print_table};
use crate::byte_order_mark;

/// How rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// Aligned columns for people; long names are cut
    Table,
    /// One JSON object per line
    Json,
    /// Comma-separated values with a head (RFC 4180); a text that looks like a formula gets a `'` before it
    Csv,
    /// The same with a byte order mark at the beginning, without which Excel misreads Chinese names
    CsvBom,
}

/// A row of a list.
pub(crate) trait Row: Serialize + Sized + 'static {
    /// The columns of the table.
    const COLUMNS: &'static [Column<Self>];

    /// The columns of the CSV: names of JSON members, such as `reason.category` for an inner one.
    const CSV_MEMBERS: &'static [&'static str];
}

/// Prints rows. Without rows, CSV is the head alone, and the other formats are empty.
///
/// # Errors
/// The output cannot be written, or a row fails to serialize.
pub(crate) fn print_rows<R: Row>(rows: &[R], format: OutputFormat, output: &mut Output<'_>) -> anyhow::Result<()> {
    match format {
        OutputFormat::Table => Ok(print_table(R::COLUMNS, rows, output)?),
        OutputFormat::Json => rows.iter().try_for_each(|row| write_json_line(row, output)),
        OutputFormat::Csv => print_csv(R::CSV_MEMBERS, rows, output),
        OutputFormat::CsvBom => {
            output.bytes(byte_order_mark::MARK.as_bytes())?;
            print_csv(R::CSV_MEMBERS, rows, output)
        }
    }
}

/// Prints at most `limit` rows, then says on stderr if there are more rows, or none. `noun` is one of them, such as `session`.
///
/// # Errors
/// The output cannot be written, or a row fails to serialize.
pub(crate) fn print_page<R: Row>(
    rows: impl IntoIterator<Item = R>,
    limit: usize,
    noun: &str,
    format: OutputFormat,
    output: &mut Output<'_>,
) -> anyhow::Result<()> {
    let mut rows = rows.into_iter();
    let page: Vec<R> = rows.by_ref().take(limit).collect();
    print_rows(&page, format, output)?;
    output.flush()?;
    if page.is_empty() {
        talk(format_args!("no {noun} matches"));
    } else if rows.next().is_some() {
        talk(format_args!("only the first {limit} are shown; use --limit to show more"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::json::is_harmful;
    use super::super::text_cell::TextCell;
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
        const COLUMNS: &'static [Column<Push>] = &[
            Column::left("STREAM", |row| TextCell::name(row.stream.as_deref().unwrap_or_default())),
            Column::right("MS", |row| TextCell::optional(row.duration_ms)),
        ];
        const CSV_MEMBERS: &'static [&'static str] = &["stream", "duration_ms", "reason.category"];
    }

    fn push(stream: &str) -> Push {
        Push { stream: Some(stream.to_owned()), duration_ms: Some(-5), reason: Some(Inner { category: "idle" }) }
    }

    fn printed(rows: &[Push], format: OutputFormat) -> String {
        let mut written = Vec::new();
        print_rows(rows, format, &mut Output::to(&mut written)).unwrap();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn rows_in_each_format() {
        let rows = [push("a"), Push { stream: None, duration_ms: None, reason: None }];
        assert_eq!(printed(&rows, OutputFormat::Table), "STREAM  MS\na       -5\n-        -\n");
        assert_eq!(
            printed(&rows, OutputFormat::Json),
            "{\"stream\":\"a\",\"duration_ms\":-5,\"reason\":{\"category\":\"idle\"}}\n\
             {\"stream\":null,\"duration_ms\":null,\"reason\":null}\n"
        );
        assert_eq!(printed(&rows, OutputFormat::Csv), "stream,duration_ms,reason.category\r\na,-5,idle\r\n,,\r\n");
        assert_eq!(printed(&rows, OutputFormat::CsvBom), format!("\u{feff}{}", printed(&rows, OutputFormat::Csv)));
    }

    #[test]
    fn no_rows_in_each_format() {
        assert_eq!((printed(&[], OutputFormat::Table).as_str(), printed(&[], OutputFormat::Json).as_str()), ("", ""));
        assert_eq!(printed(&[], OutputFormat::Csv), "stream,duration_ms,reason.category\r\n");
    }

    #[test]
    fn page_ends_at_its_limit() {
        let mut written = Vec::new();
        let rows = [push("a"), push("b"), push("c")];
        print_page(rows, 2, "push", OutputFormat::Table, &mut Output::to(&mut written)).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), "STREAM  MS\na       -5\nb       -5\n");
    }

    proptest! {
        // No name of a stream, whatever it contains, changes another row, a column or the terminal.
        #[test]
        fn hostile_stream_stays_in_its_row(stream in any::<String>()) {
            let rows = [push(&stream), push("next")];
            let harmful = |text: &str| text.contains(|c: char| c.is_control() && !matches!(c, '\t' | '\r' | '\n'));
            for format in [OutputFormat::Table, OutputFormat::Json, OutputFormat::Csv] {
                prop_assert!(!harmful(&printed(&rows, format)), "{:?}", stream);
            }
            prop_assert_eq!(printed(&rows, OutputFormat::Table).lines().count(), 3);
            let json = printed(&rows, OutputFormat::Json);
            prop_assert_eq!(json.lines().count(), 2);
            let json: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
            prop_assert_eq!(json["stream"].as_str(), Some(&*stream));
            let csv = printed(&rows, OutputFormat::Csv);
            let mut reader = ::csv::Reader::from_reader(csv.as_bytes());
            let read: Vec<::csv::StringRecord> = reader.records().map(Result::unwrap).collect();
            prop_assert_eq!(read.len(), 2);
            prop_assert_eq!(&read[0][2], "idle");
            if !stream.contains(is_harmful) {
                let bare = |text: &str| text.strip_prefix('\'').unwrap_or(text).to_owned();
                prop_assert_eq!(bare(&read[0][0]), bare(&stream));
            }
        }
    }
}
