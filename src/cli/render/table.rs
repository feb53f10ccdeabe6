//! Aligned tables for people. All rows are read before the first is printed, so use this only for bounded results.

use super::output::{Output, OutputError};
use super::text_cell::{TextCell, Tone};

/// The space between two columns.
pub(super) const GAP: &str = "  ";

/// A column of a table of `R`: its title, its alignment, and how a row fills it.
pub(crate) struct Column<R> {
    title: &'static str,
    is_right: bool,
    cell: fn(&R) -> TextCell,
}

impl<R> Column<R> {
    /// A column of texts. The title is in capitals.
    pub(crate) const fn left(title: &'static str, cell: fn(&R) -> TextCell) -> Column<R> {
        Column { title, is_right: false, cell }
    }

    /// A column of numbers, aligned right so that their digits line up.
    pub(crate) const fn right(title: &'static str, cell: fn(&R) -> TextCell) -> Column<R> {
        Column { title, is_right: true, cell }
    }
}

/// Prints a head and the rows. Without rows it prints nothing.
pub(super) fn print_table<R>(columns: &[Column<R>], rows: &[R], output: &mut Output<'_>) -> Result<(), OutputError> {
    if rows.is_empty() {
        return Ok(());
    }
    let head = columns.iter().map(|column| TextCell::new(column.title).toned(Tone::Head)).collect();
    let cells_of = |row| columns.iter().map(|column| (column.cell)(row).in_zone(output.zone())).collect();
    let lines: Vec<Vec<TextCell>> = std::iter::once(head).chain(rows.iter().map(cells_of)).collect();
    let width_of = |at: usize| lines.iter().map(|line| line[at].width()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns.len()).map(width_of).collect();
    for cells in &lines {
        let mut line = String::new();
        // Spaces are written only before the next text, so that no line ends with some.
        let mut spaces = 0;
        for ((column, cell), width) in columns.iter().zip(cells).zip(&widths) {
            let missing = width - cell.width();
            let (before, after) = if column.is_right { (missing, 0) } else { (0, missing) };
            line.extend(std::iter::repeat_n(' ', spaces + before));
            line.push_str(&cell.shown(output.is_coloured()).to_string());
            spaces = after + GAP.len();
        }
        output.line(line)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Push(&'static str, i64, TextCell);

    const COLUMNS: &[Column<Push>] = &[
        Column::left("STREAM", |row| TextCell::name(row.0)),
        Column::right("SECS", |row| TextCell::new(row.1)),
        Column::left("STATE", |row| row.2.clone()),
    ];

    fn table(rows: &[Push], is_coloured: bool) -> String {
        let mut written = Vec::new();
        let output = Output::to(&mut written);
        let mut output = if is_coloured { output.coloured() } else { output };
        print_table(COLUMNS, rows, &mut output).unwrap();
        drop(output);
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn column_as_wide_as_its_texts() {
        let rows = [
            Push("room-1", 5, TextCell::new("live")),
            Push("直播间一号", 12_345, TextCell::new("")),
            Push("a\tb", -1, TextCell::new("ended")),
        ];
        let lines = [
            "STREAM       SECS  STATE",
            "room-1          5  live",
            "直播间一号  12345  -",
            "a\\tb           -1  ended",
        ];
        assert_eq!(table(&rows, false), lines.join("\n") + "\n");
    }

    #[test]
    fn table_without_rows() {
        assert_eq!(table(&[], false), "");
    }

    #[test]
    fn colour_moves_no_column() {
        let rows = [
            Push("a", 5, TextCell::new("live").toned(Tone::Good)),
            Push("bb", 50, TextCell::new("stale").toned(Tone::Warning)),
        ];
        let coloured = table(&rows, true);
        assert!(
            coloured.starts_with("\u{1b}[1mSTREAM") && coloured.contains("\u{1b}[32mlive\u{1b}[0m"),
            "{coloured:?}"
        );
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), table(&rows, false));
    }
}
