use rusqlite::Connection;

use super::super::super::testing::{large_event, offsets};
use super::super::super::{
    AppendError,
    Appended::{Duplicate, Stored},
    Offset, Options, Progress, schema,
};
use super::super::testing::{append_all, appends, at, give_up, jumped, open, open_with, small};

const DAY_SECS: u64 = 86_400;

fn one_day() -> Options {
    Options { retention_days: 1, ..Options::default() }
}

#[test]
fn pruned_offsets_are_never_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open_with(directory.path(), &one_day(), &["log"]);
    store.append(0..5);
    store.pass(0, 5);
    store.prune(at(2 * DAY_SECS), || false).unwrap();
    assert_eq!(offsets(directory.path()), [0; 0]);
    assert_eq!(store.append([10]), [Ok(Stored)]);
    store.pass(0, 6);
    store.prune(at(2 * DAY_SECS), || false).unwrap();
    drop(store);
    let mut store = open_with(directory.path(), &one_day(), &["log"]);
    assert_eq!(store.head(), Offset(6));
    assert_eq!(store.consumers()[0].cursor, Offset(6));
    store.append([11]);
    assert_eq!(offsets(directory.path()), [7]);
}

#[test]
fn unpassed_records_are_never_pruned() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open_with(directory.path(), &one_day(), &["fast", "slow"]);
    store.append(0..10);
    store.pass(0, 10);
    store.pass(1, 4);
    let report = store.prune(at(30 * DAY_SECS), || false).unwrap();
    assert_eq!(offsets(directory.path()), (5..=10).collect::<Vec<_>>());
    assert_eq!(report.slowest.as_deref(), Some("slow"));
}

#[test]
fn pruning_stops_on_request() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    append_all(&mut store, 2500);
    store.pass(0, 2500);
    assert!(store.prune(at(31 * DAY_SECS), || true).unwrap().has_more);
    assert_eq!(offsets(directory.path()).len(), 2250);
    assert!(!store.prune(at(31 * DAY_SECS), || false).unwrap().has_more);
    assert_eq!(offsets(directory.path()).len(), 0);
}

#[test]
fn forgotten_ids_are_pruned() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { dedupe_ids_max: 1000, ..Options::default() };
    let mut store = open_with(directory.path(), &options, &["log"]);
    for number in 0..4000 {
        store.append([number]);
    }
    store.prune(at(0), || false).unwrap();
    let count = |table: &str| -> i64 {
        let database = Connection::open(schema::path(directory.path())).unwrap();
        database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!((count("batches"), count("records")), (4, 4000), "240 ids a row, the newest 160 in their records");
}

#[test]
fn partly_forgotten_batches_stay() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { dedupe_ids_max: 950, ..Options::default() };
    let mut store = open_with(directory.path(), &options, &["log"]);
    append_all(&mut store, 3000);
    store.prune(at(0), || false).unwrap();
    let database = Connection::open(schema::path(directory.path())).unwrap();
    let rows: i64 = database.query_row("SELECT count(*) FROM batches", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 4);
    for _ in 0..2 {
        assert_eq!(
            store.append(2050..3000),
            vec![Ok(Duplicate); 950],
            "each remembered id is in a row, or in its record"
        );
        drop(store);
        store = open_with(directory.path(), &options, &["log"]);
    }
    assert_eq!(store.append([2049]), [Ok(Stored)], "forgotten");
}

#[test]
fn held_bytes_are_measured_before_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open_with(directory.path(), &small(), &["fast", "slow"]);
    append_all(&mut store, 1000);
    store.pass(0, 1000);
    store.pass(1, 250);
    let report = store.prune(at(0), || false).unwrap();
    let share = report.held_bytes as f64 / report.file.used_bytes() as f64;
    assert!((0.7..0.8).contains(&share), "{report:?}");
    assert_eq!((report.slowest.as_deref(), report.has_space), (Some("slow"), true));
    store.pass(1, 1000);
    let report = store.prune(at(0), || false).unwrap();
    assert_eq!((report.held_bytes, report.slowest), (0, None));
}

#[test]
fn size_limit_prunes_oldest_passed_records() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open_with(directory.path(), &small(), &["log"]);
    for batch in 0..100 {
        assert_eq!(store.append(batch * 100..(batch + 1) * 100), vec![Ok(Stored); 100], "batch {batch}");
        store.pass(0, store.head().0);
    }
    let report = store.prune(at(0), || false).unwrap();
    assert!(report.file.used_bytes() <= small().size_bytes_max);
    let kept = offsets(directory.path());
    assert_eq!(kept.last(), Some(&10_000));
    assert!(kept[0] > 1 && kept.len() as i64 == 10_001 - kept[0], "the oldest went, and none between");
}

#[test]
fn size_limit_prunes_no_more_than_needed() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { size_bytes_max: 16 * 1024 * 1024, ..Options::default() };
    let mut store = open_with(directory.path(), &options, &["log"]);
    let mut kept = 0;
    for number in 0..100 {
        let large = appends([large_event(number, 200_000)]);
        assert_eq!(store.commit(&large, &[], at(0)).unwrap().results, [Ok(Stored)]);
        store.pass(0, store.head().0);
        let now = offsets(directory.path()).len();
        assert!(now + 3 > kept, "{kept} events became {now} to free the space of one");
        kept = now;
    }
    assert!(kept > 50 && kept < 100, "{kept}");
}

