//! Compares the tables, indexes and triggers of a database with the expected ones.
//!
//! The version in the file says which ones these are. It can be wrong: the file may come from a state of livehook that was never
//! released, or another program may have changed it. Without this check, a query would fail later with "no such table".

use std::collections::BTreeMap;

use rusqlite::Connection;

/// The SQL of each table, index and trigger, by name. Comments, white space and quotes are left out, because they change nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Objects(BTreeMap<String, String>);

impl Objects {
    /// Reads the objects of a database, except SQLite's own.
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Objects> {
        let query =
            "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite^_%' ESCAPE '^'";
        let mut statement = connection.prepare(query)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, normalised(&row.get::<_, String>(1)?))))?;
        rows.collect::<rusqlite::Result<_>>().map(Objects)
    }

    /// Returns the first object that the database lacks, or has in another form, as part of a sentence. More objects than the
    /// expected ones do no harm.
    pub(super) fn missing_in(&self, found: &Objects) -> Option<String> {
        self.0.iter().find_map(|(name, sql)| match found.0.get(name) {
            None => Some(format!("`{name}` is missing")),
            Some(found) if found != sql => Some(format!("`{name}` differs")),
            Some(_) => None,
        })
    }

    /// Returns a text that differs for other objects.
    #[cfg(test)]
    pub(super) fn text(&self) -> String {
        self.0.values().map(|sql| format!("{sql}\n")).collect()
    }
}

fn normalised(sql: &str) -> String {
    let lines = sql.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code));
    // SQLite quotes a name that was changed and changed back.
    let words = lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ").replace('"', "");
    ["(", ")", ","]
        .iter()
        .fold(words, |text, sign| text.replace(&format!(" {sign}"), sign).replace(&format!("{sign} "), sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(sql: &str) -> Objects {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(sql).unwrap();
        Objects::of(&connection).unwrap()
    }

    #[test]
    fn comments_and_space_make_no_difference() {
        let one =
            objects("CREATE TABLE a (b INTEGER PRIMARY KEY, c TEXT); CREATE INDEX d ON a (c) WHERE c IS NOT NULL");
        let other = objects(
            "CREATE TABLE a(b INTEGER PRIMARY KEY,\n -- derived\n c  TEXT ); ALTER TABLE a RENAME TO x; ALTER TABLE x RENAME TO a; CREATE INDEX d ON a(c)\nWHERE c IS NOT NULL",
        );
        assert_eq!(one, other);
        assert_eq!(objects("CREATE TABLE a (b INTEGER PRIMARY KEY AUTOINCREMENT)").0.len(), 1);
    }

    #[test]
    fn missing_and_other_objects_are_named() {
        let expected = objects("CREATE TABLE a (b, c); CREATE INDEX d ON a (c)");
        for (sql, missing) in [
            ("CREATE TABLE a (b, c); CREATE INDEX d ON a (c); CREATE TABLE theirs (x)", None),
            ("CREATE TABLE a (b, c)", Some("`d` is missing")),
            ("CREATE TABLE a (b, c); CREATE INDEX d ON a (b)", Some("`d` differs")),
            ("CREATE TABLE a (b, c, e); CREATE INDEX d ON a (c)", Some("`a` differs")),
        ] {
            assert_eq!(expected.missing_in(&objects(sql)).as_deref(), missing, "{sql}");
        }
    }
}
