//! Events by id and by stream.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::callback::{NamePattern, testing};
use crate::index::reader::media;
use crate::index::reader::testing::{STREAM, any_selection, assert_plans, of_stream};
use crate::index::testing::{indexed_randomly, journal as state_of, open};
use crate::index::{Options, Store};
use crate::journal::Record;
use crate::session::StreamKey;
use crate::session::testing::{event, history, push as push_callback};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn events_are_found_as_by_a_scan(
        history in history(), seed in any::<u64>(), selection in any_selection(), from in 0..60i64, limit in 0..9usize,
    ) {
        let random = &mut fastrand::Rng::with_seed(seed);
        let (directory, journal) = indexed_randomly(&history, random);
        let reader = Reader::open(directory.path()).unwrap();
        // If the journal has an event twice, its last offset.
        let place = |id: EventId| journal.iter().rfind(|record| record.event.id() == id).unwrap().offset;
        for event in &history {
            prop_assert_eq!(reader.event(event.id()).unwrap(), Some(place(event.id())));
        }
        prop_assert_eq!(reader.event(EventId::first_of(7)).unwrap(), None);
        // An event that the journal has twice is found at both offsets, as by a search of the journal.
        let of_streams: Vec<Offset> = journal.iter().filter(|record| {
            let key = StreamKey::of(record.event.partition_key());
            selection.takes(&key.domain(), &key.app_name(), &key.stream())
        }).map(|record| record.offset).collect();
        let ascending: Vec<Offset> =
            of_streams.iter().copied().filter(|offset| offset.0 > from).take(limit).collect();
        let descending: Vec<Offset> =
            of_streams.iter().copied().rev().filter(|offset| offset.0 < from).take(limit).collect();
        let is_exact = selection.exact_names().is_some();
        for (order, wanted) in [(Order::Ascending, ascending), (Order::Descending, descending)] {
            let found = reader.events_of_streams(&selection, Offset(from), order, limit).unwrap();
            prop_assert_eq!(found, is_exact.then_some(wanted));
        }
    }
}

#[test]
fn plan_of_events() {
    assert_plans(&[], |reader| {
        assert!(reader.event(event(&push_callback(STREAM, "1", 0)).id()).unwrap().is_some());
        assert_eq!(reader.event(EventId::first_of(1)).unwrap(), None);
        for (order, from) in [(Order::Ascending, 0), (Order::Descending, 100)] {
            let found = reader.events_of_streams(&of_stream(), Offset(from), order, 10).unwrap();
            assert_eq!(found.map(|offsets| offsets.len()), Some(6));
        }
    });
}

/// A push of a stream. Its sequence is its offset.
fn push(offset: i64, stream: &str) -> Record {
    let push = testing::event("push").stream_key(&format!("d.com/live/{stream}")).sequence(offset);
    Record { offset: Offset(offset), event: push.happened_secs(1_700_000_000).build() }
}

fn selection(stream: &str) -> StreamSelection {
    StreamSelection { names: vec![NamePattern::new(stream).unwrap()], ..StreamSelection::default() }
}

const NONE: [i64; 0] = [];

/// Offsets at the ends of stretches.
const OFFSETS: [i64; 7] = [1, 65_535, 65_536, 131_071, 131_072, 400_000, 400_001];

fn filled(directory: &Path) -> Store {
    let mut store = Store::open(directory, &Options::default()).unwrap();
    let records = OFFSETS.map(|offset| [push(offset, "a"), push(offset + 2, "b")]);
    let mut records = records.concat();
    records.sort_unstable_by_key(|record| record.offset);
    store.apply(&records).unwrap();
    store
}

