//! Data directories for tests: real journals and indexes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::callback::Event;
use crate::callback::testing::{EventBuilder, event, event_of};
use crate::index;
use crate::journal::{self, Journal, Opened, SqliteJournal};

/// When the events of tests begin, in Unix seconds.
pub(crate) const BEGIN_SECS: i64 = 1_777_636_800; // 2026-05-01T12:00:00Z

/// A data directory, which is removed at the end.
pub(crate) struct Data {
    directory: tempfile::TempDir,
}

impl Data {
    pub(crate) fn new() -> Data {
        Data { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The event of a callback, received so many seconds after the beginning.
    pub(crate) fn event(&self, body: &str, secs: i64) -> Event {
        event_of(body, (BEGIN_SECS + secs) * 1000)
    }

    /// A push of a stream; `number` is its sequence and the second at which it started.
    pub(crate) fn push(&self, stream: &str, number: i64) -> Event {
        push_at(stream, number).build()
    }

    /// Its stop after so many seconds.
    pub(crate) fn stop(&self, stream: &str, number: i64, lasted_secs: i64) -> Event {
        let secs = BEGIN_SECS + number + lasted_secs;
        event_of_push("stop", stream, number).happened_secs(secs).at_ms(secs * 1000).build()
    }

    /// Adds events to the journal, in order.
    pub(crate) fn write(&self, events: impl IntoIterator<Item = Event>) {
        write_journal(self.path(), events);
    }

    /// Brings the index up to the end of the journal, and makes it if there is none.
    pub(crate) fn index_all(&self) {
        index::rebuild(self.path(), &index::Options::default(), |_, _| {}).unwrap();
    }

    pub(crate) fn readers(&self) -> (journal::Reader, index::Reader) {
        (journal::Reader::open(self.path()).unwrap(), index::Reader::open(self.path()).unwrap())
    }

    /// Puts a copy of another data directory's index here.
    pub(crate) fn take_index_of(&self, other: &Data) {
        std::fs::copy(other.path().join("index.db"), self.path().join("index.db")).unwrap();
    }

    /// Copies the journal as it is now.
    pub(crate) fn copy_of_journal(&self) -> PathBuf {
        let copy = self.path().join("journal-copy.db");
        std::fs::copy(self.path().join("journal.db"), &copy).unwrap();
        copy
    }

    /// Puts a copy of a journal here.
    pub(crate) fn restore_journal(&self, copy: &Path) {
        std::fs::copy(copy, self.path().join("journal.db")).unwrap();
    }

    /// Removes the oldest records, as pruning does.
    pub(crate) fn prune_records(&self, count: usize) {
        let connection = rusqlite::Connection::open(self.path().join("journal.db")).unwrap();
        let delete = "DELETE FROM records WHERE offset IN (SELECT offset FROM records ORDER BY offset LIMIT ?1)";
        connection.execute(delete, [i64::try_from(count).unwrap()]).unwrap();
    }
}

/// A push that a test goes on to describe; `number` is its sequence and the second at which it started.
pub(super) fn push_at(stream: &str, number: i64) -> EventBuilder {
    event_of_push("push", stream, number)
}

/// An event of a push, at the second at which the push started; `number` is both this second and the sequence.
fn event_of_push(event_type: &str, stream: &str, number: i64) -> EventBuilder {
    let secs = BEGIN_SECS + number;
    let event = event(event_type).domain("push.example.com").app("live").stream(stream).sequence(number);
    event.happened_secs(secs).at_ms(secs * 1000)
}

/// Adds events to the journal of a data directory, in order, and closes it.
pub(crate) fn write_journal(data_dir: &Path, events: impl IntoIterator<Item = Event>) {
    // The times may be long ago, and must not be pruned for it. After a batch, the
    // journal remembers only its last id, so a later call may write an event again.
    let options = journal::Options { retention_days: 1_000_000, dedupe_ids_max: 1, ..journal::Options::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let Opened { journal, wakeups, .. } =
            SqliteJournal::open(data_dir, &options, &[], Arc::default(), crate::clock::system_clock).unwrap();
        let wakeups = tokio::spawn(wakeups.run());
        let mut appending = Vec::new();
        for event in events {
            // On one thread tasks begin in the order of their making, so the journal has the events in this order.
            let journal: Arc<dyn Journal> = Arc::clone(&journal) as _;
            appending.push(tokio::spawn(async move { journal.append(event).await.unwrap() }));
        }
        for append in appending {
            append.await.unwrap();
        }
        journal.close();
        wakeups.await.unwrap().unwrap();
        journal.join();
    });
}
