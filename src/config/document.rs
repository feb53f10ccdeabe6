//! The configuration file: which one it is, its TOML values, and the line of each key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::key_path::{element_path, member_path};
use super::mistake::{Mistake, Mistakes};
use super::surroundings::{Surroundings, read_text_file, unread};

#[cfg(test)]
mod tests;

/// A parsed file. The default is the empty document of a service without a file.
#[derive(Debug)]
pub(super) struct Document {
    /// The path of the file; `None` without a file.
    pub(super) path: Option<PathBuf>,
    /// Its values; always a table.
    pub(super) root: Value,
    lines: BTreeMap<String, usize>,
}

impl Document {
    /// Reads the file that `--config` names with `path`, or else the variable `LIVEHOOK_CONFIG`. Without both, the document is
    /// empty.
    ///
    /// # Errors
    /// The file cannot be read or is not TOML.
    pub(super) fn find(path: Option<&Path>, surroundings: &dyn Surroundings) -> Result<Document, Mistakes> {
        let (source, path) = match (path, surroundings.variable("LIVEHOOK_CONFIG")) {
            (Some(path), _) => ("--config", path.to_owned()),
            (None, Some(path)) => ("LIVEHOOK_CONFIG", PathBuf::from(path)),
            (None, None) => return Ok(Document::default()),
        };
        let text = read_text_file(surroundings, &path).map_err(|error| {
            // The mistake is in the flag or the variable: the file itself has no line to point at.
            let unread = unread(source, &error, "correct the path, or remove it to run with the defaults");
            Mistakes::new(None, vec![unread.quoted(path.to_string_lossy())])
        })?;
        Document::parse(&path, &text)
    }

    /// Parses the text of the file at `path`.
    ///
    /// # Errors
    /// The first place that is not TOML.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Document, Mistakes> {
        let document = parse(text).map_err(|mistake| Mistakes::new(Some(path), vec![mistake]))?;
        Ok(Document { path: Some(path.to_owned()), ..document })
    }

    /// Adds to each mistake the line of its key, and sorts them.
    pub(super) fn locate(&self, mut mistakes: Vec<Mistake>) -> Mistakes {
        for mistake in &mut mistakes {
            mistake.line = self.line(&mistake.key);
        }
        Mistakes::new(self.path.as_deref(), mistakes)
    }

    /// Returns the line of a key, or of the nearest key above it that is in the file.
    fn line(&self, mut key: &str) -> Option<usize> {
        // A missing key has no line. The table that lacks it does.
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
        Document { path: None, root: Value::Table(Table::new()), lines: BTreeMap::new() }
    }
}

fn parse(text: &str) -> Result<Document, Mistake> {
    let text_lines = TextLines::new(text);
    // Only the parser's short message is shown. Its full one quotes the line, which may contain a secret.
    let broken = |error: toml::de::Error| {
        let (line, column) = text_lines.place(error.span().map_or(0, |span| span.start));
        let (rule, cure) = match error.message() {
            "duplicate key" => (
                "this key or table is in the file already".to_owned(),
                "write each key once, and each table such as [receiver] once; another sink begins with [[sinks]]",
            ),
            other => (format!("this is not valid TOML: {other}"), "see https://toml.io for the syntax"),
        };
        Mistake { line: Some(line), ..Mistake::new(format!("column {column}"), rule) }.cure(cure)
    };
    // The text is parsed twice, because only the first form knows the place of each key, and the reader takes the second.
    let spanned = DeTable::parse(text).map_err(broken)?;
    let mut lines = BTreeMap::new();
    note_table(&mut lines, &text_lines, "", spanned.get_ref());
    let root = toml::from_str::<Table>(text).map_err(broken)?;
    Ok(Document { path: None, root: Value::Table(root), lines })
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

/// Finds the line of an offset in a text.
struct TextLines {
    starts: Vec<usize>,
}

impl TextLines {
    fn new(text: &str) -> TextLines {
        let after_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(offset, _)| offset + 1);
        TextLines { starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    /// Returns the line and the column (in bytes) of an offset, both counted from 1.
    fn place(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|above| self.starts.get(above)).copied().unwrap_or(0);
        (line, offset - start + 1)
    }
}
