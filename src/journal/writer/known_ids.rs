//! The ids by which the writer recognises a duplicate. The window in memory says which records may have a given id, and the stored
//! id decides.

use rusqlite::Connection;

use super::super::{Offset, Options};
use super::now::Now;
use super::stored_ids::StoredIds;
use super::window::Window;
use crate::callback::EventId;

/// The ids of the newest records, in memory and on disk.
pub(super) struct KnownIds {
    window: Window,
    stored: StoredIds,
}

impl KnownIds {
    /// Reads the ids of the records before `next`.
    ///
    /// # Errors
    /// The database cannot be read or written.
    pub(super) fn load(
        connection: &Connection,
        next: Offset,
        options: &Options,
        now: Now,
    ) -> rusqlite::Result<KnownIds> {
        let mut window = Window::new(options.dedupe_window_secs, options.dedupe_ids_max);
        let stored = StoredIds::load(connection, next, |offset, id| {
            // Rows of a damaged journal can overlap. The window takes each offset once.
            if offset >= window.end() {
                // An id counts from now on: its true age is unknown, because the system clock may have jumped since. To remember it
                // for too long loses nothing.
                window.insert(offset, id, now.monotonic_secs());
                window.forget(now.monotonic_secs());
            }
        })?;
        Ok(KnownIds { window, stored })
    }

    /// Returns the offsets of the remembered records from `from` on that have this id.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(super) fn offsets(&self, connection: &Connection, id: EventId, from: Offset) -> rusqlite::Result<Vec<Offset>> {
        let mut offsets = Vec::new();
        for offset in self.window.candidates(id, from) {
            if self.stored.id(connection, offset)? == Some(id) {
                offsets.push(offset);
            }
        }
        Ok(offsets)
    }

    /// Whether a remembered record from `from` on has this id.
    ///
    /// # Errors
    /// Like [`KnownIds::offsets`].
    pub(super) fn contains(&self, connection: &Connection, id: EventId, from: Offset) -> rusqlite::Result<bool> {
        Ok(!self.offsets(connection, id, from)?.is_empty())
    }

    /// Adds the id of a new record, within the transaction that stores it. If that fails, the ids must be loaded again.
    pub(super) fn add(&mut self, offset: Offset, id: EventId, now: Now) {
        self.stored.add(offset, id);
        self.window.insert(offset, id, now.monotonic_secs());
    }

    /// Forgets the ids that are too old, and the oldest ones if they are too many.
    pub(super) fn forget(&mut self, now: Now) {
        self.window.forget(now.monotonic_secs());
    }

    /// The dedupe window, for its age and length.
    pub(super) fn window(&self) -> &Window {
        &self.window
    }

    /// Keeps to other limits from the next [`KnownIds::forget`] on.
    pub(super) fn set_options(&mut self, options: &Options) {
        self.window.set_limits(options.dedupe_window_secs, options.dedupe_ids_max);
    }

    /// The ids on disk.
    pub(super) fn stored(&mut self) -> &mut StoredIds {
        &mut self.stored
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::super::super::schema;
    use super::super::testing::at;
    use super::*;

    fn id(number: u64) -> EventId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        EventId::from_bytes(bytes)
    }

    fn load(connection: &Connection, next: i64) -> KnownIds {
        let options = Options { dedupe_ids_max: 1500, dedupe_window_secs: 400, ..Options::default() };
        KnownIds::load(connection, Offset(next), &options, at(0)).unwrap()
    }

    #[test]
    fn stored_id_decides() {
        let directory = tempfile::tempdir().unwrap();
        let connection = schema::open(directory.path()).unwrap();
        let mut known = load(&connection, 1);
        known.add(Offset(1), id(1), at(0));
        // Makes id 3 look like the id of record 1.
        known.window.insert(Offset(1), id(3), 0);
        known.add(Offset(2), id(2), at(0));
        for place in ["memory", "a row"] {
            let offsets = |number| known.offsets(&connection, id(number), Offset(0)).unwrap();
            assert_eq!(known.window.candidates(id(3), Offset(0)).collect::<Vec<_>>(), [Offset(1)]);
            assert_eq!([1, 2, 3, 4].map(offsets), [vec![Offset(1)], vec![Offset(2)], vec![], vec![]], "in {place}");
            assert!(!known.contains(&connection, id(1), Offset(2)).unwrap(), "it is before that");
            let transaction = connection.unchecked_transaction().unwrap();
            known.stored().store_until(&transaction, Offset(2)).unwrap();
            transaction.commit().unwrap();
        }
    }

    /// Some rows overlap, and two come after the end.
    #[test]
    fn rows_of_a_damaged_journal_do_no_harm() {
        let directory = tempfile::tempdir().unwrap();
        let connection = schema::open(directory.path()).unwrap();
        let rows = "INSERT INTO batches VALUES (10, zeroblob(160)), (12, zeroblob(160)), (13, x'00'), (15, zeroblob(32)), (90, zeroblob(16))";
        connection.execute_batch(rows).unwrap();
        let mut known = load(&connection, 14);
        assert_eq!((known.window.len(), known.window.end()), (12, Offset(13)));
        for offset in [14, 15] {
            known.add(Offset(offset), id(offset as u64), at(0));
        }
        let transaction = connection.unchecked_transaction().unwrap();
        known.stored().store_until(&transaction, Offset(15)).unwrap();
        transaction.commit().unwrap();
        let known = load(&connection, 16);
        assert_eq!(known.window.end(), Offset(16));
        assert!([14, 15].into_iter().all(|number| known.contains(&connection, id(number), Offset(0)).unwrap()));
    }

    #[test]
    fn known_ids_equal_a_plain_list() {
        let directory = tempfile::tempdir().unwrap();
        let connection = schema::open(directory.path()).unwrap();
        let (mut known, mut newest) = (load(&connection, 1), VecDeque::new());
        let mut random = fastrand::Rng::with_seed(7);
        for (offset, number) in (1..8000).map(|offset| (Offset(offset), offset as u64)) {
            // At first the ids are too many, and then they become too old.
            let now_secs = if number < 4000 { number / 10 } else { number - 3600 };
            known.forget(at(now_secs));
            newest.drain(..newest.len().saturating_sub(1500));
            while newest.front().is_some_and(|(_, added_secs)| now_secs - added_secs > 400) {
                newest.pop_front();
            }
            // Often the id of a record that is remembered or was forgotten just now.
            let id = id(random.u64(..2500));
            let expected = newest.iter().any(|(known, _)| *known == id);
            assert_eq!(known.contains(&connection, id, Offset(0)).unwrap(), expected, "at {offset:?}");
            known.add(offset, id, at(now_secs));
            newest.push_back((id, now_secs));
            // Another id looks the same as some. A block has room for that: it is full at 1536 entries.
            if number % 4 == 0 {
                known.window.insert(offset, self::id(random.u64(..2500)), at(now_secs).monotonic_secs());
            }
            let transaction = connection.unchecked_transaction().unwrap();
            known.stored().store_full_rows(&transaction).unwrap();
            // Rows of other sizes, as if all records were pruned.
            if random.u8(..) == 0 {
                known.stored().store_until(&transaction, offset).unwrap();
            }
            transaction.commit().unwrap();
        }
    }
}
