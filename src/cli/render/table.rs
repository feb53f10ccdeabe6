//! Tables and lists of details for people. Columns are as wide as what is in them, so all rows are gathered first: only
//! for what is bounded.

use super::cell::{self, Cell, Tone};
use super::output::{Output, OutputError};

/// The columns of a terminal that details are wrapped to: every terminal has so many, and lines of this length read well.
const DETAIL_COLUMNS: usize = 80;

/// Between two columns.
const GAP: &str = "  ";

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    title: &'static str,
    /// Numbers stand to the right, so that their digits line up.
    is_right: bool,
}

impl Column {
    /// Of texts. The title is in capitals.
    pub(crate) const fn left(title: &'static str) -> Column {
        Column { title, is_right: false }
    }

    /// Of numbers.
    pub(crate) const fn right(title: &'static str) -> Column {
        Column { title, is_right: true }
    }
}

/// Rows under a head.
#[derive(Debug)]
pub(crate) struct Table {
    columns: &'static [Column],
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(columns: &'static [Column]) -> Table {
        Table { columns, rows: Vec::new() }
    }

    /// Adds a row: a cell for each column.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// Writes the head and the rows; nothing where there is no row.
    pub(crate) fn write(&self, output: &mut Output<'_>) -> Result<(), OutputError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut widths: Vec<usize> = self.columns.iter().map(|column| cell::width(column.title)).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.width().max(*width);
            }
        }
        let head: Vec<Cell> = self.columns.iter().map(|column| Cell::new(column.title).toned(Tone::Head)).collect();
        for row in std::iter::once(&head).chain(&self.rows) {
            self.line(row, &widths, output)?;
        }
        Ok(())
    }

    fn line(&self, row: &[Cell], widths: &[usize], output: &mut Output<'_>) -> Result<(), OutputError> {
        let is_coloured = output.is_coloured();
        let mut line = String::new();
        // Spaces are due only before a text, so that no line ends with some.
        let mut due = 0;
        for ((column, cell), width) in self.columns.iter().zip(row).zip(widths) {
            let missing = width - cell.width();
            let (before, after) = if column.is_right { (missing, 0) } else { (0, missing) };
            line.extend(std::iter::repeat_n(' ', due + before));
            line.push_str(&cell.shown(is_coloured).to_string());
            due = after + GAP.len();
        }
        output.line(line)
    }
}

/// Writes one thing as a list of labels and texts, long texts wrapped under themselves.
pub(crate) fn details(details: &[(&str, Cell)], output: &mut Output<'_>) -> Result<(), OutputError> {
    let is_coloured = output.is_coloured();
    let label_columns = details.iter().map(|(label, _)| cell::width(label)).max().unwrap_or_default();
    let text_columns = DETAIL_COLUMNS.saturating_sub(label_columns + GAP.len());
    for (label, text) in details {
        let label = Cell::new(label).toned(Tone::Head);
        let missing = label_columns.saturating_sub(label.width());
        let mut before = format!("{}{:missing$}{GAP}", label.shown(is_coloured), "");
        for line in text.wrapped(text_columns) {
            output.line(format_args!("{before}{}", line.shown(is_coloured)))?;
            before = " ".repeat(label_columns + GAP.len());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[Column::left("STREAM"), Column::right("SECS"), Column::left("STATE")];

    fn table(rows: &[(&str, i64, Cell)]) -> Table {
        let mut table = Table::new(COLUMNS);
        for (stream, secs, state) in rows {
            table.row(vec![Cell::name(stream), Cell::new(secs), state.clone()]);
        }
        table
    }

    fn written(write: impl FnOnce(&mut Output<'_>) -> Result<(), OutputError>) -> String {
        let mut written = Vec::new();
        write(&mut Output::to(&mut written)).unwrap();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn columns_are_as_wide_as_what_they_hold() {
        let table = table(&[
            ("room-1", 5, Cell::new("live")),
            ("直播间一号", 12_345, Cell::new("")),
            ("a\tb", -1, Cell::new("ended")),
        ]);
        let lines = [
            "STREAM       SECS  STATE",
            "room-1          5  live",
            "直播间一号  12345  -",
            "a\\tb           -1  ended",
        ];
        assert_eq!(written(|output| table.write(output)), lines.join("\n") + "\n");
    }

    #[test]
    fn without_rows_nothing_is_written() {
        assert_eq!(written(|output| table(&[]).write(output)), "");
    }

    #[test]
    fn a_colour_moves_no_column() {
        let rows = [("a", 5, Cell::new("live").toned(Tone::Good)), ("bb", 50, Cell::new("stale").toned(Tone::Warning))];
        let plain = written(|output| table(&rows).write(output));
        let mut coloured = Vec::new();
        table(&rows).write(&mut Output::to(&mut coloured).coloured()).unwrap();
        let coloured = String::from_utf8(coloured).unwrap();
        assert!(
            coloured.contains("\u{1b}[32mlive\u{1b}[0m") && coloured.starts_with("\u{1b}[1mSTREAM"),
            "{coloured:?}"
        );
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
    }

    #[test]
    fn details_line_up_and_wrap() {
        let long = "word ".repeat(30);
        let text = written(|output| details(&[("id", Cell::new(5)), ("to do", Cell::new(long.trim()))], output));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines[0], lines.len()), ("id     5", 4));
        assert!(lines[1].starts_with("to do  word word"), "{text}");
        assert!(lines[2].starts_with("       word word"), "{text}");
        assert!(lines.iter().all(|line| line.len() <= 80 && !line.ends_with(' ')), "{text}");
    }
}