#[test]
fn stuck_consumer_fills_the_journal() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open_with(directory.path(), &small(), &["fast", "stuck"]);
    let mut number = 0;
    let first_refused = loop {
        let results = store.append(number..number + 100);
        store.pass(0, store.head().0);
        if results.contains(&Err(AppendError::Full)) {
            break number;
        }
        number += 100;
        assert!(number < 100_000, "the limit must be reached");
    };
    let report = store.prune(at(0), || false).unwrap();
    assert!(!report.has_space && report.file.used_bytes() <= small().size_bytes_max, "{report:?}");
    assert_eq!(offsets(directory.path()).len() as u32, first_refused, "every stored event is there");
    assert_eq!(store.append([0]), [Ok(Duplicate)]);
    let refused = first_refused..first_refused + 100;
    assert_eq!(store.append(refused.clone()), vec![Err(AppendError::Full); 100]);
    store.pass(1, store.head().0);
    assert_eq!(store.append(refused), vec![Ok(Stored); 100], "refused events are not remembered as duplicates");
}

#[test]
fn dead_letters_are_never_pruned() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open_with(directory.path(), &small(), &["log"]);
    let mut number = 0;
    while !store.append(number..number + 100).contains(&Err(AppendError::Full)) {
        number += 100;
        let cursor = store.head();
        let dead_letters = give_up(directory.path(), cursor.0 - 100, 100);
        store.advance(0, Progress { cursor, dead_letters, ..Progress::default() });
        assert!(number < 100_000, "the limit must be reached");
    }
    let report = store.prune(at(0), || false).unwrap();
    assert!(report.held_bytes * 2 > report.file.used_bytes() && report.slowest.is_none(), "{report:?}");
    assert_eq!(store.consumers()[0].dead_letters, i64::from(number));
    drop(store);
    let store = open_with(directory.path(), &small(), &["log"]);
    assert_eq!(store.consumers()[0].dead_letters, i64::from(number));
}

/// The size of the file after a checkpoint.
fn file_bytes(directory: &std::path::Path) -> u64 {
    let database = Connection::open(schema::path(directory)).unwrap();
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    schema::path(directory).metadata().unwrap().len()
}

#[test]
fn pruned_space_goes_back_to_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    append_all(&mut store, 8000);
    store.pass(0, 8000);
    let full = file_bytes(directory.path());
    let report = store.prune(at(31 * DAY_SECS), || false).unwrap();
    assert!(!report.has_more && report.file.used_bytes() < 200_000, "{report:?}");
    let bytes = file_bytes(directory.path());
    assert!(
        bytes == report.file.file_bytes() && bytes < 1_300_000 && 2 * bytes < full,
        "{bytes} of {full}, {report:?}"
    );
    // What is left is whole.
    assert_eq!(store.append(8000..8100), vec![Ok(Stored); 100]);
    drop(store);
    let mut store = open(directory.path());
    assert_eq!(store.append([8099]), [Ok(Duplicate)]);
    assert_eq!(offsets(directory.path()), (8001..=8100).collect::<Vec<_>>());
}

/// The events of a commit don't wait until the new limit is reached.
#[test]
fn lowered_limit_is_reached_in_slices() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    append_all(&mut store, 10_000);
    store.pass(0, 10_000);
    drop(store);
    let mut store = open_with(directory.path(), &small(), &["log"]);
    let database = Connection::open(schema::path(directory.path())).unwrap();
    let count = || -> i64 { database.query_row("SELECT count(*) FROM records", [], |row| row.get(0)).unwrap() };
    let before = count();
    assert_eq!(store.append([10_000]), [Ok(Stored)]);
    assert!(before - count() < 300, "a commit prunes at most a slice");
    let (mut slices, mut most) = (0, 0);
    loop {
        let before = count();
        let report = store.prune(at(0), || true).unwrap();
        most = most.max(before - count());
        if !report.has_more {
            break;
        }
        slices += 1;
        assert_eq!(store.append([10_000]), [Ok(Duplicate)]);
    }
    let used = store.prune(at(0), || false).unwrap().file.used_bytes();
    assert!(
        slices > 10 && most <= 250 && used <= small().size_bytes_max,
        "{slices} slices, {most} events, {used} bytes"
    );
    let bytes = file_bytes(directory.path());
    assert!(bytes < 2 * small().size_bytes_max, "{bytes} bytes");
}

#[test]
fn ids_outlive_their_records() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open_with(directory.path(), &one_day(), &["log"]);
    store.append(0..10);
    store.pass(0, 10);
    store.prune(jumped(10, 48), || false).unwrap();
    assert_eq!(offsets(directory.path()), [0; 0]);
    store.append_at([10], jumped(10, 48));
    drop(store);
    let mut store = open_with(directory.path(), &one_day(), &["log"]);
    let results = store.append_at(0..12, jumped(10, 48));
    assert_eq!(results[..11], vec![Ok(Duplicate); 11]);
    assert_eq!(results[11], Ok(Stored));
}
