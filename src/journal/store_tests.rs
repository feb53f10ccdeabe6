//! The promises of the journal that a single step can show. Time is an argument, so nothing here sleeps.

use std::cell::RefCell;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::change::Slice;
use super::queue::{Advance, Append};
use super::store::{Now, Store};
use super::test_events::{event, event_at, large_event};
use super::*;

const WALL_MS: i64 = 1_700_000_000_000;

fn at(secs: u64) -> Now {
    Now { wall_ms: WALL_MS + secs as i64 * 1000, monotonic: Duration::from_secs(secs) }
}

fn sinks(names: &[&str]) -> Vec<(String, Start)> {
    names.iter().map(|name| ((*name).to_owned(), Start::Now)).collect()
}

fn open_with(directory: &Path, options: &Options, names: &[&str]) -> Store {
    Store::open(directory, options, &sinks(names), at(0)).unwrap()
}

fn open(directory: &Path) -> Store {
    open_with(directory, &Options::default(), &["log"])
}

fn append(events: impl IntoIterator<Item = Event>) -> Vec<Append> {
    events.into_iter().map(|event| Append { event, reply: oneshot::channel().0 }).collect()
}

fn store_at(store: &mut Store, numbers: impl IntoIterator<Item = u32>, now: Now) -> Vec<Result<Appended, AppendError>> {
    let events = numbers.into_iter().map(|number| event_at(number, now.wall_ms));
    store.commit(&append(events), &[], now).unwrap()
}

fn store(store: &mut Store, numbers: impl IntoIterator<Item = u32>) -> Vec<Result<Appended, AppendError>> {
    store_at(store, numbers, at(0))
}

fn advance(store: &mut Store, consumer: usize, progress: Progress) {
    store.commit(&[], &[Advance { consumer, progress, reply: oneshot::channel().0 }], at(0)).unwrap();
}

fn pass(store: &mut Store, consumer: usize, cursor: Offset) {
    advance(store, consumer, Progress { cursor, ..Progress::default() });
}

fn offsets(directory: &Path) -> Vec<i64> {
    let reader = Reader::open(directory).unwrap();
    let mut offsets = Vec::new();
    loop {
        let records = reader.read(Offset(offsets.last().copied().unwrap_or(0)), 1000).unwrap();
        if records.is_empty() {
            return offsets;
        }
        offsets.extend(records.iter().map(|record| record.offset.0));
    }
}

use Appended::{Duplicate, Stored};

#[test]
fn records_read_back_as_they_were_stored() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = open(directory.path());
    assert_eq!(store(&mut journal, 0..3), [Ok(Stored), Ok(Stored), Ok(Stored)]);
    let records = Reader::open(directory.path()).unwrap().read(Offset(1), 10).unwrap();
    assert_eq!(records, [Record { offset: Offset(2), event: event(1) }, Record { offset: Offset(3), event: event(2) }]);
    let back = Reader::open(directory.path()).unwrap().read_back(Offset(i64::MAX), 2).unwrap();
    assert_eq!(back.iter().map(|record| record.offset.0).collect::<Vec<_>>(), [3, 2]);
}

#[test]
fn a_duplicate_is_told_in_the_same_batch_in_a_later_one_and_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = open(directory.path());
    assert_eq!(store(&mut journal, [1, 2, 1]), [Ok(Stored), Ok(Stored), Ok(Duplicate)]);
    assert_eq!(store(&mut journal, [2, 3]), [Ok(Duplicate), Ok(Stored)]);
    drop(journal);
    let mut journal = open(directory.path());
    assert_eq!(store(&mut journal, [1, 2, 3, 4]), [Ok(Duplicate), Ok(Duplicate), Ok(Duplicate), Ok(Stored)]);
    assert_eq!(offsets(directory.path()), [1, 2, 3, 4]);
}