#[test]
fn events_are_found_across_stretches() {
    let directory = tempfile::tempdir().unwrap();
    let _store = filled(directory.path());
    let reader = Reader::open(directory.path()).unwrap();
    let offsets = |after: i64, order, limit| -> Vec<i64> {
        let found = reader.events_of_streams(&selection("a"), Offset(after), order, limit).unwrap().unwrap();
        found.into_iter().map(|offset| offset.0).collect()
    };
    assert_eq!(offsets(0, Order::Ascending, 100), OFFSETS);
    assert_eq!(offsets(65_535, Order::Ascending, 2), [65_536, 131_071]);
    assert_eq!(offsets(131_072, Order::Ascending, 1), [400_000]);
    assert_eq!(offsets(400_001, Order::Ascending, 1), NONE);
    let mut newest_first = OFFSETS;
    newest_first.reverse();
    assert_eq!(offsets(i64::MAX, Order::Descending, 100), newest_first);
    assert_eq!(offsets(400_000, Order::Descending, 2), [131_072, 131_071]);
    assert_eq!(offsets(1, Order::Descending, 2), NONE);
    assert_eq!(offsets(i64::MAX, Order::Ascending, 2), NONE);
    assert_eq!(reader.events_of_streams(&selection("c"), Offset(0), Order::Ascending, 9).unwrap(), Some(vec![]));
}

#[test]
fn plan_uses_the_index_made_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let _store = filled(directory.path());
    let reader = Reader::open(directory.path()).unwrap();
    let plan = |query: &str| -> String {
        let mut statement = reader.connection.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
        let arguments = vec![1; statement.parameter_count()];
        let steps = statement.query_map(rusqlite::params_from_iter(arguments), |row| row.get(3)).unwrap();
        steps.collect::<rusqlite::Result<Vec<String>>>().unwrap().join("; ")
    };
    for (query, index) in [
        (media::RECORDINGS, "COVERING INDEX media_of_stream (stream=? AND event_type=? AND id>? AND id<?)"),
        (media::SCREENSHOTS, "COVERING INDEX media_of_stream (stream=? AND event_type=? AND id>? AND id<?)"),
        ("session = ?1 AND event_type = 321", "INDEX anomalies_of_session (session=?)"),
        (
            "offset >> 16 = ?1 AND stream = ?2 AND offset >= ?3 AND offset <= ?4 AND session = ?5",
            "INDEX events_of_stream (<expr>=? AND stream=? AND rowid>? AND rowid<?)",
        ),
        (
            "offset >> 16 = ?1 AND stream = ?2 AND offset < ?3 ORDER BY offset DESC",
            "INDEX events_of_stream (<expr>=? AND stream=? AND rowid<?)",
        ),
    ] {
        let from = if query.starts_with("events ") { "" } else { "events WHERE " };
        let plan = plan(&format!("SELECT count(*) FROM {from}{query}"));
        assert!(plan.contains(index), "{query}: {plan}");
    }
}

/// The journal has an event twice. A rebuild reads both records, in one batch or in two, and so does an index whose journal was
/// replaced by an earlier copy.
#[test]
fn repeated_event_is_listed_at_each_offset() {
    let again = |offset| Record { offset: Offset(offset), ..push(2, "a") };
    let journal = [again(2), push(3, "a"), again(500)];
    for (batch_length, has_earlier_copy) in [(1, false), (3, false), (1, true), (3, true)] {
        let directory = tempfile::tempdir().unwrap();
        let mut store = open(directory.path());
        store.apply(&journal).unwrap();
        let mut records = &journal[..];
        if has_earlier_copy {
            records = &journal[..2];
            store.follow(&state_of(records)).unwrap();
        } else {
            store.begin_rebuild(Offset(2), Offset(500)).unwrap();
        }
        records.chunks(batch_length).for_each(|batch| drop(store.apply(batch).unwrap()));
        let reader = Reader::open(directory.path()).unwrap();
        let types = [EventType::Push];
        for order in [Order::Ascending, Order::Descending] {
            let (after, last) = if order == Order::Ascending { (0, 1000) } else { (1000, 0) };
            let mut found = reader.events_of_types(&types, Offset(after), Offset(last), order, 10).unwrap();
            found.sort_unstable();
            let offsets: Vec<Offset> = records.iter().map(|record| record.offset).collect();
            assert_eq!(found, offsets, "{batch_length} at a time, {has_earlier_copy}");
        }
    }
}
