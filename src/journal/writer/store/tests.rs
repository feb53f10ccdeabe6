//! The promises that a single step of the writer can show.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use super::super::super::testing::{event, large_event, offsets};
use super::super::super::{
    Ahead, Appended::Duplicate, Appended::Stored, DeadLetterAction, DeadLetterSelection, NewDeadLetter, Record,
};
use super::super::testing::{WALL_MS, advance, appends, at, give_up, hide_table, jumped, open, open_at, open_with};
use super::*;
use crate::callback::Event;

#[test]
fn duplicates_are_recognised() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    assert_eq!(store.append([1, 2, 1]), [Ok(Stored), Ok(Stored), Ok(Duplicate)], "in the same batch");
    assert_eq!(store.append([2, 3]), [Ok(Duplicate), Ok(Stored)], "in a later batch");
    drop(store);
    let mut store = open(directory.path());
    let results = store.append([1, 2, 3, 4]);
    assert_eq!(results, [Ok(Duplicate), Ok(Duplicate), Ok(Duplicate), Ok(Stored)], "after a restart");
    assert_eq!(offsets(directory.path()), [1, 2, 3, 4]);
}

/// Earlier versions wrote a row with each commit, and an upgrade can leave an empty one.
#[test]
fn rows_of_ids_have_any_size() {
    for (rows, unknown) in [(&[(1, 1), (4, 3), (6, 2)][..], 0), (&[(1, 1), (3, 2)], 0), (&[(2, 0)], 2), (&[(3, 1)], 2)]
    {
        let directory = tempfile::tempdir().unwrap();
        let mut store = open(directory.path());
        store.append(0..8);
        let ids: Vec<_> = (0..8).map(|number| event(number).id().to_bytes()).collect();
        for (last, count) in rows {
            let row = ids[last - count..*last].as_flattened();
            store.connection.execute("INSERT INTO batches VALUES (?1, ?2)", params![*last as i64, row]).unwrap();
        }
        drop(store);
        let mut store = open(directory.path());
        let known = store.append(unknown..8);
        assert_eq!(known, vec![Ok(Duplicate); 8 - unknown as usize], "{rows:?}");
        assert_eq!(store.append(0..unknown), vec![Ok(Stored); unknown as usize], "no row has their ids");
    }
}

#[test]
fn failed_commit_stores_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    store.append([1]);
    let records = hide_table(directory.path(), "records");
    let mut reopen = store.reopener();
    store.commit(&appends([event(2), event(3)]), &[], at(0)).unwrap_err();
    drop(store);
    records.show();
    let mut store = reopen(at(0)).unwrap();
    assert_eq!(store.append([1, 2, 3]), [Ok(Duplicate), Ok(Stored), Ok(Stored)], "its ids are forgotten");
    assert_eq!(offsets(directory.path()), [1, 2, 3]);
}

#[test]
fn window_ignores_system_clock() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { dedupe_window_secs: 1000, ..Options::default() };
    let mut store = open_with(directory.path(), &options, &["log"]);
    store.append_at([1], jumped(0, 0));
    assert_eq!(store.append_at([1], jumped(10, 1)), [Ok(Duplicate)], "an hour forward");
    assert_eq!(store.append_at([1], jumped(20, -1)), [Ok(Duplicate)], "an hour back");
    store.prune(jumped(30, 5), || false).unwrap();
    assert_eq!(store.append_at([1, 2], jumped(1000, 0)), [Ok(Duplicate), Ok(Stored)]);
    assert_eq!(store.append_at([1], jumped(1001, -1)), [Ok(Stored)], "the span has passed");
}

#[test]
fn clock_jump_over_restart_forgets_no_id() {
    for hours in [-1, 1, 24] {
        let directory = tempfile::tempdir().unwrap();
        open(directory.path()).append(0..10);
        let now = jumped(0, hours);
        let mut store = open_at(directory.path(), now).unwrap();
        store.prune(now, || false).unwrap();
        assert_eq!(store.append_at(0..10, now), vec![Ok(Duplicate); 10], "{hours} h");
    }
}

#[test]
fn clock_jump_between_events_forgets_no_id() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    store.append([1]);
    store.append_at([2], jumped(60, 1));
    drop(store);
    let mut store = open_at(directory.path(), jumped(60, 1)).unwrap();
    store.prune(jumped(900, 1), || false).unwrap();
    assert_eq!(store.append_at([1, 2], jumped(900, 1)), [Ok(Duplicate), Ok(Duplicate)]);
}