#[test]
fn a_failed_commit_stores_nothing_and_forgets_its_ids() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = open(directory.path());
    store(&mut journal, [1]);
    // A second writer that holds the database makes the commit fail as a bad disk would, before anything is written.
    let other = Connection::open(database::path(directory.path())).unwrap();
    other.execute_batch("ALTER TABLE batches RENAME TO hidden").unwrap();
    let mut reopen = journal.reopener();
    journal.commit(&append([event(2), event(3)]), &[], at(0)).unwrap_err();
    drop(journal);
    other.execute_batch("ALTER TABLE hidden RENAME TO batches").unwrap();
    drop(other);
    let mut journal = reopen(at(0)).unwrap();
    assert_eq!(store(&mut journal, [1, 2, 3]), [Ok(Duplicate), Ok(Stored), Ok(Stored)]);
    assert_eq!(offsets(directory.path()), [1, 2, 3]);
}

#[test]
fn the_window_ends_and_a_jump_of_the_wall_clock_does_not_move_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { dedupe_window_secs: 1000, ..Options::default() };
    let mut journal = open_with(directory.path(), &options, &["log"]);
    let jumped = |monotonic_secs: u64, hours: i64| Now {
        wall_ms: WALL_MS + hours * 3_600_000,
        monotonic: Duration::from_secs(monotonic_secs),
    };
    store_at(&mut journal, [1], jumped(0, 0));
    assert_eq!(store_at(&mut journal, [1], jumped(10, 1)), [Ok(Duplicate)], "an hour forward");
    assert_eq!(store_at(&mut journal, [1], jumped(20, -1)), [Ok(Duplicate)], "an hour back");
    journal.keep_house(jumped(30, 5), || false).unwrap();
    assert_eq!(store_at(&mut journal, [1, 2], jumped(1000, 0)), [Ok(Duplicate), Ok(Stored)]);
    assert_eq!(store_at(&mut journal, [1], jumped(1001, -1)), [Ok(Stored)], "the span has passed");
}

#[test]
fn a_clock_set_forward_or_back_during_a_restart_forgets_no_id() {
    for hours in [-1, 1, 24] {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = open(directory.path());
        store(&mut journal, 0..10);
        drop(journal);
        let now = Now { wall_ms: WALL_MS + hours * 3_600_000, monotonic: Duration::ZERO };
        let mut journal = Store::open(directory.path(), &Options::default(), &sinks(&["log"]), now).unwrap();
        journal.keep_house(now, || false).unwrap();
        assert_eq!(store_at(&mut journal, 0..10, now), vec![Ok(Duplicate); 10], "{hours} h");
    }
}

#[test]
fn a_clock_that_jumped_between_two_events_forgets_neither_over_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let jumped = Now { wall_ms: WALL_MS + 3_600_000, monotonic: Duration::from_secs(60) };
    let mut journal = open(directory.path());
    store(&mut journal, [1]);
    store_at(&mut journal, [2], jumped);
    drop(journal);
    let later = Now { monotonic: Duration::from_secs(900), ..jumped };
    let mut journal = Store::open(directory.path(), &Options::default(), &sinks(&["log"]), jumped).unwrap();
    journal.keep_house(later, || false).unwrap();
    assert_eq!(store_at(&mut journal, [1, 2], later), [Ok(Duplicate), Ok(Duplicate)]);
}

#[test]
fn another_journal_in_its_place_is_not_taken_for_the_one_that_was_open() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = open(directory.path());
    store(&mut journal, 0..3);
    let mut reopen = journal.reopener();
    drop(journal);
    let other = tempfile::tempdir().unwrap();
    drop(open(other.path()));
    std::fs::copy(database::path(other.path()), database::path(directory.path())).unwrap();
    assert!(matches!(reopen(at(0)), Err(JournalError::Replaced(_))), "it is the same file with another content");
}

