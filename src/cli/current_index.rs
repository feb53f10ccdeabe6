//! The index, as current as it can be had.
//!
//! The index follows the journal by a moment. Who has just sent something expects to see it, so a question waits until
//! what the journal has is in the index, as long as somebody is there to take it in, and not for long. An answer that is
//! not of everything says so.

use std::path::Path;
use std::time::{Duration, Instant};

use super::render::output::talk;
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
    /// on stderr how it differs and what to do.
    ///
    /// # Errors
    /// There is no index or no journal, or they cannot be read.
    pub(super) fn open(data_dir: &Path) -> anyhow::Result<CurrentIndex> {
        let current = CurrentIndex { index: index::Reader::open(data_dir)?, journal: journal::Reader::open(data_dir)? };
        if let Some(apart) = current.wait(data_dir, PATIENCE)? {
            talk(apart.told());
        }
        Ok(current)
    }

    /// Waits, and gives how the index differs even so.
    fn wait(&self, data_dir: &Path, patience: Duration) -> anyhow::Result<Option<Apart>> {
        let head = self.journal.head()?.unwrap_or_default();
        let deadline = Instant::now() + patience;
        loop {
            let Some(difference) = self.difference(head)? else { return Ok(None) };
            let is_served = Lock::is_held(data_dir)?;
            if !is_served || Instant::now() >= deadline {
                return Ok(Some(Apart { difference, is_served }));
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// How the index differs from the journal up to `head`. Offsets have gaps, so fewer records may be missing than is said.
    fn difference(&self, head: Offset) -> anyhow::Result<Option<Difference>> {
        // One that follows no journal yet is behind each.
        if let Some(id) = self.index.journal_id()?
            && !self.index.is_of(&self.journal)?
        {
            let is_same = id == self.journal.journal_id()?;
            return Ok(Some(if is_same { Difference::Ahead } else { Difference::OtherJournal }));
        }
        let records = head.0.saturating_sub(self.index.cursor()?.0);
        Ok((records > 0).then_some(Difference::Behind { records }))
    }
}

/// How an index is not that of the journal beside it.
#[derive(Debug, PartialEq, Eq)]
enum Difference {
    /// So many records are missing.
    Behind { records: i64 },
    /// It has seen what the journal does not have, as after an older copy was put in the journal's place.
    Ahead,
    /// It was made of another one.
    OtherJournal,
}

/// The difference, and whether somebody is there to end it.
#[derive(Debug, PartialEq, Eq)]
struct Apart {
    difference: Difference,
    is_served: bool,
}

impl Apart {
    fn told(&self) -> String {
        let what = match self.difference {
            Difference::Behind { records: 1 } => {
                "the newest record of the journal is not in the index: this answer is without it".to_owned()
            }
            Difference::Behind { records } => {
                format!("the index is {records} records behind the journal: this answer is without them")
            }
            Difference::Ahead => {
                "the index is ahead of the journal, as after an older copy of it was put in its place: this \
                 answer may be of events that the journal does not have"
                    .to_owned()
            }
            Difference::OtherJournal => {
                "the index was made of another journal: this answer is of the events that were in that one".to_owned()
            }
        };
        match self.is_served {
            true => format!(
                "{what}. The service is catching up: ask again in a while, and if that does not help, see its log and \
                 whether `index.enabled` is true"
            ),
            false => format!(
                "{what}. No service runs here: start `livehook serve`, or bring the index up to date with `livehook \
                 sessions --rebuild`"
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
        assert_eq!(behind, Some(Apart { difference: Difference::Behind { records: 2 }, is_served: false }));
        assert!(behind.unwrap().told().contains("2 records behind the journal: this answer is without them."));
    }

    #[test]
    fn an_index_of_nothing_is_that_of_an_empty_journal() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path();
        Journal::write(data_dir, []);
        index::rebuild(data_dir, &index::Options::default(), |_, _| {}).unwrap();
        assert_eq!(CurrentIndex::open(data_dir).unwrap().wait(data_dir, Duration::ZERO).unwrap(), None);
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
        assert_eq!(behind, Some(Apart { difference: Difference::Behind { records: 1 }, is_served: true }));
        let told = behind.unwrap().told();
        assert!(told.contains("catching up") && told.contains("this answer is without it."), "{told}");

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
        let apart = current.wait(&other, Duration::ZERO).unwrap();
        assert_eq!(apart, Some(Apart { difference: Difference::OtherJournal, is_served: false }));
        assert!(apart.unwrap().told().contains("of another journal"));
    }

    #[test]
    fn an_index_that_is_ahead_of_its_journal_is_not_said_to_be_behind() {
        let directory = tempfile::tempdir().unwrap();
        let (data_dir, copy) = (directory.path(), directory.path().join("copy.db"));
        Journal::write(data_dir, [push("a", 1)]);
        std::fs::copy(data_dir.join("journal.db"), &copy).unwrap();
        Journal::write(data_dir, [push("b", 2)]);
        index::rebuild(data_dir, &index::Options::default(), |_, _| {}).unwrap();
        let ahead = Some(Apart { difference: Difference::Ahead, is_served: false });
        // Also once it has gone on, and has come as far with other records.
        for events in [vec![], vec![push("c", 3), push("d", 4)]] {
            std::fs::copy(&copy, data_dir.join("journal.db")).unwrap();
            Journal::write(data_dir, events);
            let current = CurrentIndex {
                index: index::Reader::open(data_dir).unwrap(),
                journal: journal::Reader::open(data_dir).unwrap(),
            };
            assert_eq!(current.wait(data_dir, Duration::ZERO).unwrap(), ahead);
        }
    }
}
