//! Each session's sequence must stay in one of the two tables, whatever moves between them.

use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::index::Store;
use crate::index::reader::testing::{Index, STREAM};
use crate::index::testing::{NOW_MS, assert_searches, at, open, plans, records_of};
use crate::journal::{Offset, Record};
use crate::session::testing::{push, stop};

type Rows = Vec<(String, i64, i64)>;

fn rows(connection: &Connection, query: &str) -> Rows {
    let mut statement = connection.prepare(query).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    let mut rows = rows.collect::<rusqlite::Result<Rows>>().unwrap();
    rows.sort();
    rows
}

fn all(connection: &Connection) -> Rows {
    rows(connection, "SELECT * FROM recent_sequences UNION ALL SELECT * FROM sequences")
}

fn of_sessions(connection: &Connection) -> Rows {
    rows(connection, "SELECT substr(sequence, -6), stream, number FROM sessions")
}

fn assert_consistent(store: &Store) {
    assert_eq!(all(&store.connection), of_sessions(&store.connection));
    let recent = rows(&store.connection, "SELECT * FROM recent_sequences");
    assert_eq!(recent.len() as i64, store.sequences.recent);
    let twice = "SELECT sequence, stream, count(*) FROM sessions GROUP BY 1, 2 HAVING count(*) > 1";
    assert_eq!(rows(&store.connection, twice), vec![]);
}

/// Pushes with these sequences, each at its own second. Every other one is of another stream.
fn pushes(sequences: &[u16], after: Offset) -> Vec<Record> {
    let streams = [STREAM, "b.com/live/s"];
    let push = |sequence: &u16| {
        let number = sequence / 2;
        push(streams[usize::from(sequence % 2)], &number.to_string(), i64::from(number))
    };
    let mut records = records_of(&sequences.iter().map(push).collect::<Vec<_>>());
    records.iter_mut().for_each(|record| record.offset.0 += after.0);
    records
}

fn apply(store: &mut Store, sequences: &[u16]) {
    store.apply(&pushes(sequences, store.cursor())).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn each_sequence_is_in_one_table(batches in prop::collection::vec(prop::collection::vec(0_u16..200, 0..12), 1..12)) {
        let directory = tempfile::tempdir().unwrap();
        let mut store = open(directory.path());
        for (number, batch) in batches.iter().enumerate() {
            apply(&mut store, batch);
            assert_consistent(&store);
            if number % 5 == 2 {
                prune_before(&mut store, i64::from(batch.first().copied().unwrap_or_default()) / 2);
                assert_consistent(&store);
            }
            if number % 4 == 3 {
                drop(store);
                store = open(directory.path());
            }
        }
    }
}

/// The small table stays small, and all of it moves sooner or later.
#[test]
fn the_small_table_has_a_bound() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let mut recent = Vec::new();
    for first in (0..400).step_by(4) {
        apply(&mut store, &[first, first + 1, first + 2, first + 3]);
        recent = rows(&store.connection, "SELECT * FROM recent_sequences");
        assert!(recent.len() as i64 <= RECENT_MAX + 4, "{recent:?}");
    }
    let numbers: Vec<i64> = recent.iter().map(|(_, _, number)| *number).collect();
    assert!(numbers.iter().all(|number| *number > 300), "{recent:?}");
}

/// Removes the sessions that started before this second of the history.
fn prune_before(store: &mut Store, secs: i64) {
    let year_ms = 365 * 86_400_000;
    store.prune(Offset(0), at(secs) + year_ms).unwrap();
}

#[test]
fn pruning_does_not_restart_the_moves() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    apply(&mut store, &(0..20).collect::<Vec<_>>());
    let moved = store.sequences.moved.tail.clone();
    assert_ne!(moved, "");
    prune_before(&mut store, 5);
    assert_eq!((&store.sequences.moved.tail, of_sessions(&store.connection).len()), (&moved, 10));
    assert_consistent(&store);
    prune_before(&mut store, 100);
    assert_eq!((of_sessions(&store.connection), all(&store.connection)), (vec![], vec![]));
    apply(&mut store, &(0..20).collect::<Vec<_>>());
    assert_consistent(&store);
}

#[test]
fn failed_batch_moves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    apply(&mut store, &(0..20).collect::<Vec<_>>());
    let poison = "CREATE TRIGGER fails BEFORE INSERT ON meta WHEN new.name = 'next_session' BEGIN SELECT raise(ABORT, 'no'); END";
    store.connection.execute_batch(poison).unwrap();
    assert!(store.apply(&pushes(&(20..40).collect::<Vec<_>>(), store.cursor())).is_err());
    assert_consistent(&store);
    store.connection.execute_batch("DROP TRIGGER fails").unwrap();
    apply(&mut store, &(20..40).collect::<Vec<_>>());
    assert_consistent(&store);
    assert_eq!(of_sessions(&store.connection).len(), 40);
}

/// The tail is only a part of a sequence, so sessions with the same tail must stay apart.
#[test]
fn sequences_with_the_same_tail_are_apart() {
    let index = &mut Index::new();
    let sequences = ["a.1234567", "b-1234567", "234567", "34567", "a.1234567.b-1234567"];
    for (secs, sequence) in (0..).zip(sequences) {
        index.add(&[push(STREAM, sequence, secs)]);
        assert_eq!(tail(sequence), &sequence[sequence.len().saturating_sub(6)..]);
    }
    for (secs, sequence) in (20..).zip(sequences) {
        index.add(&[stop(STREAM, sequence, secs)]);
    }
    let reader = index.reader();
    for (secs, sequence) in (0..).zip(sequences) {
        let found = reader.sessions_of_sequence(sequence, NOW_MS).unwrap();
        let found: Vec<_> = found.iter().map(|view| (view.started.0, view.ended.map(|ended| ended.0))).collect();
        assert_eq!(found, [(at(secs), Some(at(secs + 20)))], "{sequence}");
    }
    assert_eq!(reader.sessions_of_sequence("1234567", NOW_MS).unwrap(), []);
}

#[test]
fn sequences_move_by_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let plans = plans(&mut store, |store| &mut store.connection, |store| apply(store, &(0..20).collect::<Vec<_>>()));
    assert_searches(&plans, &[]);
    assert!(plans.iter().any(|(step, _)| step.contains("recent_sequences USING PRIMARY KEY")), "{plans:?}");
}
