//! Counts by hour depend on which events there are, not on how they arrived. Over real files.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::callback::testing::{EventBuilder, event};
use crate::callback::{Event, EventType};
use crate::index::testing::{open_with, records};
use crate::index::{HourCount, Options, Reader, Store};
use crate::journal::{Offset, Record};
use crate::moment::hour_of;
use crate::session::testing::shuffled;

/// The beginning of an hour, in Unix seconds.
const BEGIN_SECS: i64 = 1_700_000_000 - 1_700_000_000 % 3600;

/// Counts by hour and label.
type Counts = Vec<(i64, String, i64)>;

fn open(directory: &std::path::Path, retention_days: u32) -> Store {
    open_with(directory, &Options { retention_days, ..Options::default() })
}

/// An event of a push that happened and was received at these seconds after the beginning.
fn event_at(event_type: i64, sequence: &str, happened_secs: i64, received_secs: i64) -> EventBuilder {
    event(&event_type.to_string())
        .stream_key("a.com/live/s")
        .sequence(sequence)
        .happened_secs(BEGIN_SECS + happened_secs)
        .member("errcode", 1)
        .at_ms((BEGIN_SECS + received_secs) * 1000)
}

/// Different events of a few pushes over some hours: several stops of one push for different reasons, stops before their
/// push, and types that make no session.
fn history() -> impl Strategy<Value = Vec<Event>> {
    let event_type = prop::sample::select(vec![0, 0, 0, 1, 1, 100, 777, 778]);
    let sequence = prop::sample::select(vec!["1", "2", "3", "4"]);
    let errcode = prop::sample::select(vec![1, 12, 18, 21, 99]);
    prop::collection::vec((event_type, sequence, 0..30i64, errcode), 0..40).prop_map(|parts| {
        let mut events: Vec<Event> = parts
            .into_iter()
            .map(|(event_type, sequence, step, errcode)| {
                event_at(event_type, sequence, step * 600, step * 700).member("errcode", errcode).build()
            })
            .collect();
        events.sort_unstable_by_key(Event::id);
        events.dedup_by_key(|event| event.id());
        events
    })
}

fn counts(hours: Vec<HourCount>) -> Counts {
    hours.into_iter().map(|hour| (hour.hour_ms, hour.label, hour.count)).collect()
}

fn event_hours(directory: &std::path::Path) -> Counts {
    counts(Reader::open(directory).unwrap().event_hours(i64::MIN, i64::MAX).unwrap())
}

fn end_hours(directory: &std::path::Path) -> Counts {
    counts(Reader::open(directory).unwrap().end_hours(i64::MIN, i64::MAX).unwrap())
}

/// The result of a count over the events.
fn expected_events(events: &[Event]) -> Counts {
    let mut counts = BTreeMap::new();
    for event in events {
        *counts.entry((hour_of(event.received_ms()), event.event_type().label().to_owned())).or_insert(0) += 1;
    }
    counts.into_iter().map(|((hour_ms, label), count)| (hour_ms, label, count)).collect()
}