#[test]
fn what_may_not_go_is_measured_before_the_limit_is_reached() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = open_with(directory.path(), &small(), &["fast", "slow"]);
    for batch in 0..10 {
        store(&mut journal, batch * 100..(batch + 1) * 100);
    }
    pass(&mut journal, 0, Offset(1000));
    pass(&mut journal, 1, Offset(250));
    let found = journal.keep_house(at(0), || false).unwrap();
    let share = found.held_bytes as f64 / found.used_bytes as f64;
    assert!((0.7..0.8).contains(&share), "{found:?}");
    assert_eq!((found.slowest.as_deref(), found.has_room), (Some("slow"), true));
    pass(&mut journal, 1, Offset(1000));
    let found = journal.keep_house(at(0), || false).unwrap();
    assert_eq!((found.held_bytes, found.slowest), (0, None));
}

#[test]
fn dead_letters_count_as_size_and_are_never_pruned() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = open_with(directory.path(), &small(), &["log"]);
    let mut number = 0;
    let refused = loop {
        let outcomes = store(&mut journal, number..number + 100);
        if outcomes.contains(&Err(AppendError::Full)) {
            break number;
        }
        number += 100;
        let head = journal.head();
        let records = Reader::open(directory.path()).unwrap().read(Offset(head.0 - 100), 100).unwrap();
        let letter = |record| DeadLetter { record, attempts: 1, reason: "poison".to_owned(), failed_ms: WALL_MS };
        let dead_letters = records.into_iter().map(letter).collect();
        advance(&mut journal, 0, Progress { cursor: head, dead_letters, ..Progress::default() });
        assert!(number < 100_000, "the limit must be reached");
    };
    let found = journal.keep_house(at(0), || false).unwrap();
    assert!(found.held_bytes * 2 > found.used_bytes && found.slowest.is_none(), "{found:?}");
    assert_eq!(journal.consumers()[0].dead_letters, i64::from(refused));
    drop(journal);
    let reopened = open_with(directory.path(), &small(), &["log"]);
    assert_eq!(reopened.consumers()[0].dead_letters, i64::from(refused));
}

#[test]
fn the_size_of_dead_letters_is_in_bytes_also_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = open(directory.path());
    let known = event(0);
    let line = known.line().replace("s0", &"流".repeat(1000));
    let wide = Event::restore(known.id(), known.event_type(), known.received_ms(), &line).unwrap();
    journal.commit(&append([wide.clone()]), &[], at(0)).unwrap();
    let record = Record { offset: Offset(1), event: wide };
    let letter = DeadLetter { record, attempts: 1, reason: "poison".to_owned(), failed_ms: WALL_MS };
    advance(&mut journal, 0, Progress { cursor: Offset(1), dead_letters: vec![letter], ..Progress::default() });
    let bytes = journal.dead_letters_bytes;
    assert!(bytes > 3000);
    drop(journal);
    assert_eq!(open(directory.path()).dead_letters_bytes, bytes);
}

#[test]
fn more_ids_than_one_sweep_takes_are_swept_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { dedupe_ids_max: 1000, ..Options::default() };
    let mut journal = open_with(directory.path(), &options, &["log"]);
    for number in 0..4000 {
        store(&mut journal, [number]);
    }
    journal.keep_house(at(0), || false).unwrap();
    drop(journal);
    let count = |table: &str| -> i64 {
        let database = Connection::open(database::path(directory.path())).unwrap();
        database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!((count("batches"), count("records")), (1000, 4000));
}

#[test]
fn ids_beyond_the_window_are_swept_from_disk() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { dedupe_ids_max: 1000, ..Options::default() };
    let mut journal = open_with(directory.path(), &options, &["log"]);
    for batch in 0..30 {
        store(&mut journal, batch * 100..(batch + 1) * 100);
    }
    journal.keep_house(at(0), || false).unwrap();
    drop(journal);
    let rows: i64 = Connection::open(database::path(directory.path()))
        .unwrap()
        .query_row("SELECT count(*) FROM batches", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 10);
}

