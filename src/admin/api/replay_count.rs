//! How many recorded events a replay would send: counted step by step, as far as there is time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::readers::{Reader, Readers};
use crate::admin::problem::Problem;
use crate::callback::EventSelection;
use crate::journal::{JournalError, Offset};

/// How many records are read at a time while they are counted.
const READ_RECORDS: usize = 1000;

/// How long is counted without letting others ask.
const COUNTING_STEP: Duration = Duration::from_millis(200);

/// How far the events that are meant are counted.
pub(super) struct Counting {
    /// The selections of the replay and of the sink.
    selections: Arc<[EventSelection; 2]>,
    /// Every record up to here has been looked at.
    place: Offset,
    last: Offset,
    /// Records of that time, in Unix ms, and all after them are not meant.
    ends_ms: i64,
    /// How many are meant so far.
    pub(super) counted: i64,
    /// Whether these are all.
    pub(super) is_done: bool,
}

impl Counting {
    /// Nothing is counted yet of what stands after `first` and up to `last`.
    pub(super) fn new(selections: [EventSelection; 2], first: Offset, last: Offset, ends_ms: i64) -> Counting {
        Counting { selections: Arc::new(selections), place: first, last, ends_ms, counted: 0, is_done: false }
    }

    /// Counts to the end, or until it is late. In steps, so that others may ask in between, and that it ends when whoever
    /// asked has gone.
    pub(super) async fn run(mut self, readers: &Arc<Readers>, late: Option<Instant>) -> Result<Counting, Problem> {
        while !self.is_done && late.is_none_or(|late| Instant::now() < late) {
            self = readers.ask(move |reader| Ok(self.step(reader, Instant::now() + COUNTING_STEP)?)).await?;
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
    use super::*;
    use crate::callback::{Callback, Options, Verifier};
    use crate::journal::{self, Journal, Opened, SqliteJournal};

    #[tokio::test]
    async fn what_cannot_be_counted_in_time_is_told_as_such_and_a_dry_run_counts_to_the_end() {
        const COUNT: i64 = 2500;
        let directory = tempfile::tempdir().unwrap();
        let options = journal::Options::default();
        let Opened { journal, wakeups, .. } =
            SqliteJournal::open(directory.path(), &options, &[], Arc::default(), crate::clock::system_clock).unwrap();
        let wakeups = tokio::spawn(wakeups.run());
        let verifier = Verifier::new(Options { allow_unsigned: true, ..Options::default() }).unwrap();
        let events = (0..COUNT).map(|number| {
            let body = format!(r#"{{"event_type":1,"app":"d","appname":"a","stream_id":"s{number}"}}"#);
            journal.append(verifier.verify(&Callback::parse(body.as_bytes()).unwrap(), number).unwrap())
        });
        assert!(futures_util::future::join_all(events).await.iter().all(Result::is_ok));

        let readers = Arc::new(Readers::new(directory.path().to_owned(), false));
        let counting = |last, ends_ms| Counting::new(Default::default(), Offset(0), Offset(last), ends_ms);
        for (last, ends_ms, expected) in [(COUNT, i64::MAX, COUNT), (9, i64::MAX, 9), (COUNT, 7, 7), (0, i64::MAX, 0)] {
            let done = counting(last, ends_ms).run(&readers, None).await.unwrap();
            assert_eq!((done.counted, done.is_done), (expected, true));
        }
        let late = counting(COUNT, i64::MAX).run(&readers, Some(Instant::now())).await.unwrap();
        assert!(!late.is_done, "nothing is waited for");
        readers.close().await;
        journal.close();
        wakeups.await.unwrap().unwrap();
        journal.join();
    }
}