/// The result of a count over the sessions.
fn expected_ends(store: &Store) -> Counts {
    let query = "SELECT ended_ms / 3600000 * 3600000, reason_category, count(*) FROM sessions
        WHERE ended_ms IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2";
    let mut statement = store.connection.prepare(query).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn rebuild(store: &mut Store, journal: &[Record]) {
    store.begin_rebuild(first(journal), journal.last().map_or(Offset(0), |record| record.offset)).unwrap();
    store.apply(journal).unwrap();
}

/// The oldest record; the largest offset if there is none.
fn first(journal: &[Record]) -> Offset {
    journal.first().map_or(Offset(i64::MAX), |record| record.offset)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn counts_depend_on_events_alone(history in history(), seed in any::<u64>()) {
        let random = &mut fastrand::Rng::with_seed(seed);
        let directory = tempfile::tempdir().unwrap();
        let mut store = open(directory.path(), 1_000_000);
        let journal = records(&shuffled(&history, random));
        let mut rest = journal.as_slice();
        while !rest.is_empty() {
            let (batch, more) = rest.split_at(random.usize(1..=rest.len().min(12)));
            for _ in 0..random.u8(1..3) {
                store.apply(batch).unwrap();
            }
            if random.u8(0..4) == 0 {
                store = open(directory.path(), 1_000_000);
            }
            prop_assert_eq!(end_hours(directory.path()), expected_ends(&store));
            rest = more;
        }
        prop_assert_eq!(event_hours(directory.path()), expected_events(&history));
        let ends = end_hours(directory.path());

        rebuild(&mut store, &journal);
        prop_assert_eq!(event_hours(directory.path()), expected_events(&history));
        prop_assert_eq!(end_hours(directory.path()), ends.clone());

        // A rebuild corrects wrong rows and wrong counts.
        store.connection.execute("UPDATE sessions SET ended_ms = 1 WHERE number % 2 = 0 AND ended_ms IS NOT NULL", []).unwrap();
        store.connection.execute("UPDATE end_hours SET count = count + 1 WHERE reason_category = 'client'", []).unwrap();
        rebuild(&mut store, &journal);
        prop_assert_eq!(end_hours(directory.path()), expected_ends(&store));
        prop_assert_eq!(end_hours(directory.path()), ends.clone());

        // Pruned events stay counted, and the others are not counted again.
        let kept = &journal[random.usize(0..=journal.len())..];
        while store.prune(first(kept), BEGIN_SECS * 1000).unwrap() {}
        rebuild(&mut store, kept);
        prop_assert_eq!(event_hours(directory.path()), expected_events(&history));
        prop_assert_eq!(end_hours(directory.path()), ends);
        prop_assert_eq!(end_hours(directory.path()), expected_ends(&store));
    }
}

#[test]
fn hours_are_pruned_before_their_sessions() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path(), 1);
    let events: Vec<Event> = (0..4)
        .map(|hour| (hour, hour * 3600 + 1800))
        .map(|(hour, secs)| event_at(0, &hour.to_string(), secs, secs).build())
        .collect();
    store.apply(&records(&events)).unwrap();
    let prune = |store: &mut Store, secs: i64| while store.prune(Offset(1), (BEGIN_SECS + secs) * 1000).unwrap() {};
    prune(&mut store, 86_400);
    assert_eq!((end_hours(directory.path()).len(), event_hours(directory.path()).len()), (4, 4));
    prune(&mut store, 86_400 + 3600 + 60);
    assert_eq!((end_hours(directory.path()).len(), event_hours(directory.path()).len()), (2, 2));
    // Half an hour into the third hour, the session that ended in it is still there, but its hour is gone.
    assert_eq!(expected_ends(&store).len(), 3);
    rebuild(&mut store, &records(&events));
    prune(&mut store, 86_400 + 3600 + 60);
    assert_eq!((end_hours(directory.path()).len(), event_hours(directory.path()).len()), (2, 2));
    assert_eq!(end_hours(directory.path()), expected_ends(&store)[1..]);
    prune(&mut store, 10 * 86_400);
    assert_eq!((end_hours(directory.path()), event_hours(directory.path())), (Vec::new(), Vec::new()));
}

#[test]
fn unknown_types_count_as_one() {
    let directory = tempfile::tempdir().unwrap();
    let events: Vec<Event> = [(1, 0), (777, 3599), (778, 3600), (0, 3600), (779, 3601), (0, 7200)]
        .into_iter()
        .map(|(event_type, secs)| event_at(event_type, "1", secs, secs).build())
        .collect();
    open(directory.path(), 365).apply(&records(&events)).unwrap();
    let reader = Reader::open(directory.path()).unwrap();
    let hour = |hour: i64| (BEGIN_SECS + hour * 3600) * 1000;
    assert_eq!(
        counts(reader.event_hours(hour(1), hour(2)).unwrap()),
        [(hour(1), "stop".to_owned(), 1), (hour(1), "unknown".to_owned(), 2)]
    );
    assert_eq!(reader.event_hours(hour(0), hour(0) + 1).unwrap().len(), 2);
    assert_eq!(reader.event_hours(hour(3), hour(9)).unwrap(), []);
    assert_eq!(counts(reader.end_hours(hour(0), hour(9)).unwrap()), [(hour(1), "client".to_owned(), 1)]);
    assert_eq!(EventType::Unknown(778).label(), "unknown");
}