#[test]
fn a_journal_pruned_to_nothing_never_uses_an_offset_again() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { retention_days: 1, ..Options::default() };
    let mut journal = open_with(directory.path(), &options, &["log"]);
    store(&mut journal, 0..5);
    pass(&mut journal, 0, Offset(5));
    journal.keep_house(at(2 * 86_400), || false).unwrap();
    assert_eq!(offsets(directory.path()), [0; 0]);
    assert_eq!(store(&mut journal, [10]), [Ok(Stored)]);
    pass(&mut journal, 0, Offset(6));
    journal.keep_house(at(2 * 86_400), || false).unwrap();
    drop(journal);
    let mut journal = open_with(directory.path(), &options, &["log"]);
    assert_eq!(journal.head(), Offset(6));
    assert_eq!(journal.consumers()[0].cursor, Offset(6), "and the consumer waits for what comes");
    store(&mut journal, [11]);
    assert_eq!(offsets(directory.path()), [7]);
}

#[test]
fn what_a_consumer_has_not_passed_is_never_pruned() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { retention_days: 1, ..Options::default() };
    let mut journal = open_with(directory.path(), &options, &["fast", "slow"]);
    store(&mut journal, 0..10);
    pass(&mut journal, 0, Offset(10));
    pass(&mut journal, 1, Offset(4));
    let found = journal.keep_house(at(30 * 86_400), || false).unwrap();
    assert_eq!(offsets(directory.path()), (5..=10).collect::<Vec<_>>());
    assert_eq!(found.slowest.as_deref(), Some("slow"));
}

#[test]
fn pruning_stops_when_told_and_says_that_there_is_more() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = open(directory.path());
    for batch in 0..5 {
        store(&mut journal, batch * 500..(batch + 1) * 500);
    }
    pass(&mut journal, 0, Offset(2500));
    assert!(journal.keep_house(at(31 * 86_400), || true).unwrap().has_more);
    assert_eq!(offsets(directory.path()).len(), 1500);
    assert!(!journal.keep_house(at(31 * 86_400), || false).unwrap().has_more);
    assert_eq!(offsets(directory.path()).len(), 0);
}

fn small() -> Options {
    Options { size_bytes_max: 2 * 1024 * 1024, ..Options::default() }
}

#[test]
fn at_the_size_limit_passed_records_make_room_oldest_first() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = open_with(directory.path(), &small(), &["log"]);
    for batch in 0..100 {
        assert_eq!(store(&mut journal, batch * 100..(batch + 1) * 100), vec![Ok(Stored); 100], "batch {batch}");
        let head = journal.head();
        pass(&mut journal, 0, head);
    }
    let found = journal.keep_house(at(0), || false).unwrap();
    assert!(found.used_bytes <= small().size_bytes_max);
    let kept = offsets(directory.path());
    assert_eq!(kept.last(), Some(&10_000));
    assert!(kept[0] > 1 && kept.len() as i64 == 10_001 - kept[0], "the oldest went, and nothing between");
}

#[test]
fn at_the_size_limit_no_more_goes_than_there_is_need_of() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { size_bytes_max: 16 * 1024 * 1024, ..Options::default() };
    let mut journal = open_with(directory.path(), &options, &["log"]);
    let mut kept = 0;
    for number in 0..100 {
        let large = append([large_event(number, 200_000)]);
        assert_eq!(journal.commit(&large, &[], at(0)).unwrap(), [Ok(Stored)]);
        let head = journal.head();
        pass(&mut journal, 0, head);
        let now = offsets(directory.path()).len();
        assert!(now + 3 > kept, "{kept} events became {now} to make room for one");
        kept = now;
    }
    assert!(kept > 50 && kept < 100, "{kept}");
}

#[test]
fn a_journal_that_is_gone_or_replaced_is_refused_and_not_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = open(directory.path());
    store(&mut journal, 0..3);
    let mut reopen = journal.reopener();
    let (path, away) = (directory.path().join("journal.db"), directory.path().join("away"));
    std::fs::rename(&path, &away).unwrap();
    let gone = |error: JournalError| assert!(matches!(&error, JournalError::Gone(at) if *at == path), "{error}");
    gone(journal.keep_house(at(1), || false).unwrap_err());
    gone(reopen(at(1)).err().unwrap());
    assert!(!path.exists());
    std::fs::write(&path, "another").unwrap();
    gone(journal.keep_house(at(1), || false).unwrap_err());
    std::fs::rename(&away, &path).unwrap();
    journal.keep_house(at(1), || false).unwrap();
    drop(journal);
    assert_eq!(reopen(at(2)).unwrap().head(), Offset(3));
}