/// A store with three events, and the function that opens it again.
fn with_three_events() -> (tempfile::TempDir, Store, impl FnMut(Now) -> Result<Store, JournalError>) {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    store.append(0..3);
    let reopen = store.reopener();
    (directory, store, reopen)
}

#[test]
fn replaced_journal_is_not_reopened() {
    let (directory, store, mut reopen) = with_three_events();
    drop(store);
    let other = tempfile::tempdir().unwrap();
    drop(open(other.path()));
    // The file stays the same, with other content.
    std::fs::copy(schema::path(other.path()), schema::path(directory.path())).unwrap();
    assert!(matches!(reopen(at(0)), Err(JournalError::Replaced(_))));
}

#[test]
fn moved_journal_is_not_created_again() {
    let (directory, mut store, mut reopen) = with_three_events();
    let (path, away) = (directory.path().join("journal.db"), directory.path().join("away"));
    std::fs::rename(&path, &away).unwrap();
    let is_gone = |error: JournalError| assert!(matches!(&error, JournalError::Gone(at) if *at == path), "{error}");
    is_gone(store.prune(at(1), || false).unwrap_err());
    is_gone(store.commit(&appends([event(4)]), &[], at(1)).map(drop).unwrap_err());
    is_gone(reopen(at(1)).err().unwrap());
    assert!(!path.exists());
    std::fs::write(&path, "another").unwrap();
    is_gone(store.prune(at(1), || false).unwrap_err());
    std::fs::rename(&away, &path).unwrap();
    store.prune(at(1), || false).unwrap();
    drop(store);
    assert_eq!(reopen(at(2)).unwrap().head(), Offset(3));
}

#[test]
fn consumers_are_retired_and_return() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { retention_days: 1, ..Options::default() };
    let mut store = open_with(directory.path(), &options, &["old"]);
    store.append(0..10);
    store.pass(0, 3);
    drop(store);

    let mut store = open_with(directory.path(), &options, &["new"]);
    assert_eq!(store.consumers()[0].cursor, Offset(10), "a renamed sink is a new one and starts now");
    store.append([10]);
    store.pass(0, 11);
    drop(store);

    let mut store = open_with(directory.path(), &options, &["old", "new"]);
    let cursors: Vec<_> = store.consumers().iter().map(|consumer| consumer.cursor.0).collect();
    assert_eq!(cursors, [3, 11], "a sink that returns goes on at its cursor");
    store.pass(0, 4);
    drop(store);

    let mut store = open_with(directory.path(), &options, &["new"]);
    store.prune(at(9 * 86_400), || false).unwrap();
    assert_eq!(offsets(directory.path()), [0; 0], "a retired cursor keeps no record");
}

#[test]
fn consumers_come_and_go_while_open() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { retention_days: 1, ..Options::default() };
    let mut store = open_with(directory.path(), &options, &["old", "log"]);
    store.append(0..10);
    store.pass(0, 3);
    store.pass(1, 10);
    store.retire_consumer("old").unwrap();
    store.retire_consumer("unknown").unwrap();
    let (index, added) = store.add_consumer("new", Start::Now).unwrap();
    assert_eq!((index, added.cursor), (2, Offset(10)), "it begins after the newest record");
    assert_eq!(store.add_consumer("all", Start::Earliest).unwrap().1.cursor, Offset(0));
    store.retire_consumer("all").unwrap();
    // After a failure, the consumers go on with the same indexes.
    let mut store = store.reopener()(at(1)).unwrap();
    store.append([10]);
    store.pass(2, 11);
    store.prune(at(9 * 86_400), || false).unwrap();
    assert_eq!(offsets(directory.path()), [11], "a retired cursor keeps no record, but `log` does");
    let (index, added) = store.add_consumer("old", Start::Now).unwrap();
    assert_eq!((index, added.cursor), (0, Offset(3)), "a sink that returns goes on at its cursor");
    drop(store);
    let store = open_with(directory.path(), &options, &["new", "old"]);
    let cursors: Vec<_> = store.consumers().iter().map(|consumer| consumer.cursor.0).collect();
    assert_eq!(cursors, [11, 3], "everything was durable");
}

#[test]
fn limits_change_while_open() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    store.append(0..10);
    store.set_options(Options { dedupe_ids_max: 3, ..Options::default() });
    store.append([10]);
    assert_eq!(store.remembered_ids(), 3);
    assert_eq!(store.append([9, 10, 1]), [Ok(Duplicate), Ok(Duplicate), Ok(Stored)], "1 is forgotten");
}

