//! No question that is asked often looks at a whole table. Asked of SQLite itself, of the very statements that are run.

use std::sync::mpsc;

use rusqlite::Connection;
use rusqlite::trace::{TraceEvent, TraceEventCodes};

use super::Reader;
use crate::callback::{EventId, NamePattern, StreamSelection};
use crate::index::testing::{NOW_MS, at, open, records};
use crate::index::{BroadcastQuery, Order, SessionQuery, Store};
use crate::journal::Offset;
use crate::session::testing::{anomaly, event, push, recording, screenshot, stop};
use crate::session::{State, StreamKey};

const STREAM: &str = "a.com/live/s";

/// An index of two streams, one of which is live.
fn index() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let callbacks = [
        push(STREAM, "1", 0),
        anomaly(STREAM, "1", 1),
        stop(STREAM, "1", 9),
        recording(STREAM, 0, 9),
        screenshot(STREAM, 5),
        push("b.com/live/s", "2", 600),
    ];
    let mut store = open(directory.path());
    store.apply(&records(&callbacks.iter().map(event).collect::<Vec<_>>())).unwrap();
    (directory, store)
}

/// How SQLite goes about each statement that is run meanwhile, with the statement.
fn plans<T>(
    subject: &mut T,
    connection: impl Fn(&mut T) -> &mut Connection,
    run: impl FnOnce(&mut T),
) -> Vec<(String, String)> {
    let (note, statements) = mpsc::channel();
    let trace = move |traced: TraceEvent<'_>| {
        if let TraceEvent::Stmt(_, text) = traced {
            note.send(text.to_owned()).unwrap();
        }
    };
    connection(subject).trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(trace)).unwrap();
    run(subject);
    connection(subject).trace_v2(TraceEventCodes::empty(), None::<fn(TraceEvent<'_>)>).unwrap();
    let mut plans = Vec::new();
    for statement in statements.try_iter() {
        if !["SELECT", "UPDATE", "DELETE"].iter().any(|word| statement.starts_with(word)) {
            continue;
        }
        let mut explain = connection(subject).prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
        // A plan needs no values for the parameters.
        let mut rows = explain.raw_query();
        while let Some(row) = rows.next().unwrap() {
            plans.push((row.get::<_, String>("detail").unwrap(), statement.clone()));
        }
    }
    assert!(!plans.is_empty());
    plans
}

/// How questions are answered. Every step must find rows by an index; those alone may be gone through that are named.
fn assert_answers(may_scan: &[&str], ask: impl Fn(&Reader)) {
    let (directory, _store) = index();
    let mut reader = Reader::open(directory.path()).unwrap();
    let plans = plans(&mut reader, |reader| &mut reader.connection, |reader| ask(reader));
    assert_searches(&plans, may_scan);
    // Rows of one stream and time may be put in order, but never a whole table for the sake of a page.
    for (step, statement) in plans {
        let is_of_few = ["stream =", "stream IN", "sequence ="].iter().any(|few| statement.contains(few));
        assert!(is_of_few || !step.contains("TEMP B-TREE FOR ORDER BY"), "{step}: {statement}");
    }
}

fn assert_searches(plans: &[(String, String)], may_scan: &[&str]) {
    for (step, statement) in plans {
        assert!(!step.contains("AUTOMATIC"), "{step}: {statement}");
        let may_be = |scanned: &&str| step.ends_with(scanned);
        let is_free = !step.starts_with("SCAN") || step == "SCAN CONSTANT ROW";
        assert!(is_free || may_scan.iter().any(may_be), "{step}: {statement}");
    }
}

fn broadcasts() -> BroadcastQuery {
    let selection = StreamSelection::default();
    BroadcastQuery { selection, states: Vec::new(), since_ms: None, until_ms: None, after: None, limit: 10 }
}

fn of_stream() -> StreamSelection {
    StreamSelection { names: vec![NamePattern::new("s").unwrap()], ..StreamSelection::default() }
}

#[test]
fn live_streams_are_found_among_the_sessions_that_are_not_over() {
    assert_answers(&["COVERING INDEX open_sessions"], |reader| {
        assert_eq!(reader.streams(&StreamSelection::default(), None, 10, NOW_MS).unwrap().len(), 1);
        let live = BroadcastQuery { states: vec![State::Live], ..broadcasts() };
        assert_eq!(reader.broadcasts(&live, NOW_MS).unwrap().len(), 1);
    });
    let (_directory, mut store) = index();
    let plans = plans(&mut store, |store| &mut store.connection, |store| drop(store.live_streams(NOW_MS)));
    assert_searches(&plans, &["COVERING INDEX open_sessions"]);
}

#[test]
fn sessions_of_a_stream_are_found_by_it() {
    assert_answers(&[], |reader| {
        for states in [vec![], vec![State::Live], vec![State::Ended]] {
            let query = SessionQuery { selection: of_stream(), states, ..SessionQuery::default() };
            assert!(!reader.sessions(&query, NOW_MS).unwrap().is_empty());
        }
    });
}

#[test]
fn sessions_of_a_time_are_read_in_its_order() {
    for order in [Order::Descending, Order::Ascending] {
        for (since_ms, until_ms) in [(Some(at(0)), None), (None, Some(at(700))), (Some(at(0)), Some(at(700)))] {
            let ask = |reader: &Reader| {
                let query = SessionQuery { since_ms, until_ms, order, ..SessionQuery::default() };
                let first = reader.sessions(&query, NOW_MS).unwrap();
                assert_eq!(first.len(), 2);
                let after = Some(first[0].place);
                assert_eq!(reader.sessions(&SessionQuery { after, ..query }, NOW_MS).unwrap().len(), 1);
            };
            assert_answers(&[], ask);
        }
    }
}

#[test]
fn the_newest_sessions_are_read_in_order() {
    let ask = |reader: &Reader| {
        assert_eq!(reader.sessions(&SessionQuery::default(), NOW_MS).unwrap().len(), 2);
        assert_eq!(reader.broadcasts(&broadcasts(), NOW_MS).unwrap().len(), 2);
    };
    assert_answers(&["INDEX sessions_by_start"], ask);
}

#[test]
fn live_sessions_are_found_among_those_that_are_not_over() {
    assert_answers(&["INDEX open_sessions"], |reader| {
        for states in [vec![State::Live], vec![State::Stale], vec![State::Live, State::Stale]] {
            reader.sessions(&SessionQuery { states, ..SessionQuery::default() }, NOW_MS).unwrap();
        }
    });
}

#[test]
fn one_session_and_its_events_are_found_by_sequence() {
    let id = StreamKey::from_text(STREAM).session("1");
    assert_answers(&[], |reader| {
        assert!(reader.session(&id, NOW_MS).unwrap().is_some());
        assert_eq!(reader.session_events(&id, NOW_MS).unwrap().len(), 5);
    });
}

#[test]
fn events_are_found_by_id_and_by_stream() {
    assert_answers(&[], |reader| {
        assert!(reader.event(event(&push(STREAM, "1", 0)).id()).unwrap().is_some());
        assert_eq!(reader.event(EventId::first_of(1)).unwrap(), None);
        for (order, from) in [(Order::Ascending, 0), (Order::Descending, 100)] {
            let found = reader.events_of_streams(&of_stream(), Offset(from), order, 10).unwrap();
            assert_eq!(found.map(|offsets| offsets.len()), Some(6));
        }
    });
}

#[test]
fn what_follows_the_journal_finds_its_rows() {
    let (_directory, mut store) = index();
    let late = records(&[event(&stop("b.com/live/s", "2", 650)), event(&screenshot("b.com/live/s", 640))]);
    let run = |store: &mut Store| {
        store.apply(&late).unwrap();
        store.prune(Offset(100), at(400 * 86_400)).unwrap();
    };
    let plans = plans(&mut store, |store| &mut store.connection, run);
    assert_searches(&plans, &["SCAN gone", "(subquery-1)"]);
    // Of all recordings and anomalies that there are, a slice looks at its own alone.
    let wholes = ["INDEX media_of_stream", "INDEX events_of_session"];
    assert!(!plans.iter().any(|(step, _)| wholes.iter().any(|whole| step.contains(whole))), "{plans:#?}");
}
