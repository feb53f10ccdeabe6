//! SQLite numbers the rows that are inserted at once. Each must get the offset or the number that it would have got alone.

use std::path::Path;

use tempfile::TempDir;

use crate::callback::Event;
use crate::index::testing::{events, expected, open, sessions, statements};
use crate::index::{Reader, Store};
use crate::journal::{Offset, Record};
use crate::session::testing::{event, push};

const STREAM: &str = "a.com/live/s";

fn indexed_nothing() -> (TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    (directory, store)
}

/// Pushes of one stream, each of another session.
fn pushes(count: i64) -> Vec<Event> {
    events(&(0..count).map(|number| push(STREAM, &number.to_string(), number)).collect::<Vec<_>>())
}

/// Records of events, without gaps.
fn records<'e>(first: i64, events: impl IntoIterator<Item = &'e Event>) -> Vec<Record> {
    (first..).zip(events).map(|(offset, event)| Record { offset: Offset(offset), event: event.clone() }).collect()
}

fn assert_found<'r>(directory: &Path, records: impl IntoIterator<Item = &'r Record>) {
    let reader = Reader::open(directory).unwrap();
    for Record { offset, event } in records {
        assert_eq!(reader.event(event.id()).unwrap(), Some(*offset));
    }
}

#[test]
fn repeated_event_moves_no_other() {
    let (directory, mut store) = indexed_nothing();
    let mut events = pushes(24);
    events[12] = events[3].clone();
    let journal = records(1, &events);
    store.apply(&journal[..8]).unwrap();
    store.apply(&journal[8..]).unwrap();
    assert_eq!(sessions(directory.path()), expected(&events));
    assert_found(directory.path(), journal.iter().filter(|record| record.offset != Offset(4)));
    let repeats = "SELECT group_concat(offset) FROM repeats";
    assert_eq!(store.connection.query_row(repeats, [], |row| row.get::<_, String>(0)).unwrap(), "4");
}

/// Then SQLite ignores every row of a statement.
#[test]
fn wholly_repeated_events_remove_no_other() {
    let (directory, mut store) = indexed_nothing();
    let events = pushes(12);
    let journal = records(1, &events);
    store.apply(&journal).unwrap();
    // The number of a new stream would be taken for an offset.
    let new = event(&push("new.com/live/s", "1", 50));
    let late = records(13, events[4..8].iter().chain([&new]));
    store.apply(&late).unwrap();
    assert_found(directory.path(), journal[..4].iter().chain(&journal[8..]).chain(&late));
}

/// The newest row gets a lower offset if its event comes again there. SQLite then gives lower offsets than expected.
#[test]
fn replaced_newest_row_moves_no_other() {
    let (directory, mut store) = indexed_nothing();
    let events = pushes(12);
    store.apply(&[records(1, &events[..3]), records(9, [&events[3]])].concat()).unwrap();
    // The record at 9 is gone, and its event stands at 4.
    let again = [records(1, &events[..4]), records(10, &events[4..])].concat();
    store.apply(&again).unwrap();
    assert_found(directory.path(), &again);
}

/// No number of a pruned session is used again, and SQLite would do so.
#[test]
fn sessions_after_a_pruned_end_keep_their_numbers() {
    let (_directory, mut store) = indexed_nothing();
    let journal = records(1, &pushes(24));
    store.apply(&journal[..8]).unwrap();
    let prune = "DELETE FROM sessions WHERE number > 4; DELETE FROM events WHERE offset > 4";
    store.connection.execute_batch(prune).unwrap();
    store.apply(&journal[8..]).unwrap();
    let late = "SELECT offset, session, number FROM events JOIN sessions ON first_offset = offset
        WHERE offset > 8 ORDER BY offset";
    let mut late = store.connection.prepare(late).unwrap();
    let rows = late.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    let rows: Vec<(i64, i64, i64)> = rows.map(Result::unwrap).collect();
    assert_eq!(rows, (9..=24).map(|number| (number, number, number)).collect::<Vec<_>>());
}

/// Streams get their numbers before their rows are written.
#[test]
fn new_streams_get_the_numbers_of_their_rows() {
    let (directory, mut store) = indexed_nothing();
    // In no order.
    let stream = |secs: i64| secs * 7 % 20;
    let of_stream = |secs| push(&format!("a.com/live/{}", stream(secs)), &secs.to_string(), secs);
    let events = events(&(0..50).map(of_stream).collect::<Vec<_>>());
    let journal = records(1, &events);
    store.apply(&journal[..9]).unwrap();
    // A new process knows no streams yet.
    drop(store);
    let mut store = open(directory.path());
    store.apply(&journal[9..30]).unwrap();
    store.apply(&journal[30..]).unwrap();
    assert_eq!(sessions(directory.path()), expected(&events));
    assert_found(directory.path(), &journal);
    let streams = "SELECT count(*) || ' ' || max(number) FROM streams";
    assert_eq!(store.connection.query_row(streams, [], |row| row.get::<_, String>(0)).unwrap(), "20 20");
}

/// For a row with its own key, SQLite checks that it is a number. If another row of the same statement came before, it copies each
/// page for that, which takes longer than the rest of the statement.
#[test]
fn several_rows_are_inserted_without_copies() {
    let (_directory, mut store) = indexed_nothing();
    let streams: Vec<_> = (0..32).map(|number| push(&format!("a.com/live/{number}"), "1", number)).collect();
    let journal = records(1, &events(&streams));
    let apply = |store: &mut Store| drop(store.apply(&journal).unwrap());
    let statements = statements(&mut store, |store| &mut store.connection, apply);
    let with_several_rows: Vec<_> = statements.iter().filter(|text| text.contains("),(")).collect();
    for table in ["INTO events", "INTO sessions", "INTO recent_sequences", "INTO streams"] {
        assert!(with_several_rows.iter().any(|text| text.contains(table)), "{table}: {statements:#?}");
    }
    for text in with_several_rows {
        let mut program = store.connection.prepare(&format!("EXPLAIN {text}")).unwrap();
        let mut rows = program.raw_query();
        while let Some(row) = rows.next().unwrap() {
            let (opcode, does): (String, i64) = (row.get("opcode").unwrap(), row.get("p2").unwrap());
            let fails = row.get::<_, i64>("p1").unwrap() != 0 && ["Halt", "HaltIfNull"].contains(&opcode.as_str());
            // 2 is SQLite's number for "undo this statement".
            assert!(opcode != "MustBeInt" && !(fails && does == 2), "{text}");
        }
    }
}