#[test]
fn new_consumer_may_start_at_earliest() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path()).append(0..10);
    let consumers = [("log".to_owned(), Start::Now), ("all".to_owned(), Start::Earliest)];
    let store = Store::open(directory.path(), &Options::default(), &consumers, at(0)).unwrap();
    assert_eq!(store.consumers()[1].cursor, Offset(0));
}

#[test]
fn cursor_after_the_end_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path()).append(0..3);
    let other = Connection::open(schema::path(directory.path())).unwrap();
    for change in ["UPDATE consumers SET cursor = 4", "UPDATE consumers SET cursor = 1, position = 4"] {
        other.execute(change, []).unwrap();
        let error = open_at(directory.path(), at(0)).err().unwrap();
        assert!(error.to_string().contains("the cursor of the sink `log` is 4, but the journal ends at 3"), "{error}");
    }
}

#[test]
fn progress_is_stored_with_dead_letters() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    store.append(0..3);
    let held = vec![("d.com/live/a%2Fb".to_owned(), Offset(3))];
    let ahead = Ahead { position: Offset(3), pending: vec![(Offset(3), 7)], held };
    let progress = Progress {
        cursor: Offset(2),
        ahead: ahead.clone(),
        state: Some(b"at 2".to_vec()),
        dead_letters: give_up(directory.path(), 1, 1),
        ..Progress::default()
    };
    store.advance(0, progress);
    drop(store);
    let mut store = open(directory.path());
    assert_eq!(store.consumers()[0].ahead, ahead);
    store.pass(0, 1);
    drop(store);
    let stored = open(directory.path()).consumers()[0].clone();
    assert_eq!(stored.ahead, Ahead::default());
    let expected = (Offset(2), Some(&b"at 2"[..]), 1);
    assert_eq!((stored.cursor, stored.state.as_deref(), stored.dead_letters), expected, "a cursor never goes back");
}

#[test]
fn progress_is_stored_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    store.append(0..3);
    let progress = Progress {
        cursor: Offset(2),
        ahead: Ahead { position: Offset(3), pending: vec![(Offset(3), 1)], held: Vec::new() },
        state: Some(b"2".to_vec()),
        dead_letters: give_up(directory.path(), 1, 1),
        ..Progress::default()
    };
    let dead_letters = hide_table(directory.path(), "dead_letters");
    store.commit(&appends([event(9)]), &[advance(0, progress)], at(0)).unwrap_err();
    drop(store);
    dead_letters.show();
    let stored = open(directory.path()).consumers()[0].clone();
    assert_eq!((stored.cursor, stored.state, stored.dead_letters), (Offset(0), None, 0));
    assert_eq!(stored.ahead, Ahead::default());
    assert_eq!(offsets(directory.path()), [1, 2, 3]);
}

#[test]
fn dead_letters_count_in_bytes_over_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let known = event(0);
    let line = known.line().replace("s0", &"流".repeat(1000));
    let wide = Event::restore(known.id(), known.event_type(), known.received_ms(), &line).unwrap();
    store.commit(&appends([wide.clone()]), &[], at(0)).unwrap();
    let record = Record { offset: Offset(1), event: wide };
    let new = NewDeadLetter { record, attempts: 1, failure: "poison".to_owned(), failed_at_ms: WALL_MS };
    store.advance(0, Progress { cursor: Offset(1), dead_letters: vec![new], ..Progress::default() });
    let bytes = store.dead_letters_bytes;
    assert!(bytes > 3000);
    drop(store);
    assert_eq!(open(directory.path()).dead_letters_bytes, bytes);
}

/// A kill leaves commits in the WAL. They are in the database before anything reads them.
#[test]
fn recovered_commits_are_synced_before_reads() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    store.append(0..3);
    let copy = tempfile::tempdir().unwrap();
    for name in ["journal.db", "journal.db-wal"] {
        std::fs::copy(directory.path().join(name), copy.path().join(name)).unwrap();
    }
    let wal = copy.path().join("journal.db-wal");
    assert!(wal.metadata().unwrap().len() > 0, "otherwise the rest proves nothing");
    let connection = schema::open(copy.path()).unwrap();
    assert_eq!(wal.metadata().unwrap().len(), 0);
    let alone = tempfile::tempdir().unwrap();
    std::fs::copy(schema::path(copy.path()), schema::path(alone.path())).unwrap();
    drop(connection);
    assert_eq!(offsets(alone.path()), [1, 2, 3]);
}