#[test]
fn at_the_size_limit_a_stuck_consumer_makes_new_events_refused_until_it_moves() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = open_with(directory.path(), &small(), &["fast", "stuck"]);
    let mut number = 0;
    let refused = loop {
        let outcomes = store(&mut journal, number..number + 100);
        number += 100;
        let head = journal.head();
        pass(&mut journal, 0, head);
        if outcomes.contains(&Err(AppendError::Full)) {
            break number - 100;
        }
        assert!(number < 100_000, "the limit must be reached");
    };
    let found = journal.keep_house(at(0), || false).unwrap();
    assert!(!found.has_room, "{found:?}");
    assert!(found.used_bytes <= small().size_bytes_max, "{found:?}");
    assert_eq!(offsets(directory.path()).len() as u32, refused, "what was answered for is all there");
    assert_eq!(store(&mut journal, [0]), [Ok(Duplicate)], "a duplicate of what is durable is still one");
    assert_eq!(store(&mut journal, refused..refused + 100), vec![Err(AppendError::Full); 100]);
    let head = journal.head();
    pass(&mut journal, 1, head);
    assert_eq!(
        store(&mut journal, refused..refused + 100),
        vec![Ok(Stored); 100],
        "it was not remembered as a duplicate"
    );
}

#[test]
fn a_sink_renamed_removed_and_added_again() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { retention_days: 1, ..Options::default() };
    let mut journal = open_with(directory.path(), &options, &["old"]);
    store(&mut journal, 0..10);
    pass(&mut journal, 0, Offset(3));
    drop(journal);

    let mut journal = open_with(directory.path(), &options, &["new"]);
    assert_eq!(journal.consumers()[0].cursor, Offset(10), "a renamed sink is a new one and starts now");
    store(&mut journal, [10]);
    pass(&mut journal, 0, Offset(11));
    drop(journal);

    let mut journal = open_with(directory.path(), &options, &["old", "new"]);
    let cursors: Vec<_> = journal.consumers().iter().map(|consumer| consumer.cursor.0).collect();
    assert_eq!(cursors, [3, 11], "one that was removed goes on where it was");
    pass(&mut journal, 0, Offset(4));
    drop(journal);

    let mut journal = open_with(directory.path(), &options, &["new"]);
    journal.keep_house(at(9 * 86_400), || false).unwrap();
    assert_eq!(offsets(directory.path()), [0; 0], "a retired cursor holds nothing back");
}

#[test]
fn a_new_sink_may_start_at_the_earliest_record() {
    let directory = tempfile::tempdir().unwrap();
    store(&mut open(directory.path()), 0..10);
    let consumers = [("log".to_owned(), Start::Now), ("all".to_owned(), Start::Earliest)];
    let journal = Store::open(directory.path(), &Options::default(), &consumers, at(0)).unwrap();
    assert_eq!(journal.consumers()[1].cursor, Offset(0));
}

#[test]
fn a_cursor_beyond_the_end_is_a_loud_error() {
    let directory = tempfile::tempdir().unwrap();
    store(&mut open(directory.path()), 0..3);
    let other = Connection::open(database::path(directory.path())).unwrap();
    other.execute("UPDATE consumers SET cursor = 4", []).unwrap();
    let refused = || {
        let error = Store::open(directory.path(), &Options::default(), &sinks(&["log"]), at(0)).err().unwrap();
        assert!(error.to_string().contains("the cursor of the sink `log` is 4, but the journal ends at 3"), "{error}");
    };
    refused();
    other.execute("UPDATE consumers SET cursor = 1, position = 4", []).unwrap();
    refused();
}

