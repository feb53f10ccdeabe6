use std::path::Path;

use rusqlite::Connection;

use super::super::super::{Appended::Duplicate, Appended::Stored, Options, Progress, Reader, schema};
use super::super::store::{CommitReport, Store};
use super::super::testing::{appends, at, give_up, hide_table, open, open_with, small};
use super::*;
use crate::callback::testing;

/// A relay event, which CSS sends without a signature.
fn unsigned(number: u32) -> Event {
    relay(number).build()
}

fn signed(number: u32) -> Event {
    relay(number).at_ms(testing::RECEIVED_MS + 5000).build_signed()
}

fn relay(number: u32) -> testing::EventBuilder {
    testing::event("relay").stream("s").happened_secs(1_700_000_000).member("task_id", number)
}

fn commit(store: &mut Store, events: impl IntoIterator<Item = Event>) -> CommitReport {
    store.commit(&appends(events), &[], at(0)).unwrap()
}

/// The report of a commit that stored nothing and confirmed these records.
fn confirmed(records: Vec<Record>) -> CommitReport {
    CommitReport { results: vec![Ok(Duplicate)], confirmed: records }
}

fn record_of(offset: i64, number: u32) -> Record {
    Record { offset: Offset(offset), event: unsigned(number).confirmed_by(&signed(number)).unwrap() }
}

fn records(directory: &Path) -> Vec<Record> {
    Reader::open(directory).unwrap().read(Offset(0), 100).unwrap()
}

#[test]
fn signed_copy_confirms_the_event_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    commit(&mut store, [unsigned(1), unsigned(2), unsigned(3)]);
    assert_eq!(commit(&mut store, [signed(2)]), confirmed(vec![record_of(2, 2)]));
    let expected = [
        Record { offset: Offset(1), event: unsigned(1) },
        record_of(2, 2),
        Record { offset: Offset(3), event: unsigned(3) },
    ];
    assert_eq!(records(directory.path()), expected);
    for copy in [signed(2), unsigned(2)] {
        assert_eq!(commit(&mut store, [copy]), confirmed(vec![]), "a third copy changes nothing");
    }
    assert_eq!(records(directory.path()), expected);
}

/// The window is full, and the event is the oldest one in it.
#[test]
fn event_is_confirmed_before_it_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { dedupe_ids_max: 2, ..Options::default() };
    let mut store = open_with(directory.path(), &options, &["log"]);
    commit(&mut store, [unsigned(1), unsigned(2)]);
    let report = commit(&mut store, [unsigned(3), signed(1)]);
    assert_eq!(report, CommitReport { results: vec![Ok(Stored), Ok(Duplicate)], confirmed: vec![record_of(1, 1)] });
    assert_eq!(commit(&mut store, [signed(1)]).results, [Ok(Stored)], "then it is forgotten");
}

#[test]
fn unsigned_copy_of_a_verified_event_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    commit(&mut store, [signed(1)]);
    assert_eq!(commit(&mut store, [unsigned(1)]), confirmed(vec![]));
    assert_eq!(records(directory.path()), [Record { offset: Offset(1), event: signed(1) }]);
}

#[test]
fn both_copies_can_be_in_one_batch() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let report =
        commit(&mut store, [unsigned(1), signed(2), unsigned(3), signed(1), unsigned(2), signed(1), signed(4)]);
    let results = [Ok(Stored), Ok(Stored), Ok(Stored), Ok(Duplicate), Ok(Duplicate), Ok(Duplicate), Ok(Stored)];
    assert_eq!((report.results.as_slice(), report.confirmed.as_slice()), (&results[..], &[record_of(1, 1)][..]));
    let verified: Vec<bool> = records(directory.path()).iter().map(|record| record.event.is_verified()).collect();
    assert_eq!(verified, [true, true, false, true]);
}