#[test]
fn reader_of_the_wal_delays_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    store.append(0..3);
    let reader = Connection::open(schema::path(directory.path())).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM records").unwrap();
    store.append(3..6);
    let mut reopen = store.reopener();
    drop(store);
    let began = Instant::now();
    let mut store = reopen(at(0)).unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "the journal does not wait for the reader");
    assert_eq!(store.append([5, 6]), [Ok(Duplicate), Ok(Stored)]);
    drop(store);
    let wal = directory.path().join("journal.db-wal");
    assert!(wal.metadata().unwrap().len() > 0, "otherwise the rest proves nothing");
    reader.execute_batch("COMMIT").unwrap();
    drop(open(directory.path()));
    assert_eq!(offsets(directory.path()), (1..=7).collect::<Vec<_>>());
    assert_eq!(wal.metadata().map_or(0, |metadata| metadata.len()), 0, "the next start empties the WAL");
}

#[test]
fn writer_waits_for_a_short_lock() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    store.append(0..3);
    thread_local! {
        static OTHER: RefCell<Option<Connection>> = const { RefCell::new(None) };
    }
    // SQLite calls this while it waits for the lock, which ends then.
    let unlock = |_| OTHER.take().is_some_and(|other| other.execute_batch("COMMIT").is_ok());
    store.connection.busy_handler(Some(unlock)).unwrap();
    let mut while_locked = |change: &mut dyn FnMut(&mut Store)| {
        let other = Connection::open(schema::path(directory.path())).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        OTHER.set(Some(other));
        change(&mut store);
        assert!(OTHER.take().is_none(), "it did not wait");
    };
    while_locked(&mut |store| assert_eq!(store.append(3..4), [Ok(Stored)]));
    while_locked(&mut |store| store.pass(0, 2));
    let dead_letters = give_up(directory.path(), 0, 1);
    let progress = Progress { cursor: Offset(3), dead_letters, ..Progress::default() };
    while_locked(&mut |store| store.advance(0, progress.clone()));
    // This one reads before it writes.
    while_locked(&mut |store| {
        let drop_all = ChangeStep::first(DeadLetterAction::Drop, DeadLetterSelection::default());
        assert_eq!(store.change_dead_letters(drop_all, at(0)).unwrap().changed.count, 1);
    });
    assert_eq!(offsets(directory.path()), [1, 2, 3, 4]);
}

/// A power failure keeps everything that was synced, and any part of the rest. This cuts the WAL of the last commit at every
/// page: the journal opens with all that was synced before, and with no half of a commit.
#[test]
fn cut_wal_keeps_every_synced_commit() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let wal = directory.path().join("journal.db-wal");
    store.append(0..50);
    let synced = wal.metadata().unwrap().len();
    store.append(50..100);
    let full = wal.metadata().unwrap().len();
    assert!(full > synced);
    let (database, bytes) = (std::fs::read(schema::path(directory.path())).unwrap(), std::fs::read(&wal).unwrap());
    let cuts = (synced..full).step_by(1031).chain([full]);
    for (cut, is_torn) in cuts.flat_map(|cut| [(cut, false), (cut, true)]) {
        let copy = tempfile::tempdir().unwrap();
        std::fs::write(schema::path(copy.path()), &database).unwrap();
        let mut kept = bytes[..cut as usize].to_vec();
        if is_torn {
            kept.resize(full as usize, 0);
        }
        std::fs::write(copy.path().join("journal.db-wal"), kept).unwrap();
        let mut store = open(copy.path());
        let head = store.head().0;
        assert!(head == 50 || (head == 100 && cut == full), "{head} at {cut} of {full}");
        assert_eq!(offsets(copy.path()), (1..=head).collect::<Vec<_>>());
        assert_eq!(store.append([49, 200]), [Ok(Duplicate), Ok(Stored)]);
    }
}

/// The WAL gets each changed page as a whole: the end of the records, sometimes a new page of them, and the cursor of a sink.
#[test]
fn lone_event_writes_little() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let wal_bytes = || directory.path().join("journal.db-wal").metadata().unwrap().len();
    let before = wal_bytes();
    for number in 0..100 {
        // A push of CSS with all its members has some 1,100 bytes.
        store.commit(&appends([large_event(number, 600)]), &[], at(0)).unwrap();
        store.pass(0, store.head().0);
    }
    let bytes = (wal_bytes() - before) / 100;
    assert!(bytes <= 14 * 1024, "{bytes} bytes an event");
}