#[test]
fn progress_and_dead_letters_are_stored_together_and_a_cursor_never_goes_back() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = open(directory.path());
    store(&mut journal, 0..3);
    let record = Reader::open(directory.path()).unwrap().read(Offset(1), 1).unwrap().remove(0);
    let letter = DeadLetter { record, attempts: 7, reason: "poison".to_owned(), failed_ms: WALL_MS };
    let ahead = Ahead { position: Offset(3), pending: vec![(Offset(3), 7)] };
    let progress = Progress {
        cursor: Offset(2),
        ahead: ahead.clone(),
        state: Some(b"at 2".to_vec()),
        dead_letters: vec![letter],
        urgent: true,
        ..Progress::default()
    };
    advance(&mut journal, 0, progress);
    drop(journal);
    let mut journal = open(directory.path());
    assert_eq!(journal.consumers()[0].ahead, ahead);
    pass(&mut journal, 0, Offset(1));
    drop(journal);
    let stored = open(directory.path()).consumers()[0].clone();
    assert_eq!(stored.ahead, Ahead::default());
    assert_eq!((stored.cursor, stored.state.as_deref(), stored.dead_letters), (Offset(2), Some(&b"at 2"[..]), 1));
}

#[test]
fn what_was_recovered_after_a_kill_is_in_the_database_before_it_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = open(directory.path());
    store(&mut journal, 0..3);
    let copy = tempfile::tempdir().unwrap();
    for name in ["journal.db", "journal.db-wal"] {
        // As a kill leaves them, without the checkpoint of an orderly end.
        std::fs::copy(directory.path().join(name), copy.path().join(name)).unwrap();
    }
    let log = copy.path().join("journal.db-wal");
    assert!(log.metadata().unwrap().len() > 0, "what follows would prove nothing");
    let connection = database::open(copy.path()).unwrap();
    assert_eq!(log.metadata().unwrap().len(), 0, "the log is empty before anything is read");
    let alone = tempfile::tempdir().unwrap();
    std::fs::copy(database::path(copy.path()), database::path(alone.path())).unwrap();
    drop(connection);
    assert_eq!(offsets(alone.path()), [1, 2, 3]);
}

#[test]
fn a_log_that_another_program_still_reads_keeps_the_journal_from_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = open(directory.path());
    store(&mut journal, 0..3);
    let reader = Connection::open(database::path(directory.path())).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM records").unwrap();
    store(&mut journal, 3..6);
    let mut reopen = journal.reopener();
    drop(journal);
    let began = Instant::now();
    let mut journal = reopen(at(0)).unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "nobody is waited for");
    assert_eq!(store(&mut journal, [5, 6]), [Ok(Duplicate), Ok(Stored)]);
    drop(journal);
    let log = directory.path().join("journal.db-wal");
    assert!(log.metadata().unwrap().len() > 0, "what is there proves nothing otherwise");
    reader.execute_batch("COMMIT").unwrap();
    drop(open(directory.path()));
    assert_eq!(offsets(directory.path()), (1..=7).collect::<Vec<_>>());
    assert_eq!(log.metadata().map_or(0, |metadata| metadata.len()), 0, "what was left is emptied the next time");
}

#[test]
fn a_lock_that_another_connection_has_for_a_moment_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = open(directory.path());
    store(&mut journal, 0..3);
    thread_local! {
        static OTHER: RefCell<Option<Connection>> = const { RefCell::new(None) };
    }
    // Called where SQLite waits for a lock, so it is let go of in the middle of a change.
    let let_go = |_| OTHER.take().is_some_and(|other| other.execute_batch("COMMIT").is_ok());
    journal.connection.busy_handler(Some(let_go)).unwrap();
    let mut beside = |change: &mut dyn FnMut(&mut Store)| {
        let other = Connection::open(database::path(directory.path())).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        OTHER.set(Some(other));
        change(&mut journal);
        assert!(OTHER.take().is_none(), "it was not waited for");
    };
    beside(&mut |journal| assert_eq!(store(journal, 3..4), [Ok(Stored)]));
    beside(&mut |journal| pass(journal, 0, Offset(2)));
    // What people change looks before it writes.
    let record = Reader::open(directory.path()).unwrap().read(Offset(0), 1).unwrap().remove(0);
    let letter = DeadLetter { record, attempts: 1, reason: "poison".to_owned(), failed_ms: WALL_MS };
    let progress = Progress { cursor: Offset(3), dead_letters: vec![letter], ..Progress::default() };
    beside(&mut |journal| advance(journal, 0, progress.clone()));
    beside(&mut |journal| {
        let drop = Change::Letters(LetterAction::Drop, LetterSelection::default());
        assert_eq!(journal.alter(Slice::first(drop), at(0)).unwrap().changed.count, 1);
    });
    assert_eq!(offsets(directory.path()), [1, 2, 3, 4]);
}

