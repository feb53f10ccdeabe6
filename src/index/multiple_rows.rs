//! Statements that insert several rows. Most of the work of a statement that inserts one row is to open and close the tree of the
//! table and of each of its indexes.

use rusqlite::Connection;

/// How many rows such a statement inserts. Fewer in unit tests, so that small batches use such a statement.
pub(super) const ROWS: usize = if cfg!(test) { 4 } else { 24 };

/// Returns the placeholders of rows, such as `(?,?),(?,?)`.
pub(super) fn placeholders(columns: usize, rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    vec![row; rows].join(",")
}

/// Returns the number that SQLite gives to the next row without one.
///
/// The rows of a statement for several have no number of their own. With one, SQLite would copy each page before it changes it, to
/// undo the first rows if the number of a later one turns out to be wrong.
pub(super) fn next_number(connection: &Connection, table: &str) -> rusqlite::Result<i64> {
    let query = format!("SELECT coalesce(max(rowid), 0) + 1 FROM {table}");
    connection.prepare_cached(&query)?.query_row([], |row| row.get(0))
}

#[cfg(test)]
mod tests;
