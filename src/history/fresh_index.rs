//! The index, as soon as it holds every record of the journal.
//!
//! The index follows the journal with a short delay. A user who has just sent an event expects to see it, so a command waits
//! a moment for the service to index it. If the index still differs, the caller gets the difference, to report it.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::index::{self, IndexError};
use crate::journal::{self, Offset};
use crate::storage::Lock;

/// How long to wait for the service.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// How often to look.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The index of a data directory and its journal, open for reading.
#[derive(Debug)]
pub struct FreshIndex {
    /// The index.
    pub index: index::Reader,
    /// The journal next to it.
    pub journal: journal::Reader,
}

/// How the index differs from the journal next to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexDifference {
    /// The index lacks the newest records.
    Behind {
        /// How many, at most: offsets have gaps.
        records: i64,
    },
    /// The index has seen records that the journal doesn't have, as after an older copy of the journal was put in its place.
    Ahead,
    /// The index was made from another journal.
    OtherJournal,
}

/// The difference, and whether a service runs that can end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexGap {
    /// How the index differs.
    pub difference: IndexDifference,
    /// Whether a service runs on the data directory.
    pub is_served: bool,
}

impl FreshIndex {
    /// Opens the index, and waits until it holds every record that the journal has now. Waits only while a service runs that
    /// can index them, and at most two seconds. Returns the gap if one is left.
    ///
    /// # Errors
    /// The index or the journal does not exist or cannot be read.
    pub fn open(data_dir: &Path) -> Result<(FreshIndex, Option<IndexGap>), IndexError> {
        let fresh = FreshIndex { index: index::Reader::open(data_dir)?, journal: journal::Reader::open(data_dir)? };
        let gap = fresh.wait(data_dir, WAIT_MAX)?;
        Ok((fresh, gap))
    }

    fn wait(&self, data_dir: &Path, wait_max: Duration) -> Result<Option<IndexGap>, IndexError> {
        // A fixed end, because new records can come all the time.
        let head = self.journal.head()?.unwrap_or_default();
        let deadline = Instant::now() + wait_max;
        loop {
            let Some(difference) = self.difference(head)? else { return Ok(None) };
            let is_served = Lock::is_held(data_dir)?;
            // Without a service, nothing closes the gap.
            if !is_served || Instant::now() >= deadline {
                return Ok(Some(IndexGap { difference, is_served }));
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// How the index differs from the journal up to `head`.
    fn difference(&self, head: Offset) -> Result<Option<IndexDifference>, IndexError> {
        let cursor = match (self.index.cursor_in(&self.journal)?, self.index.journal_id()?) {
            (Some(cursor), _) => cursor,
            // It has followed no journal yet.
            (None, None) => Offset::default(),
            (None, Some(id)) if id == self.journal.journal_id()? => return Ok(Some(IndexDifference::Ahead)),
            (None, Some(_)) => return Ok(Some(IndexDifference::OtherJournal)),
        };
        let records = head.0.saturating_sub(cursor.0);
        Ok((records > 0).then_some(IndexDifference::Behind { records }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::Data;

    fn fresh(data: &Data) -> FreshIndex {
        let (journal, index) = data.readers();
        FreshIndex { index, journal }
    }

    fn gap(data: &Data, wait_max: Duration) -> Option<IndexGap> {
        fresh(data).wait(data.path(), wait_max).unwrap()
    }

    const FOREVER: Duration = Duration::from_secs(1_000_000);

    #[test]
    fn gap_without_a_service_is_not_waited_for() {
        let data = Data::new();
        data.write([data.push("a", 1)]);
        assert!(matches!(FreshIndex::open(data.path()), Err(IndexError::Absent(_))));
        data.index_all();
        assert_eq!(gap(&data, FOREVER), None);
        data.write([data.push("b", 2), data.push("c", 3)]);
        let behind = IndexGap { difference: IndexDifference::Behind { records: 2 }, is_served: false };
        assert_eq!(gap(&data, FOREVER), Some(behind));
    }

    #[test]
    fn empty_index_fits_an_empty_journal() {
        let data = Data::new();
        data.write([]);
        data.index_all();
        assert_eq!(gap(&data, Duration::ZERO), None);
    }

    #[test]
    fn service_is_waited_for_up_to_a_limit() {
        let data = Data::new();
        data.write([data.push("a", 1)]);
        data.index_all();
        data.write([data.push("b", 2)]);
        let lock = Lock::take(data.path()).unwrap();
        let behind = IndexGap { difference: IndexDifference::Behind { records: 1 }, is_served: true };
        assert_eq!(gap(&data, Duration::from_millis(20)), Some(behind));

        drop(lock);
        let fresh = fresh(&data);
        std::thread::scope(|scope| {
            scope.spawn(|| data.index_all());
            // The rebuild may not hold its lock yet, or no longer. The cursor is what counts, so the wait is repeated.
            let deadline = Instant::now() + Duration::from_secs(20);
            while fresh.wait(data.path(), Duration::from_secs(20)).unwrap().is_some() {
                assert!(Instant::now() < deadline);
            }
        });
    }

    #[test]
    fn index_of_another_journal_is_reported() {
        let (one, other) = (Data::new(), Data::new());
        one.write((0..9).map(|number| one.push("a", number)));
        one.index_all();
        other.write([other.push("b", 1), other.push("b", 2)]);
        other.take_index_of(&one);
        let gap = gap(&other, Duration::ZERO);
        assert_eq!(gap, Some(IndexGap { difference: IndexDifference::OtherJournal, is_served: false }));
    }

    #[test]
    fn index_ahead_of_its_journal_is_not_behind() {
        let data = Data::new();
        data.write([data.push("a", 1)]);
        let earlier = data.copy_of_journal();
        data.write([data.push("b", 2)]);
        data.index_all();
        // Also when the journal has gone on from there, and has got as far with other records.
        for events in [vec![], vec![data.push("c", 3), data.push("d", 4)]] {
            data.restore_journal(&earlier);
            data.write(events);
            let ahead = IndexGap { difference: IndexDifference::Ahead, is_served: false };
            assert_eq!(gap(&data, Duration::ZERO), Some(ahead));
        }
    }
}