#[test]
fn progress_that_cannot_be_stored_whole_moves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = open(directory.path());
    store(&mut journal, 0..3);
    let record = Reader::open(directory.path()).unwrap().read(Offset(1), 1).unwrap().remove(0);
    let letter = DeadLetter { record, attempts: 1, reason: "poison".to_owned(), failed_ms: WALL_MS };
    let progress = Progress {
        cursor: Offset(2),
        ahead: Ahead { position: Offset(3), pending: vec![(Offset(3), 1)] },
        state: Some(b"2".to_vec()),
        dead_letters: vec![letter],
        urgent: true,
        ..Progress::default()
    };
    let other = Connection::open(database::path(directory.path())).unwrap();
    other.execute_batch("ALTER TABLE dead_letters RENAME TO hidden").unwrap();
    let advances = [Advance { consumer: 0, progress, reply: oneshot::channel().0 }];
    journal.commit(&append([event(9)]), &advances, at(0)).unwrap_err();
    drop(journal);
    other.execute_batch("ALTER TABLE hidden RENAME TO dead_letters").unwrap();
    drop(other);
    let stored = open(directory.path()).consumers()[0].clone();
    assert_eq!((stored.cursor, stored.state, stored.dead_letters), (Offset(0), None, 0));
    assert_eq!(stored.ahead, Ahead::default());
    assert_eq!(offsets(directory.path()), [1, 2, 3]);
}

/// A power failure keeps what was synced and any part of what was not. What is written after the last sync of a commit is
/// cut at every page here: the journal opens, with all that was answered for and nothing in halves.
#[test]
fn a_log_cut_anywhere_opens_with_all_that_was_synced() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = open(directory.path());
    let log = directory.path().join("journal.db-wal");
    store(&mut journal, 0..50);
    let synced = log.metadata().unwrap().len();
    store(&mut journal, 50..100);
    let full = log.metadata().unwrap().len();
    assert!(full > synced);
    let (database, bytes) = (std::fs::read(database::path(directory.path())).unwrap(), std::fs::read(&log).unwrap());
    let mut cut = synced;
    while cut <= full {
        for torn in [false, true] {
            let copy = tempfile::tempdir().unwrap();
            std::fs::write(database::path(copy.path()), &database).unwrap();
            let mut kept = bytes[..cut as usize].to_vec();
            if torn {
                kept.resize(full as usize, 0);
            }
            std::fs::write(copy.path().join("journal.db-wal"), kept).unwrap();
            let mut journal = open(copy.path());
            let head = journal.head().0;
            assert!(head == 50 || (head == 100 && cut == full), "{head} at {cut} of {full}");
            assert_eq!(offsets(copy.path()), (1..=head).collect::<Vec<_>>());
            assert_eq!(store(&mut journal, [49, 200]), [Ok(Duplicate), Ok(Stored)]);
        }
        cut += 1031;
        if cut > full && cut < full + 1031 {
            cut = full;
        }
    }
}

