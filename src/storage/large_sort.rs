//! Lets SQLite sort a whole table without holding it in memory.

use rusqlite::Connection;

/// Does work that sorts whole tables. SQLite sorts them in temporary files, because a sort in memory holds every row. If the work
/// fails, perhaps because no folder takes temporary files, it is done once more in memory. `work` is one transaction, so that
/// nothing of a failed attempt stays.
///
/// # Errors
/// The second attempt failed too, or a transaction is open.
pub(crate) fn sort_in_files<T, E: From<rusqlite::Error>>(
    connection: &Connection,
    work: impl Fn() -> Result<T, E>,
) -> Result<T, E> {
    connection.pragma_update(None, "temp_store", "FILE")?;
    let result = work();
    // For all other work, as for every connection: a small sort in memory is faster, and always possible.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    result.or_else(|_| work())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: i64 = 1;
    const MEMORY: i64 = 2;

    fn store(connection: &Connection) -> rusqlite::Result<i64> {
        connection.pragma_query_value(None, "temp_store", |row| row.get(0))
    }

    #[test]
    fn files_come_before_memory() {
        let connection = Connection::open_in_memory().unwrap();
        assert_eq!(sort_in_files(&connection, || store(&connection)).unwrap(), FILE);
        assert_eq!(store(&connection).unwrap(), MEMORY);
        let without_files = || match store(&connection)? {
            MEMORY => Ok(MEMORY),
            _ => Err(rusqlite::Error::QueryReturnedNoRows),
        };
        assert_eq!(sort_in_files(&connection, without_files).unwrap(), MEMORY);
        let fails = || connection.execute("no SQL", []);
        assert!(sort_in_files(&connection, fails).is_err());
    }
}
