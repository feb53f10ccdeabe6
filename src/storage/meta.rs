//! The table `meta` of each database: values by name.

use rusqlite::{Connection, OptionalExtension, ToSql, params};

pub(super) const TABLE: &str = "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;";

/// Returns a number.
///
/// # Errors
/// The database cannot be read, or the value is not a number.
pub(crate) fn number(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    value(connection, name)
}

/// Returns a text.
///
/// # Errors
/// The database cannot be read, or the value is not a text.
pub(crate) fn text(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    value(connection, name)
}

fn value<T: rusqlite::types::FromSql>(connection: &Connection, name: &str) -> rusqlite::Result<Option<T>> {
    connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?.query_row([name], |row| row.get(0)).optional()
}

/// Stores a value, or removes it if it is `None`.
///
/// # Errors
/// The database cannot be written.
pub(crate) fn store(connection: &Connection, name: &str, value: Option<impl ToSql>) -> rusqlite::Result<()> {
    match value {
        Some(value) => connection
            .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?
            .execute(params![name, value])?,
        None => connection.prepare_cached("DELETE FROM meta WHERE name = ?1")?.execute([name])?,
    };
    Ok(())
}