#[test]
fn a_backup_beside_the_writer_opens_with_what_was_there() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = open(directory.path());
    store(&mut journal, 0..100);
    let target = tempfile::tempdir().unwrap();
    let mut last = (0, 0);
    let mut more = 100;
    let backup = Backup::begin(directory.path(), &target.path().join("copy")).unwrap();
    let bytes = backup.finish(|done, all| {
        last = (done, all);
        store(&mut journal, [more]);
        more += 1;
    });
    let bytes = bytes.unwrap();
    assert!(last.0 == last.1 && bytes == last.1 * 16_384, "{last:?} {bytes}");
    assert_eq!(offsets(&target.path().join("copy")), (1..=100).collect::<Vec<_>>());
    let mut copy = open(&target.path().join("copy"));
    assert_eq!(store(&mut copy, [99, 1000]), [Ok(Duplicate), Ok(Stored)]);
    let taken = Backup::begin(directory.path(), target.path()).err();
    assert!(taken.is_some_and(|error| error.to_string().contains("not empty")));
}

#[test]
fn a_backup_that_fails_leaves_nothing_and_one_that_was_killed_is_in_nobodys_way() {
    let directory = tempfile::tempdir().unwrap();
    store(&mut open(directory.path()), 0..1000);
    let target = tempfile::tempdir().unwrap();
    let names =
        || -> Vec<_> { std::fs::read_dir(target.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect() };
    let mut backup = Backup::begin(directory.path(), target.path()).unwrap();
    let reader = Reader::open(directory.path()).unwrap();
    backup.copy(&reader.connection, &directory.path().join("index.db"), |_, _| {}).unwrap();
    assert_eq!(names(), ["index.db.part"], "it has no name of its own before all are whole");
    // The last step fails, as on a disk that is full.
    std::fs::create_dir(target.path().join("journal.db.part")).unwrap();
    backup.finish(|_, _| {}).unwrap_err();
    std::fs::remove_dir(target.path().join("journal.db.part")).unwrap();
    assert_eq!(names().len(), 0);

    for left in ["index.db.part", "journal.db.part", "journal.db.part-journal"] {
        std::fs::write(target.path().join(left), "cut off").unwrap();
    }
    Backup::begin(directory.path(), target.path()).unwrap().finish(|_, _| {}).unwrap();
    assert_eq!(names(), ["journal.db"]);
    assert_eq!(offsets(target.path()).len(), 1000);
    std::fs::write(target.path().join("journal.db.part"), "cut off").unwrap();
    let before = names();
    assert!(Backup::begin(directory.path(), target.path()).is_err(), "there is something else");
    assert_eq!(names(), before, "and nothing is removed");
}

#[test]
fn pruning_beside_it_does_not_disturb_the_search_for_a_time() {
    let directory = tempfile::tempdir().unwrap();
    store(&mut open(directory.path()), 0..100);
    let mut reader = Reader::open(directory.path()).unwrap();
    let other = Connection::open(database::path(directory.path())).unwrap();
    other.execute_batch("CREATE TEMP TABLE kept AS SELECT * FROM records").unwrap();
    let other = Arc::new(Mutex::new(other));
    // All goes after so many steps of the search, which has several looks of some steps each.
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

#[test]
fn reading_from_a_time_finds_all_since_also_over_a_jump() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = open(directory.path());
    for number in 0..200u32 {
        let minutes = if number < 100 { i64::from(number) } else { i64::from(number) - 60 };
        store_at(&mut journal, [number], Now { wall_ms: WALL_MS + minutes * 60_000, monotonic: Duration::ZERO });
    }
    let reader = Reader::open(directory.path()).unwrap();
    for minute in [-1, 0, 30, 45, 99, 120, 139, 140] {
        let since_ms = WALL_MS + minute * 60_000;
        let from = reader.offset_before(since_ms).unwrap();
        let wanted = (0..200i64).filter(|number| {
            let at = if *number < 100 { *number } else { *number - 60 };
            at >= minute
        });
        let earliest = wanted.min().map_or(i64::MAX, |number| number + 1);
        assert!(from.0 < earliest, "minute {minute}: {from} is after {earliest}");
        assert!(from.0 > minute - 130, "minute {minute}: {from} is needlessly early");
    }
}
