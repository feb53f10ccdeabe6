//! The index, as current as it can be had.
//!
//! The index follows the journal by a moment. Who has just sent something expects to see it, so a question waits until
//! what the journal has is in the index, as long as somebody is there to take it in, and not for long. An answer that is
//! not of everything says so.

use std::path::Path;
use std::time::{Duration, Instant};

use super::output::talk;
use crate::index;
use crate::journal::{self, Lock, Offset};

/// How long to wait.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often to look.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The index of a data directory, and the journal that it was made of.
pub(super) struct CurrentIndex {
    pub(super) index: index::Reader,
    pub(super) journal: journal::Reader,
}

impl CurrentIndex {
    /// Opens the index, and waits until everything that is in the journal now is in it. Where that does not happen, says
    /// on stderr what is missing and what to do.
    ///
    /// # Errors
    /// There is no index or no journal, or they cannot be read.
    pub(super) fn open(data_dir: &Path) -> anyhow::Result<CurrentIndex> {
        let current = CurrentIndex { index: index::Reader::open(data_dir)?, journal: journal::Reader::open(data_dir)? };
        if let Some(behind) = current.wait(data_dir, PATIENCE)? {
            talk(behind.told());
        }
        Ok(current)
    }

    /// Waits, and gives what is missing even so.
    fn wait(&self, data_dir: &Path, patience: Duration) -> anyhow::Result<Option<Behind>> {
        let head = self.journal.head()?.unwrap_or_default();
        let deadline = Instant::now() + patience;
        loop {
            let records = self.lag(head)?;
            if records == 0 {
                return Ok(None);
            }
            let is_served = Lock::is_held(data_dir)?;
            if !is_served || Instant::now() >= deadline {
                return Ok(Some(Behind { records, is_served }));
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// How many of the records up to `head` are not in the index; all of them, where it was made of another journal.
    /// Offsets have gaps, so it may be fewer.
    fn lag(&self, head: Offset) -> anyhow::Result<i64> {
        let cursor = if self.index.is_of(&self.journal)? { self.index.cursor()? } else { Offset::default() };
        Ok(head.0.saturating_sub(cursor.0).max(0))
    }
}

/// How much is missing, and why.
#[derive(Debug, PartialEq, Eq)]
struct Behind {
    records: i64,
    is_served: bool,
}

impl Behind {
    fn told(&self) -> String {
        let Behind { records, is_served } = self;
        let what = match records {
            1 => "the newest record of the journal is not in the index".to_owned(),
            count => format!("the index is {count} records behind the journal"),
        };
        match is_served {
            true => format!(
                "{what}: this answer is without them. The service is catching up: ask again in a while, and if that \
                 does not help, see its log and whether `index.enabled` is true"
            ),
            false => format!(
                "{what}: this answer is without them. No service runs here: start `livehook serve`, or bring the \
                 index up to date with `livehook sessions --rebuild`"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Journal, push};
    use super::*;

    #[test]
    fn nobody_is_waited_for_where_no_service_runs() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path();
        let open = || CurrentIndex {
            index: index::Reader::open(data_dir).unwrap(),
            journal: journal::Reader::open(data_dir).unwrap(),
        };
        Journal::write(data_dir, [push("a", 1)]);
        assert!(CurrentIndex::open(data_dir).err().unwrap().to_string().contains("there is no index here"));
        index::rebuild(data_dir, &index::Options::default(), |_, _| {}).unwrap();
        let forever = Duration::from_secs(1_000_000);
        assert_eq!(open().wait(data_dir, forever).unwrap(), None);

        Journal::write(data_dir, [push("b", 2), push("c", 3)]);
        let behind = open().wait(data_dir, forever).unwrap();
        assert_eq!(behind, Some(Behind { records: 2, is_served: false }));
        assert!(behind.unwrap().told().contains("2 records behind"));
    }

    #[test]
    fn who_serves_is_waited_for_up_to_a_limit_and_no_longer_than_needed() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path();
        Journal::write(data_dir, [push("a", 1)]);
        index::rebuild(data_dir, &index::Options::default(), |_, _| {}).unwrap();
        Journal::write(data_dir, [push("b", 2)]);
        let current = CurrentIndex {
            index: index::Reader::open(data_dir).unwrap(),
            journal: journal::Reader::open(data_dir).unwrap(),
        };
        let lock = Lock::take(data_dir).unwrap();
        let behind = current.wait(data_dir, Duration::from_millis(20)).unwrap();
        assert_eq!(behind, Some(Behind { records: 1, is_served: true }));
        assert!(behind.unwrap().told().contains("catching up"));

        drop(lock);
        std::thread::scope(|scope| {
            scope.spawn(|| index::rebuild(data_dir, &index::Options::default(), |_, _| {}).unwrap());
            // Whether the one who makes it has begun or has done so, or the look comes first, what counts is the cursor.
            let deadline = Instant::now() + Duration::from_secs(20);
            while current.wait(data_dir, Duration::from_secs(20)).unwrap().is_some() {
                assert!(Instant::now() < deadline);
            }
        });
    }

    #[test]
    fn the_index_of_another_journal_knows_nothing_of_this_one() {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = (directory.path().join("one"), directory.path().join("other"));
        Journal::write(&one, (0..9).map(|number| push("a", number)));
        index::rebuild(&one, &index::Options::default(), |_, _| {}).unwrap();
        Journal::write(&other, [push("b", 1), push("b", 2)]);
        std::fs::copy(one.join("index.db"), other.join("index.db")).unwrap();
        let current = CurrentIndex {
            index: index::Reader::open(&other).unwrap(),
            journal: journal::Reader::open(&other).unwrap(),
        };
        let behind = current.wait(&other, Duration::ZERO).unwrap();
        assert_eq!(behind, Some(Behind { records: 2, is_served: false }));
    }
}
