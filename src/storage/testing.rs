//! For tests of databases.

use rusqlite::Connection;

/// Returns the SQL of every table, index and trigger, as the file describes them.
pub(crate) fn schema(connection: &Connection) -> Vec<String> {
    let query = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name";
    let mut statement = connection.prepare(query).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}
