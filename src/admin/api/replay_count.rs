//! Counts the events that a replay would send, in steps and within a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::readers::{Reader, Readers};
use crate::admin::problem::Problem;
use crate::callback::EventSelection;
use crate::journal::{JournalError, Offset};

/// How many records are read at a time.
const READ_RECORDS: usize = 1000;

/// How long a step takes. Other queries can run between two steps.
const COUNTING_STEP: Duration = Duration::from_millis(200);

/// A count and its progress.
pub(super) struct Counting {
    /// The selections of the replay and of the sink.
    selections: Arc<[EventSelection; 2]>,
    /// Every record up to this one was looked at.
    place: Offset,
    last: Offset,
    /// The count ends at the first record that was received at this time or later, in Unix ms.
    ends_ms: i64,
    /// The count so far.
    pub(super) counted: i64,
    /// Whether every record was looked at.
    pub(super) is_done: bool,
}

impl Counting {
    /// Prepares to count the records after `first` and up to `last`.
    pub(super) fn new(selections: [EventSelection; 2], first: Offset, last: Offset, ends_ms: i64) -> Counting {
        Counting { selections: Arc::new(selections), place: first, last, ends_ms, counted: 0, is_done: false }
    }

    /// Counts to the end, or to the deadline. If the client disconnects, the count ends after the current step.
    pub(super) async fn run(mut self, readers: &Arc<Readers>, deadline: Option<Instant>) -> Result<Counting, Problem> {
        // Each step is a query of its own, so that others get their turn in between.
        while !self.is_done && deadline.is_none_or(|deadline| Instant::now() < deadline) {
            self = readers.run(move |reader| Ok(self.step(reader, Instant::now() + COUNTING_STEP)?)).await?;
        }
        Ok(self)
    }

    fn step(mut self, reader: &Reader, until: Instant) -> Result<Counting, JournalError> {
        while !self.is_done && Instant::now() < until {
            let records = reader.journal.read(self.place, READ_RECORDS)?;
            self.is_done = records.is_empty();
            for record in records {
                if record.offset > self.last || record.event.received_ms() >= self.ends_ms {
                    self.is_done = true;
                    break;
                }
                self.place = record.offset;
                self.counted += i64::from(self.selections.iter().all(|selection| selection.takes(&record.event)));
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::history::testing::{BEGIN_SECS, Data};
    use crate::journal;

    fn counting(last: i64, ends_ms: i64) -> Counting {
        Counting::new(Default::default(), Offset(0), Offset(last), ends_ms)
    }

    #[test]
    fn count_has_bounds() {
        const COUNT: i64 = 2500;
        let data = Data::new();
        data.write((0..COUNT).map(|number| data.push("a", number)));
        let reader = Reader { journal: journal::Reader::open(data.path()).unwrap(), index: None };
        let never = Instant::now() + Duration::from_secs(86_400);
        let ends_ms = (BEGIN_SECS + 7) * 1000;
        for (last, ends_ms, expected) in
            [(COUNT, i64::MAX, COUNT), (9, i64::MAX, 9), (COUNT, ends_ms, 7), (0, i64::MAX, 0)]
        {
            let begun = counting(last, ends_ms).step(&reader, Instant::now()).unwrap();
            assert_eq!((begun.counted, begun.is_done), (0, false), "a step without time counts nothing");
            let done = begun.step(&reader, never).unwrap();
            assert_eq!((done.counted, done.is_done), (expected, true));
        }
    }

    #[tokio::test]
    async fn no_step_begins_after_the_deadline() {
        // Without a journal any step would fail.
        let readers = Arc::new(Readers::new(PathBuf::from("absent"), false));
        let late = counting(1, i64::MAX).run(&readers, Some(Instant::now())).await.unwrap();
        assert!(!late.is_done);
    }
}
