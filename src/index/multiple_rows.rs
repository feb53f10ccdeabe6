//! Statements that insert several rows. Most of the work of a statement that inserts one row is to open and close the tree of the
//! table and of each of its indexes.

use rusqlite::{CachedStatement, Connection};

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

/// Inserts new rows into a table.
pub(super) struct Insertion<'c> {
    one: CachedStatement<'c>,
    several: CachedStatement<'c>,
    column_count: usize,
}

impl<'c> Insertion<'c> {
    /// Prepares the statements. `target` is the name of the table with its columns, such as `streams (key, stream)`.
    pub(super) fn prepare(
        connection: &'c Connection,
        target: &str,
        column_count: usize,
    ) -> rusqlite::Result<Insertion<'c>> {
        // `IGNORE`, because SQLite copies pages for a statement that may fail after its first row.
        let insert = |rows| format!("INSERT OR IGNORE INTO {target} VALUES {}", placeholders(column_count, rows));
        let one = connection.prepare_cached(&insert(1))?;
        let several = connection.prepare_cached(&insert(ROWS))?;
        Ok(Insertion { one, several, column_count })
    }

    /// Inserts rows. `bind` binds the values of a row to the parameters after a number.
    ///
    /// # Errors
    /// The database cannot be written, or it has one of the rows.
    pub(super) fn insert<R>(
        &mut self,
        rows: &[R],
        bind: impl Fn(&R, &mut CachedStatement<'c>, usize) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let (several, rest) = rows.as_chunks::<ROWS>();
        for chunk in several.iter().map(|chunk| chunk.as_slice()).chain(rest.chunks(1)) {
            let statement = if chunk.len() == ROWS { &mut self.several } else { &mut self.one };
            for (number, row) in chunk.iter().enumerate() {
                bind(row, statement, number * self.column_count)?;
            }
            expect(chunk.len(), statement.raw_execute()?)?;
        }
        Ok(())
    }
}

/// Checks how many rows a statement changed. A row that was ignored is an error.
pub(super) fn expect(rows: usize, changed: usize) -> rusqlite::Result<()> {
    if changed == rows { Ok(()) } else { Err(rusqlite::Error::StatementChangedRows(changed)) }
}

#[cfg(test)]
mod tests;
