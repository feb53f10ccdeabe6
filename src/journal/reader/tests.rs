use std::sync::{Arc, Mutex};

use super::super::testing::{Running, append, event, event_at, offsets, options};
use super::super::{Appended, ConsumerView, Journal};
use super::*;

const FIRST_MS: i64 = 1_700_000_000_000;
const MINUTE_MS: i64 = 60_000;

#[tokio::test]
async fn records_read_in_both_directions() {
    let running = Running::start(&["log"]);
    for number in 0..3 {
        running.append(number..number + 1).await;
    }
    let records = running.reader().read(Offset(1), 10).unwrap();
    assert_eq!(records, [Record { offset: Offset(2), event: event(1) }, Record { offset: Offset(3), event: event(2) }]);
    let back = running.reader().read_back(Offset(i64::MAX), 2).unwrap();
    assert_eq!(back.iter().map(|record| record.offset.0).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(running.reader().get(Offset(2)).unwrap().unwrap().event, event(1));
    assert_eq!(running.reader().get(Offset(9)).unwrap(), None);
}

#[tokio::test]
async fn damaged_record_holds_up_none_before_it() {
    let running = Running::start(&["log"]);
    running.append(0..5).await;
    let reader = running.reader();
    let writer = Connection::open(running.directory.path().join("journal.db")).unwrap();
    writer.execute("UPDATE records SET line = 'damaged' WHERE offset = 4", []).unwrap();
    let offsets = |records: Vec<Record>| records.iter().map(|record| record.offset.0).collect::<Vec<_>>();
    assert_eq!(offsets(reader.read(Offset(1), 10).unwrap()), [2, 3]);
    assert!(matches!(reader.read(Offset(3), 10), Err(JournalError::Corrupt(Offset(4)))));
    assert_eq!(offsets(reader.read_back(Offset(i64::MAX), 10).unwrap()), [5]);
    let push = [event(0).event_type()];
    assert_eq!(reader.read_types(Offset(0), false, 10, &push).unwrap().len(), 3);
}

#[tokio::test]
async fn consumers_are_as_committed() {
    let running = Running::start(&["log", "archive"]);
    let none = |name: &str| ConsumerView {
        name: name.to_owned(),
        cursor: Offset(0),
        position: Offset(0),
        is_retired: false,
        pending: 0,
        oldest_pending_ms: None,
        dead_letters: 0,
    };
    assert_eq!(running.reader().consumers().unwrap(), [none("archive"), none("log")]);
    running.append(0..3).await;
    let behind =
        |name: &str| ConsumerView { pending: 3, oldest_pending_ms: Some(event(0).received_ms()), ..none(name) };
    assert_eq!(running.reader().consumers().unwrap(), [behind("archive"), behind("log")]);
}

#[tokio::test]
async fn records_of_other_types_are_not_read() {
    let running = Running::start(&["log"]);
    running.append(0..5).await;
    let reader = running.reader();
    let types = [EventType::Stop, event(0).event_type()];
    let found = |number: u32| {
        let offset = Offset(i64::from(number) + 1);
        (offset, Some(Record { offset, event: event(number) }))
    };
    assert_eq!(reader.read_types(Offset(1), false, 3, &types).unwrap(), [found(1), found(2), found(3)]);
    assert_eq!(reader.read_types(Offset(4), true, 2, &types).unwrap(), [found(2), found(1)]);
    let other = reader.read_types(Offset(0), false, 9, &[EventType::Stop, EventType::Unknown(4711)]).unwrap();
    assert_eq!(other, (1..=5).map(|number| (Offset(number), None)).collect::<Vec<_>>());
}

/// Another connection writes at every tenth step of the copy. The copy has the records of one moment, and is a journal of its own.
#[tokio::test]
async fn backup_copies_one_moment() {
    let running = Running::start(&["log"]);
    running.append(0..100).await;
    let target = tempfile::tempdir().unwrap();
    let copy_dir = target.path().join("copy");
    let mut backup = Backup::begin(running.directory.path(), &copy_dir).unwrap();
    let mut last = (0, 0);
    let mut source = running.reader();
    let other = Connection::open(schema::path(running.directory.path())).unwrap();
    let write = move || {
        other.execute("INSERT INTO records SELECT max(offset) + 1, id, 1, 0, line FROM records", []).unwrap();
        false
    };
    source.connection.progress_handler(10, Some(write)).unwrap();
    let bytes = source.back_up(&mut backup, |done, all| last = (done, all)).unwrap();
    source.connection.progress_handler(10, None::<fn() -> bool>).unwrap();
    backup.finish().unwrap();
    assert!(last.0 == last.1 && bytes > 10 * 4096, "{last:?} {bytes}");
    let (copied, written) = (offsets(&copy_dir), offsets(running.directory.path()));
    assert!(copied.len() >= 100 && copied.len() < written.len(), "{} of {}", copied.len(), written.len());
    assert!(written.starts_with(&copied));

    let (reader, copy) = (running.reader(), Reader::open(&copy_dir).unwrap());
    assert_eq!(copy.journal_id().unwrap(), reader.journal_id().unwrap());
    assert_ne!(copy.generation().unwrap(), reader.generation().unwrap());
}

#[tokio::test]
async fn backup_opens_as_a_journal() {
    let running = Running::start(&["log"]);
    running.append(0..100).await;
    let target = tempfile::tempdir().unwrap();
    let mut backup = Backup::begin(running.directory.path(), target.path()).unwrap();
    running.reader().back_up(&mut backup, |_, _| {}).unwrap();
    backup.finish().unwrap();
    let copy = Running::open(target, &options(), &["log"]);
    assert_eq!(copy.journal.append(event(99)).await, Ok(Appended::Duplicate));
    assert_eq!(copy.journal.append(event(1000)).await, Ok(Appended::Stored));
    copy.stop().await;
}

/// The search looks at the records several times. Each round removes all of them after another number of steps.
#[tokio::test]
async fn search_by_time_ignores_pruning() {
    let running = Running::start(&[]);
    running.append(0..100).await;
    let directory = running.stop().await;
    let mut reader = Reader::open(directory.path()).unwrap();
    let other = Connection::open(schema::path(directory.path())).unwrap();
    other.execute_batch("CREATE TEMP TABLE kept AS SELECT * FROM records").unwrap();
    let other = Arc::new(Mutex::new(other));
    for steps in 1..150 {
        let (pruner, mut left) = (Arc::clone(&other), steps);
        let prune = move || {
            left -= 1;
            if left == 0 {
                pruner.lock().unwrap().execute_batch("DELETE FROM records").unwrap();
            }
            false
        };
        reader.connection.progress_handler(1, Some(prune)).unwrap();
        reader.offset_before(i64::MAX).unwrap_or_else(|error| panic!("after {steps} steps: {error}"));
        let restore = "INSERT OR IGNORE INTO records SELECT * FROM kept";
        other.lock().unwrap().execute_batch(restore).unwrap();
    }
}

/// The search may take some steps for each halving, but none for each record.
#[tokio::test]
async fn search_by_time_scans_no_table() {
    let running = Running::start(&[]);
    append(&running.journal, (0..2000u32).map(|number| event_at(number, FIRST_MS + i64::from(number) * MINUTE_MS)))
        .await;
    let mut reader = running.reader();
    // After 1000 steps of SQLite.
    reader.give_up_when(|| true).unwrap();
    assert!(reader.offset_before(FIRST_MS + 1000 * MINUTE_MS).is_ok_and(|offset| offset.0 > 900));
    running.stop().await;
}

/// The clock goes back by an hour after the first hundred records.
#[tokio::test]
async fn search_by_time_allows_for_clock_jump() {
    let minute_of = |number: i64| if number < 100 { number } else { number - 60 };
    let running = Running::start(&[]);
    for number in 0..200u32 {
        let received_ms = FIRST_MS + minute_of(i64::from(number)) * MINUTE_MS;
        append(&running.journal, [event_at(number, received_ms)].into_iter()).await;
    }
    let reader = running.reader();
    for minute in [-1, 0, 30, 45, 99, 120, 139, 140] {
        let from = reader.offset_before(FIRST_MS + minute * MINUTE_MS).unwrap();
        let wanted = (0..200i64).find(|number| minute_of(*number) >= minute);
        let earliest = wanted.map_or(i64::MAX, |number| number + 1);
        assert!(from.0 < earliest, "minute {minute}: {from} is after {earliest}");
        assert!(from.0 > minute - 130, "minute {minute}: {from} is needlessly early");
    }
    running.stop().await;
}
