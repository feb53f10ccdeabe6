//! The configuration file as text: TOML, and the line that each key stands on.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::mistake::Mistake;

pub(super) use crate::sink::member_path;

/// A parsed file. The default one is empty.
#[derive(Debug)]
pub(super) struct Document {
    /// What it holds; always a table.
    pub(super) root: Value,
    lines: BTreeMap<String, usize>,
}

impl Document {
    /// Parses TOML.
    ///
    /// # Errors
    /// The first place that is no TOML. The text around it is not shown: it may be a secret.
    pub(super) fn parse(text: &str) -> Result<Document, Mistake> {
        let text_lines = TextLines::new(text);
        let broken = |error: toml::de::Error| {
            let (line, column) = text_lines.place(error.span().map_or(0, |span| span.start));
            let mistake = Mistake::new(format!("column {column}"), format!("this is not TOML: {}", error.message()));
            Mistake { line: Some(line), ..mistake }.cure("see https://toml.io for how it is written")
        };
        let spanned = DeTable::parse(text).map_err(broken)?;
        let mut lines = BTreeMap::new();
        note_table(&mut lines, &text_lines, "", spanned.get_ref());
        let root = toml::from_str::<Table>(text).map_err(broken)?;
        Ok(Document { root: Value::Table(root), lines })
    }

    /// The line of a key, or of the nearest one above it that is in the file.
    pub(super) fn line(&self, mut key: &str) -> Option<usize> {
        loop {
            if let Some(line) = self.lines.get(key) {
                return Some(*line);
            }
            key = &key[..key.rfind(['.', '['])?];
        }
    }
}

impl Default for Document {
    fn default() -> Document {
        Document { root: Value::Table(Table::new()), lines: BTreeMap::new() }
    }
}

/// The path of an element of a list.
pub(super) fn element_path(path: &str, position: usize) -> String {
    format!("{path}[{position}]")
}

fn note_table(lines: &mut BTreeMap<String, usize>, text_lines: &TextLines, path: &str, table: &DeTable<'_>) {
    for (name, value) in table {
        let path = member_path(path, name.get_ref());
        lines.insert(path.clone(), text_lines.place(name.span().start).0);
        note_value(lines, text_lines, &path, value);
    }
}

fn note_value(lines: &mut BTreeMap<String, usize>, text_lines: &TextLines, path: &str, value: &Spanned<DeValue<'_>>) {
    match value.get_ref() {
        DeValue::Table(table) => note_table(lines, text_lines, path, table),
        DeValue::Array(elements) => {
            for (position, element) in elements.iter().enumerate() {
                let path = element_path(path, position);
                lines.insert(path.clone(), text_lines.place(element.span().start).0);
                note_value(lines, text_lines, &path, element);
            }
        }
        _ => {}
    }
}

/// Finds lines by offset.
struct TextLines {
    starts: Vec<usize>,
}

impl TextLines {
    fn new(text: &str) -> TextLines {
        let after_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(offset, _)| offset + 1);
        TextLines { starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    /// The line and the column (in bytes) of an offset, both counted from 1.
    fn place(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|above| self.starts.get(above)).copied().unwrap_or(0);
        (line, offset - start + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_line() {
        let text = "a = 1\n\n[b]\nc = [\n  \"x\",\n  { d = 2 },\n]\n[[e]]\nf = 3\n[[e]]\nf = 4\n[e.g]\nh.i = 5\n";
        let document = Document::parse(text).unwrap();
        for (key, line) in [
            ("a", 1),
            ("b", 3),
            ("b.c", 4),
            ("b.c[0]", 5),
            ("b.c[1].d", 6),
            ("e[0]", 8),
            ("e[0].f", 9),
            ("e[1]", 10),
            ("e[1].f", 11),
            ("e[1].g", 12),
            ("e[1].g.h.i", 13),
            ("b.absent", 3),
            ("e[0].absent", 8),
        ] {
            assert_eq!(document.line(key), Some(line), "{key}");
        }
        assert_eq!(document.line("absent"), None);
    }

    #[test]
    fn broken_text_is_placed_and_not_quoted() {
        let mistake = Document::parse("a = 1\nkey = \"secret\nb = 2\n").unwrap_err();
        assert_eq!(mistake.line, Some(2));
        assert!(!mistake.to_string().contains("secret"), "{mistake}");
        let mistake = Document::parse("a = 1\na = 2\n").unwrap_err();
        assert_eq!(
            mistake.to_string(),
            "column 1: this is not TOML: duplicate key; see https://toml.io for how it is written"
        );
        assert_eq!(Document::parse("a = 1\nb = 99999999999999999999\n").unwrap_err().line, Some(2));
    }
}
