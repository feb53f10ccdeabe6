//! A store in a directory of its own, for tests. Time is an argument.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::super::testing::event_at;
use super::super::{
    AppendError, Appended, JournalError, NewDeadLetter, Offset, Options, Progress, Reader, Start, schema,
};
use super::inbox::{Advance, Append};
use super::now::Now;
use super::store::Store;
use crate::callback::Event;

pub(super) const WALL_MS: i64 = 1_700_000_000_000;

/// So many seconds after the opening, on both clocks.
pub(super) fn at(secs: u64) -> Now {
    Now { wall_ms: WALL_MS + secs as i64 * 1000, monotonic: Duration::from_secs(secs) }
}

/// So many seconds after the opening, with a system clock that jumped by so many hours.
pub(super) fn jumped(monotonic_secs: u64, hours: i64) -> Now {
    Now { wall_ms: WALL_MS + hours * 3_600_000, monotonic: Duration::from_secs(monotonic_secs) }
}

/// Options with a size limit that a test reaches soon.
pub(super) fn small() -> Options {
    Options { size_bytes_max: 2 * 1024 * 1024, ..Options::default() }
}

/// Consumers that start at the end.
pub(super) fn consumers(names: &[&str]) -> Vec<(String, Start)> {
    names.iter().map(|name| ((*name).to_owned(), Start::Now)).collect()
}

pub(super) fn open_with(directory: &Path, options: &Options, names: &[&str]) -> Store {
    Store::open(directory, options, &consumers(names), at(0)).unwrap()
}

/// The journal with the consumer `log`, opened at a time.
pub(super) fn open_at(directory: &Path, now: Now) -> Result<Store, JournalError> {
    Store::open(directory, &Options::default(), &consumers(&["log"]), now)
}

/// Hides a table, so that each commit that writes to it fails, as on a bad disk. [`HiddenTable::show`] ends that.
pub(super) fn hide_table(directory: &Path, name: &'static str) -> HiddenTable {
    let other = Connection::open(schema::path(directory)).unwrap();
    other.execute_batch(&format!("ALTER TABLE {name} RENAME TO hidden")).unwrap();
    HiddenTable { other, name }
}

pub(super) struct HiddenTable {
    other: Connection,
    name: &'static str,
}

impl HiddenTable {
    pub(super) fn show(self) {
        self.other.execute_batch(&format!("ALTER TABLE hidden RENAME TO {}", self.name)).unwrap();
    }
}

pub(super) fn open(directory: &Path) -> Store {
    open_with(directory, &Options::default(), &["log"])
}

pub(super) fn appends(events: impl IntoIterator<Item = Event>) -> Vec<Append> {
    events.into_iter().map(|event| Append { event, reply: oneshot::channel().0 }).collect()
}

impl Store {
    /// Commits the events of these numbers at a time.
    pub(super) fn append_at(
        &mut self,
        numbers: impl IntoIterator<Item = u32>,
        now: Now,
    ) -> Vec<Result<Appended, AppendError>> {
        let events = numbers.into_iter().map(|number| event_at(number, now.wall_ms));
        self.commit(&appends(events), &[], now).unwrap().results
    }

    /// Commits the events of these numbers at the opening.
    pub(super) fn append(&mut self, numbers: impl IntoIterator<Item = u32>) -> Vec<Result<Appended, AppendError>> {
        self.append_at(numbers, at(0))
    }

    /// Commits progress of the consumer with this index.
    pub(super) fn advance(&mut self, consumer: usize, progress: Progress) {
        self.commit(&[], &[advance(consumer, progress)], at(0)).unwrap();
    }

    /// Has a consumer pass all records up to a cursor.
    pub(super) fn pass(&mut self, consumer: usize, cursor: i64) {
        self.advance(consumer, Progress { cursor: Offset(cursor), ..Progress::default() });
    }
}

pub(super) fn advance(consumer: usize, progress: Progress) -> Advance {
    Advance { consumer, progress, reply: oneshot::channel().0 }
}

/// Dead letters of the records after an offset.
pub(super) fn give_up(directory: &Path, after: i64, count: usize) -> Vec<NewDeadLetter> {
    let records = Reader::open(directory).unwrap().read(Offset(after), count).unwrap();
    let give_up = |record| NewDeadLetter { record, attempts: 1, failure: "poison".to_owned(), failed_at_ms: WALL_MS };
    records.into_iter().map(give_up).collect()
}

/// Commits so many events, 100 at a time.
pub(super) fn append_all(store: &mut Store, count: u32) {
    for batch in 0..count / 100 {
        store.append(batch * 100..(batch + 1) * 100);
    }
}
