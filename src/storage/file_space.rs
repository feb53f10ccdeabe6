//! The space that the file of a database takes, and how free pages are given back to the disk in small slices.

use rusqlite::Connection;

/// The file keeps free pages for new rows: this part of the used pages (1/8), and at least [`KEPT_BYTES_MIN`].
const KEPT_SHARE: u64 = 8;

/// So little is not worth a change of the file.
const KEPT_BYTES_MIN: u64 = 1024 * 1024;

/// The size of a file and its used part, by the pages that SQLite counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileSpace {
    page_bytes: u64,
    pages: u64,
    free_pages: u64,
    /// Whether the file can give back pages. A file with the layout of an earlier version cannot.
    can_shrink: bool,
}

impl FileSpace {
    /// Measures an open database.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(crate) fn measure(connection: &Connection) -> rusqlite::Result<FileSpace> {
        let number = |pragma: &str| -> rusqlite::Result<u64> {
            let number: i64 = connection.prepare_cached(pragma)?.query_row([], |row| row.get(0))?;
            Ok(number.unsigned_abs())
        };
        Ok(FileSpace {
            page_bytes: number("PRAGMA page_size")?,
            pages: number("PRAGMA page_count")?,
            free_pages: number("PRAGMA freelist_count")?,
            can_shrink: number("PRAGMA auto_vacuum")? != 0,
        })
    }

    /// The size of the pages that hold something, in bytes.
    pub(crate) fn used_bytes(self) -> u64 {
        self.pages.saturating_sub(self.free_pages) * self.page_bytes
    }

    /// The size of the file in bytes, as of the next checkpoint.
    pub(crate) fn file_bytes(self) -> u64 {
        self.pages * self.page_bytes
    }

    /// Whether the file has more free pages than it should keep.
    pub(crate) fn has_surplus(self) -> bool {
        let kept_bytes = (self.used_bytes() / KEPT_SHARE).max(KEPT_BYTES_MIN);
        self.can_shrink && self.free_pages * self.page_bytes > kept_bytes
    }
}

/// Gives some free pages back to the disk, in a transaction of its own. SQLite moves a used page from the end of the file for each of
/// them. The file shrinks with the next checkpoint.
///
/// # Errors
/// The database cannot be written.
pub(crate) fn give_back(connection: &Connection, pages: u32) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = statement.query([])?;
    // SQLite returns a row for each page.
    while rows.next()?.is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::layout;
    use super::*;

    #[test]
    fn file_shrinks_in_slices() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let connection = Connection::open(file.path()).unwrap();
        layout::set(&connection, 4096).unwrap();
        connection.execute_batch("CREATE TABLE things (number INTEGER PRIMARY KEY, thing)").unwrap();
        let bytes = || file.path().metadata().unwrap().len();
        let fill = "INSERT INTO things (thing) SELECT randomblob(1000) FROM
            (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) SELECT i FROM n)";
        connection.execute(fill, []).unwrap();
        let full = bytes();
        assert!(!FileSpace::measure(&connection).unwrap().has_surplus());
        connection.execute("DELETE FROM things WHERE number <= 3900", []).unwrap();
        let mut slices = 0;
        while FileSpace::measure(&connection).unwrap().has_surplus() {
            let before = bytes();
            give_back(&connection, 64).unwrap();
            // Now and then one of SQLite's own pages becomes unnecessary, too.
            assert!((64..=66).contains(&((before - bytes()) / 4096)));
            slices += 1;
        }
        let space = FileSpace::measure(&connection).unwrap();
        assert!(slices > 10 && bytes() < full / 2 && space.file_bytes() == bytes(), "{slices} slices, {space:?}");
        let left: i64 = connection.query_row("SELECT count(thing) FROM things", [], |row| row.get(0)).unwrap();
        assert_eq!(left, 100);
    }

    #[test]
    fn earlier_layout_has_no_surplus() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE things (thing)").unwrap();
        let space = FileSpace { free_pages: 1000, pages: 1001, ..FileSpace::measure(&connection).unwrap() };
        assert!(!space.has_surplus());
        assert!(FileSpace { can_shrink: true, ..space }.has_surplus());
    }
}
