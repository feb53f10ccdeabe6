//! Statements that insert several rows. Most of the work of a statement that inserts one row is to open and close the tree of the
//! table and of each of its indexes.

/// How many rows such a statement inserts. Fewer in unit tests, so that small batches use such a
/// statement.
pub(super) const ROWS: usize = if cfg!(test) { 4 } else { 24 };

/// Returns the placeholders of rows, such as `(?,?),(?,?)`.
pub(super) fn placeholders(columns: usize, rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    vec![row; rows].join(",")
}
