//! Checks the index by itself and against its journal, for people who want to know whether it is intact. Reads both files.

use super::Reader;
use crate::index::IndexError;
use crate::journal::{self, Offset};
use crate::storage;

/// How many offsets are compared at once.
const PAGE_OFFSETS: usize = 10_000;

/// How many offsets an inspection lists. It only counts the others.
const LISTED_MAX: usize = 20;

/// The result of an inspection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// SQLite's texts about damaged pages; none if all are intact.
    pub damages: Vec<String>,
    /// How many records of the journal the index has.
    pub events: u64,
    /// The first records of the journal that the index should have and lacks.
    pub missing: Vec<Offset>,
    /// How many of them there are.
    pub missing_count: u64,
    /// How many sessions a search by sequence or by stream misses.
    pub unfindable_sessions: u64,
}

impl Reader {
    /// Checks SQLite's pages, whether searches find each session, and whether the index has each record of the journal up to its
    /// cursor. Blocks while it reads both files.
    ///
    /// # Errors
    /// The index or the journal cannot be read.
    pub fn inspect(&self, journal: &journal::Reader) -> Result<Inspection, IndexError> {
        let mut inspection = Inspection { damages: storage::damages(&self.connection), ..Inspection::default() };
        if !inspection.damages.is_empty() {
            return Ok(inspection);
        }
        inspection.unfindable_sessions = self.unfindable_sessions()?;
        let cursor = self.cursor()?;
        let mut after = Offset(0);
        loop {
            let records = journal.offsets(after, PAGE_OFFSETS)?;
            let Some(last) = records.last() else { return Ok(inspection) };
            let known = self.known_offsets(after, *last)?;
            // The journal may remove records meanwhile, so the index can have more.
            for offset in records.iter().filter(|offset| **offset <= cursor) {
                if known.binary_search(offset).is_ok() {
                    inspection.events += 1;
                    continue;
                }
                inspection.missing_count += 1;
                if inspection.missing.len() < LISTED_MAX {
                    inspection.missing.push(*offset);
                }
            }
            after = *last;
        }
    }

    /// Counts the sessions that the tables for searches lack. SQLite only checks its own indexes.
    pub(in crate::index) fn unfindable_sessions(&self) -> Result<u64, IndexError> {
        let is_in = |table: &str| {
            format!(
                "EXISTS (SELECT 1 FROM {table} AS found
                    WHERE tail = substr(sequence, -6) AND found.stream = sessions.stream AND found.number = sessions.number)"
            )
        };
        let query = format!(
            "SELECT count(*) FROM sessions WHERE NOT ({} OR {}) OR NOT EXISTS (
                SELECT 1 FROM session_stretches WHERE stretch = number >> 16 AND started_ms BETWEEN first_ms AND last_ms)",
            is_in("recent_sequences"),
            is_in("sequences"),
        );
        let count: i64 = self.connection.query_row(&query, [], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// The offsets that the index knows after `after` up to `last`, in their order.
    fn known_offsets(&self, after: Offset, last: Offset) -> Result<Vec<Offset>, IndexError> {
        let query = "SELECT offset FROM events WHERE offset > ?1 AND offset <= ?2
            UNION SELECT offset FROM repeats WHERE offset > ?1 AND offset <= ?2 ORDER BY offset";
        let mut statement = self.connection.prepare_cached(query)?;
        let rows = statement.query_map([after.0, last.0], |row| row.get(0).map(Offset))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::reader::testing::STREAM;
    use crate::index::testing::{indexed, open};
    use crate::session::testing::push;

    #[test]
    fn lost_sessions_are_counted_until_a_rebuild() {
        // Enough that some sequences are in the large table.
        let pushes: Vec<_> = (0..9).map(|number| push(STREAM, &number.to_string(), number)).collect();
        let (directory, store, _) = indexed(&pushes);
        let unfindable = || Reader::open(directory.path()).unwrap().unfindable_sessions().unwrap();
        assert_eq!(unfindable(), 0);
        let mut removed = 0;
        for table in ["sequences", "recent_sequences"] {
            let remove = format!("DELETE FROM {table} WHERE number = (SELECT max(number) FROM {table})");
            removed += store.connection.execute(&remove, []).unwrap() as u64;
            assert_eq!(unfindable(), removed, "{table}");
        }
        store.connection.execute("DELETE FROM session_stretches", []).unwrap();
        assert_eq!((removed, unfindable()), (2, 9));
        drop(store);
        open(directory.path()).begin_rebuild(Offset(1), Offset(9)).unwrap();
        assert_eq!(unfindable(), 0);
    }
}