/// The window is loaded from the journal, and says where each record is.
#[test]
fn event_is_confirmed_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    commit(&mut open(directory.path()), (0..50).map(unsigned));
    commit(&mut open(directory.path()), (50..60).map(unsigned));
    let mut store = open(directory.path());
    commit(&mut store, (60..70).map(unsigned));
    for number in [0, 55, 69] {
        assert_eq!(commit(&mut store, [signed(number)]), confirmed(vec![record_of(i64::from(number) + 1, number)]));
    }
    drop(store);
    assert_eq!(commit(&mut open(directory.path()), [signed(55)]), confirmed(vec![]), "it is verified on disk");
}

/// The dedupe window can have an event twice after a restart. Both are confirmed.
#[test]
fn repeated_event_is_confirmed_in_all_places() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { dedupe_window_secs: 60, ..Options::default() };
    let mut store = open_with(directory.path(), &options, &["log"]);
    for secs in [0, 100] {
        store.commit(&appends([unsigned(1)]), &[], at(secs)).unwrap();
    }
    drop(store);
    let mut report = commit(&mut open(directory.path()), [signed(1)]);
    report.confirmed.sort_by_key(|record| record.offset);
    assert_eq!(report, confirmed(vec![record_of(1, 1), record_of(2, 1)]));
}

#[test]
fn failed_commit_confirms_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    commit(&mut store, [unsigned(1)]);
    let mut reopen = store.reopener();
    let dead_letters = hide_table(directory.path(), "dead_letters");
    store.commit(&appends([signed(1), unsigned(2)]), &[], at(0)).unwrap_err();
    drop(store);
    dead_letters.show();
    assert_eq!(records(directory.path()), [Record { offset: Offset(1), event: unsigned(1) }]);
    let mut store = reopen(at(0)).unwrap();
    assert_eq!(commit(&mut store, [signed(1)]), confirmed(vec![record_of(1, 1)]), "the next try does it");
}

#[test]
fn full_journal_confirms_its_events() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open_with(directory.path(), &small(), &["log"]);
    commit(&mut store, [unsigned(1)]);
    let large = |number: u32| relay(number).member("x", "x".repeat(100_000)).build();
    let full = (2..100).any(|number| commit(&mut store, [large(number)]).results == [Err(AppendError::Full)]);
    assert!(full);
    assert_eq!(commit(&mut store, [signed(1)]), confirmed(vec![record_of(1, 1)]));
}

/// Redrives show what is known of an event now: also if the event became a dead letter after its copy had come, and if the journal
/// has pruned the record.
#[test]
fn dead_letters_are_confirmed() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    commit(&mut store, (1..=3).map(unsigned));
    let give_up_all = give_up(directory.path(), 0, 3);
    let progress = |dead_letters| Progress { cursor: Offset(3), dead_letters, ..Progress::default() };
    store.advance(0, progress(give_up_all[..2].to_vec()));
    commit(&mut store, [signed(1), signed(3)]);
    assert!(!give_up_all[2].record.event.is_verified(), "the sink has read it before the copy came");
    store.advance(0, progress(give_up_all[2..].to_vec()));
    let verified = || -> Vec<bool> {
        let reader = Reader::open(directory.path()).unwrap();
        (1..=3).map(|number| reader.dead_letter(number).unwrap().unwrap().event.is_verified()).collect()
    };
    assert_eq!(verified(), [true, false, true]);
    Connection::open(schema::path(directory.path())).unwrap().execute("DELETE FROM records", []).unwrap();
    assert_eq!(commit(&mut store, [signed(2)]), confirmed(vec![]));
    assert_eq!(verified(), [true, true, true]);
}

/// A damaged record must not refuse the copies of its event.
#[test]
fn damaged_record_stops_no_commit() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    commit(&mut store, [unsigned(1)]);
    Connection::open(schema::path(directory.path())).unwrap().execute("UPDATE records SET line = '{'", []).unwrap();
    assert_eq!(commit(&mut store, [signed(1)]), confirmed(vec![]));
}
