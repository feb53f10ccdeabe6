//! An index of callbacks, and selections of its streams. For the tests of the readers.

use proptest::prelude::*;

use super::Reader;
use crate::callback::{DomainPattern, NamePattern, StreamSelection};
use crate::index::testing::{NOW_MS, assert_searches, indexed, open_before_a_stretch, plans};
use crate::index::{SessionQuery, Store};
use crate::journal::{Offset, Record};
use crate::session::testing::{anomaly, event, push, recording, screenshot, stop};

pub(in crate::index) const STREAM: &str = "a.com/live/s";

/// An index of callbacks, whose offsets are 1, 2 and so on.
pub(in crate::index) struct Index {
    pub(super) directory: tempfile::TempDir,
    pub(super) store: Store,
    count: i64,
}

impl Index {
    pub(in crate::index) fn new() -> Index {
        let directory = tempfile::tempdir().unwrap();
        let store = open_before_a_stretch(directory.path());
        Index { directory, store, count: 0 }
    }

    pub(in crate::index) fn of(callbacks: &[serde_json::Value]) -> Index {
        let mut index = Index::new();
        index.add(callbacks);
        index
    }

    pub(in crate::index) fn add(&mut self, callbacks: &[serde_json::Value]) {
        let records: Vec<Record> = callbacks
            .iter()
            .map(event)
            .map(|event| {
                self.count += 1;
                Record { offset: Offset(self.count), event }
            })
            .collect();
        self.store.apply(&records).unwrap();
    }

    pub(in crate::index) fn reader(&self) -> Reader {
        Reader::open(self.directory.path()).unwrap()
    }

    pub(super) fn sequences(&self, query: &SessionQuery) -> Vec<String> {
        self.reader().sessions(query, NOW_MS).unwrap().into_iter().map(|view| view.sequence).collect()
    }
}

/// A selection by names; an empty one selects all.
pub(super) fn select(domain: &str, stream: &str, app_name: &str) -> StreamSelection {
    StreamSelection {
        domains: DomainPattern::new(domain).into_iter().collect(),
        names: NamePattern::new(stream).into_iter().collect(),
        apps: Some(app_name).filter(|name| !name.is_empty()).into_iter().map(str::to_owned).collect(),
        key: None,
    }
}

pub(super) fn any_selection() -> impl Strategy<Value = StreamSelection> {
    let domain = prop::sample::select(vec!["", "", "a.com", "A.COM", "*.com", "other"]);
    let stream = prop::sample::select(vec!["", "", "s", "t", "x", "*", "s*", "none"]);
    let app_name = prop::sample::select(vec!["", "", "live", "LIVE"]);
    (domain, stream, app_name).prop_map(|(domain, stream, app_name)| select(domain, stream, app_name))
}

/// An index of two streams. The second one is live.
pub(in crate::index) fn two_streams() -> (tempfile::TempDir, Store) {
    let (directory, store, _) = indexed(&[
        push(STREAM, "1", 0),
        anomaly(STREAM, "1", 1),
        stop(STREAM, "1", 9),
        recording(STREAM, 0, 9),
        screenshot(STREAM, 5),
        push("b.com/live/s", "2", 600),
    ]);
    (directory, store)
}

/// Every step of the queries must find its rows by an index of the database. Only the ones in `may_scan` may be read as a
/// whole.
pub(super) fn assert_plans(may_scan: &[&str], query: impl Fn(&Reader)) {
    let (directory, _store) = two_streams();
    let mut reader = Reader::open(directory.path()).unwrap();
    let plans = plans(&mut reader, |reader| &mut reader.connection, |reader| query(reader));
    assert_searches(&plans, may_scan);
    // The rows of one stream or session may be sorted, but never a whole table for one page.
    for (step, statement) in plans {
        let of_few = ["stream =", "stream IN", "sequence =", "FROM session_stretches"];
        let is_of_few = of_few.iter().any(|few| statement.contains(few));
        assert!(is_of_few || !step.contains("TEMP B-TREE FOR ORDER BY"), "{step}: {statement}");
    }
}

/// All streams of the name of [`STREAM`].
pub(super) fn of_stream() -> StreamSelection {
    select("", "s", "")
}
