//! The index depends on which events there are, not on how they arrived. Over real files.

use std::cell::RefCell;
use std::collections::BTreeSet;

use proptest::prelude::*;
use rusqlite::StatementStatus;
use serde_json::json;

use super::*;
use crate::callback::{Event, ReasonCategory};
use crate::index::apply::Applied;
use crate::index::reader::testing::two_streams;
use crate::index::sequences::SESSION_OF_SEQUENCE_AND_STREAM;
use crate::index::testing::{
    NOW_MS, apply_randomly, assert_searches, at, events, expected, indexed, indexed_randomly, journal as state_of,
    open, open_with, options, plans, pushed, records, records_of, sessions, statements,
};
use crate::index::{Reader, rebuild};
use crate::journal::{self, Record};
use crate::session::Fact;
use crate::session::testing::{
    BEGIN_SECS, anomaly, event, fold, history, push, recording, screenshot, shuffled, stop, with,
};

const STREAM: &str = "a.com/live/s";

fn config() -> ProptestConfig {
    ProptestConfig::with_cases(40)
}

fn prune_all(store: &mut Store, first: Offset) {
    while store.prune(first, NOW_MS).unwrap() {}
}

fn rebuild_open(store: &mut Store, journal: &[Record]) {
    let ends = journal.first().zip(journal.last());
    let (first, last) = ends.map_or((Offset(1), Offset(0)), |(first, last)| (first.offset, last.offset));
    store.begin_rebuild(first, last).unwrap();
    let cursor = store.cursor();
    let again: Vec<Record> = journal.iter().filter(|record| record.offset > cursor).cloned().collect();
    store.apply(&again).unwrap();
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn sessions_depend_on_events_alone(history in history(), seed in any::<u64>()) {
        let random = &mut fastrand::Rng::with_seed(seed);
        let (once, by_chance) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        open(once.path()).apply(&records(&history)).unwrap();
        prop_assert_eq!(sessions(once.path()), expected(&history));
        let journal = records(&shuffled(&history, random));
        let applied = apply_randomly(by_chance.path(), &journal, random);
        prop_assert_eq!(sessions(by_chance.path()), expected(&history));
        // Each end is reported once, and each event without a sequence.
        let ended = fold(&history).values().filter(|session| session.is_ended()).count();
        prop_assert_eq!(applied.ended.len(), ended);
        let without = journal.iter().filter(|record| {
            Fact::is_expected_of(record.event.event_type()) && Fact::of(&record.event).is_none()
        });
        prop_assert_eq!(applied.without_sequence, without.count() as u64);
        let cursor = journal.last().map_or(Offset(0), |record| record.offset);
        prop_assert_eq!(Reader::open(by_chance.path()).unwrap().cursor().unwrap(), cursor);
    }

    #[test]
    fn counts_outlive_pruned_records(history in history(), seed in any::<u64>()) {
        let random = &mut fastrand::Rng::with_seed(seed);
        let (directory, journal) = indexed_randomly(&history, random);
        let mut first = Offset(0);
        while first <= journal.last().map_or(Offset(0), |record| record.offset) {
            first.0 += random.i64(1..10);
            prune_all(&mut open(directory.path()), first);
            prop_assert_eq!(sessions(directory.path()), expected(&history), "before {}", first);
        }
        let left: i64 = open(directory.path()).connection
            .query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap();
        prop_assert_eq!(left, 0);
    }

    #[test]
    fn rebuild_of_a_part_changes_nothing(history in history(), seed in any::<u64>()) {
        let random = &mut fastrand::Rng::with_seed(seed);
        let (directory, mut journal) = indexed_randomly(&history, random);
        // The journal has pruned some records; the index knows it, or not yet.
        journal.drain(..random.usize(0..=journal.len() / 2));
        let first = journal.first().map_or(Offset(1), |record| record.offset);
        let mut store = open(directory.path());
        if random.bool() {
            prune_all(&mut store, first);
        }
        let counted = store.counted;
        store.begin_rebuild(first, journal.last().map_or(Offset(0), |record| record.offset)).unwrap();
        let mut again: Vec<Record> =
            journal.iter().filter(|record| record.offset > store.cursor()).cloned().collect();
        while !again.is_empty() {
            let batch: Vec<Record> = again.drain(..random.usize(1..=again.len())).collect();
            prop_assert_eq!(store.apply(&batch).unwrap(), Applied::default(), "nothing is reported again");
            if random.bool() {
                // The process ends, and the next one continues.
                store = open(directory.path());
            }
        }
        prop_assert_eq!(store.counted, counted);
        prop_assert_eq!(sessions(directory.path()), expected(&history));
    }

    #[test]
    fn other_journal_adds_to_sessions(
        history in history(), seed in any::<u64>(), until in 0..40usize,
    ) {
        let random = &mut fastrand::Rng::with_seed(seed);
        let (old, new) = history.split_at(until.min(history.len()));
        let (directory, _) = indexed_randomly(old, random);
        let mut store = open(directory.path());
        let new_records = records(new);
        store.follow(&JournalState { journal_id: "journal-2".to_owned(), ..state_of(&new_records) }).unwrap();
        prop_assert_eq!(store.cursor(), Offset(0));
        prop_assert_eq!(store.apply(&new_records).unwrap(), Applied::default(), "old records are not reported");
        let all: Vec<Event> = old.iter().chain(new).cloned().collect();
        let found = sessions(directory.path());
        let mut wanted = expected(&all);
        // Recordings of the first journal were counted when their events were removed, before the second journal's sessions
        // were known.
        for (found, wanted) in found.iter().zip(&mut wanted) {
            for name in ["recordings", "screenshots"] {
                wanted[name] = found[name].clone();
            }
        }
        prop_assert_eq!(found, wanted);
    }
}

#[test]
fn rebuild_keeps_what_the_journal_lacks() {
    let (directory, mut store, journal) = indexed(&[
        push(STREAM, "old", 0),
        anomaly(STREAM, "old", 1),
        stop(STREAM, "old", 9),
        push(STREAM, "both", 10),
        push(STREAM, "new", 20),
        stop(STREAM, "new", 30),
        stop(STREAM, "both", 40),
    ]);
    let right = sessions(directory.path());
    prune_all(&mut store, journal[4].offset);
    let spoil = "UPDATE sessions SET stop_errcode = 99, ended_ms = 1, duration_ms = 1, push_node = 'x', first_ms = 5";
    store.connection.execute(&format!("{spoil} WHERE sequence = 'new'"), []).unwrap();
    assert_ne!(sessions(directory.path()), right);
    rebuild_open(&mut store, &journal[4..]);
    assert_eq!(sessions(directory.path()), right);
    store.connection.execute(&format!("{spoil} WHERE sequence = 'old'"), []).unwrap();
    let spoilt = sessions(directory.path());
    rebuild_open(&mut store, &journal[4..]);
    assert_eq!(sessions(directory.path()), spoilt, "a session that the journal lacks stays as it is");
}

#[test]
fn rebuild_continues_after_a_crash() {
    let (directory, store, journal) = indexed(&[pushed(STREAM, "1", 0..9), pushed(STREAM, "2", 10..20)].concat());
    drop(store);
    let right = sessions(directory.path());
    for steps in 0..=journal.len() {
        let mut store = open(directory.path());
        store.connection.execute("UPDATE sessions SET stop_errcode = 12, push_node = 'wrong'", []).unwrap();
        store.begin_rebuild(journal[0].offset, journal[3].offset).unwrap();
        for record in &journal[..steps] {
            store.apply(std::slice::from_ref(record)).unwrap();
        }
        drop(store);
        let mut store = open(directory.path());
        assert_eq!(store.rebuild_until().is_some(), steps < journal.len());
        let cursor = store.cursor();
        store.apply(&journal.iter().filter(|record| record.offset > cursor).cloned().collect::<Vec<_>>()).unwrap();
        assert_eq!(store.rebuild_until(), None);
        assert_eq!(sessions(directory.path()), right, "after {steps} steps");
    }
}

#[tokio::test]
async fn rebuild_from_an_empty_journal_keeps_all() {
    // An empty journal, whose id the index then knows.
    let directory = journal::testing::Running::start(&[]).stop().await;
    let journal_id = journal::Reader::open(directory.path()).unwrap().journal_id().unwrap();
    let journal =
        records_of(&[push(STREAM, "1", 0), anomaly(STREAM, "1", 5), stop(STREAM, "1", 9), screenshot(STREAM, 5)]);
    let mut store = Store::open(directory.path(), &options()).unwrap();
    store.follow(&JournalState { journal_id, ..state_of(&[]) }).unwrap();
    store.apply(&journal).unwrap();
    drop(store);
    let right = sessions(directory.path());
    rebuild(directory.path(), &options(), |_, _| {}).unwrap();
    assert_eq!(sessions(directory.path()), right);
}

#[test]
fn replaced_journal_is_read_again() {
    let callbacks = [push(STREAM, "1", 0), stop(STREAM, "1", 9), push(STREAM, "2", 20)];
    let (directory, mut store, journal) = indexed(&callbacks);
    let right = sessions(directory.path());

    let unchanged = JournalState { at_cursor: Some(journal[2].event.id()), ..state_of(&journal) };
    store.follow(&unchanged).unwrap();
    assert_eq!(store.cursor(), journal[2].offset);
    store.follow(&JournalState { at_cursor: None, ..unchanged.clone() }).unwrap();
    assert_eq!(store.cursor(), journal[2].offset, "a pruned record is not an error");

    // A restored backup ends before the cursor.
    store.follow(&JournalState { head: journal[1].offset, ..unchanged.clone() }).unwrap();
    assert_eq!(store.cursor(), Offset(0));
    assert_eq!(store.apply(&journal[..2]).unwrap(), Applied::default());
    assert_eq!(sessions(directory.path()), right, "a session that the backup lacks is kept");
    // And then it gets another record, which is reported.
    let other = Record { offset: journal[2].offset, event: event(&stop(STREAM, "2", 50)) };
    assert_eq!(store.apply(std::slice::from_ref(&other)).unwrap().ended, [(ReasonCategory::Client, Some(30_000))]);

    // The same, but the journal has come as far again, with another event at the cursor.
    let (directory, mut store, _) = indexed(&callbacks);
    store.follow(&JournalState { at_cursor: Some(other.event.id()), ..unchanged }).unwrap();
    assert_eq!(store.cursor(), Offset(0));
    let now = [&journal[..2], &[other]].concat();
    store.apply(&now).unwrap();
    let events: Vec<Event> = journal.iter().chain(&now).map(|record| record.event.clone()).collect();
    assert_eq!(sessions(directory.path()), expected(&events));
    let reader = Reader::open(directory.path()).unwrap();
    assert_eq!(reader.event(journal[2].event.id()).unwrap(), None, "another event stands there");
    assert_eq!(reader.event(now[2].event.id()).unwrap(), Some(now[2].offset));
}

#[test]
fn pruned_records_are_skipped() {
    let journal = records_of(&[push(STREAM, "1", 0), stop(STREAM, "1", 9), push(STREAM, "2", 20)]);
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    store.apply(&journal[..1]).unwrap();
    store.follow(&JournalState { first: Some(journal[2].offset), ..state_of(&journal) }).unwrap();
    assert_eq!(store.cursor(), journal[1].offset);
    let empty = JournalState { first: None, ..state_of(&journal) };
    store.follow(&empty).unwrap();
    assert_eq!(store.cursor(), journal[2].offset);
    drop(store);
    assert_eq!(open(directory.path()).cursor(), journal[2].offset);
    // A new index of a journal whose records were all pruned.
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::open(directory.path(), &options()).unwrap();
    store.follow(&empty).unwrap();
    assert_eq!(store.cursor(), journal[2].offset);
}

/// A pruning removes a stream with its last event, and then fails. The number of the removed stream must not be used again.
#[test]
fn failed_pruning_forgets_removed_streams() {
    let without_session = || with(push("a.com/live/gone", "1", 0), json!({"sequence": null}));
    let again = with(without_session(), json!({"event_time": BEGIN_SECS + 9}));
    let journal = records_of(&[push(STREAM, "2", 0), stop(STREAM, "2", 5), without_session(), again]);
    let directory = tempfile::tempdir().unwrap();
    let mut store = open_with(directory.path(), &Options { retention_days: 0, ..options() });
    store.follow(&state_of(&journal)).unwrap();
    store.apply(&journal[..3]).unwrap();
    let trigger = "CREATE TRIGGER failure BEFORE DELETE ON sessions BEGIN SELECT RAISE(ABORT, 'no'); END";
    store.connection.execute_batch(trigger).unwrap();
    store.prune(journal[3].offset, NOW_MS).unwrap_err();
    store.connection.execute_batch("DROP TRIGGER failure").unwrap();
    store.apply(&journal[3..]).unwrap();
    let count = |query: &str| store.connection.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM events"), 1);
    assert_eq!(count("SELECT count(*) FROM events JOIN streams ON streams.number = events.stream"), 1);
}

#[test]
fn end_is_reported_once() {
    let directory = tempfile::tempdir().unwrap();
    let callbacks = [
        push(STREAM, "1", 0),
        stop(STREAM, "1", 60),
        with(stop(STREAM, "1", 61), json!({"errcode": 12})),
        with(push(STREAM, "2", 70), json!({"sequence": null})),
        with(stop(STREAM, "3", 70), json!({"errcode": 12, "push_duration": "1500"})),
    ];
    let journal = records_of(&callbacks);
    let wanted = Applied {
        ended: vec![(ReasonCategory::Client, Some(60_000)), (ReasonCategory::Network, Some(1500))],
        without_sequence: 1,
    };
    let mut store = open(directory.path());
    assert_eq!(store.apply(&journal).unwrap(), wanted);
    assert_eq!(store.apply(&journal).unwrap(), Applied::default());
    drop(store);
    let mut store = open(directory.path());
    assert_eq!(store.apply(&journal).unwrap(), Applied::default());
    rebuild_open(&mut store, &journal);
    // A new event of a session whose end was reported, in one batch with that end, which the rebuild reads again.
    store.begin_rebuild(Offset(1), Offset(5)).unwrap();
    let late = records_of(&[&callbacks[..], &[anomaly(STREAM, "1", 30), stop(STREAM, "4", 80)]].concat());
    assert_eq!(store.apply(&late).unwrap().ended, [(ReasonCategory::Client, None)]);
}

#[test]
fn failed_batch_can_be_repeated() {
    let directory = tempfile::tempdir().unwrap();
    let journal = records_of(&[
        push(STREAM, "1", 0),
        stop(STREAM, "1", 9),
        push("new.com/live/s", "2", 10),
        screenshot("new.com/live/s", 12),
        with(stop(STREAM, "3", 20), json!({"sequence": null})),
        stop("new.com/live/s", "2", 30),
    ]);
    let mut store = open(directory.path());
    store.apply(&journal[..1]).unwrap();
    let before = (sessions(directory.path()), store.cursor(), store.counted, store.next_session);
    let triggers = [
        ("streams", "BEFORE INSERT ON streams"),
        ("sessions", "BEFORE INSERT ON sessions"),
        ("events", "BEFORE INSERT ON events WHEN new.event_type = 200"),
        ("cursor", "BEFORE INSERT ON meta WHEN new.name = 'next_session'"),
    ];
    for (name, when) in triggers {
        let poison = format!("CREATE TRIGGER {name}_fails {when} BEGIN SELECT raise(ABORT, 'no'); END");
        store.connection.execute_batch(&poison).unwrap();
        assert!(matches!(store.apply(&journal[1..]), Err(IndexError::Database(_))), "{name}");
        assert_eq!((sessions(directory.path()), store.cursor(), store.counted, store.next_session), before, "{name}");
        store.connection.execute_batch(&format!("DROP TRIGGER {name}_fails")).unwrap();
    }
    // A full disk.
    let pages: i64 = store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    store.connection.pragma_update(None, "max_page_count", pages).unwrap();
    let many: Vec<_> = (0..2000).map(|number| push(STREAM, &format!("n{number}"), number)).collect();
    assert!(matches!(store.apply(&records_of(&many)[1..]), Err(IndexError::Database(_))));
    assert_eq!((sessions(directory.path()), store.cursor(), store.counted, store.next_session), before);
    store.connection.pragma_update(None, "max_page_count", 1_000_000).unwrap();

    let applied = store.apply(&journal[1..]).unwrap();
    assert_eq!((applied.ended.len(), applied.without_sequence), (2, 1));
    let events: Vec<Event> = journal.iter().map(|record| record.event.clone()).collect();
    assert_eq!(sessions(directory.path()), expected(&events));
}

#[test]
fn short_lock_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    thread_local! {
        static OTHER: RefCell<Option<Connection>> = const { RefCell::new(None) };
    }
    // SQLite calls this while it waits for a lock, so the lock is released in the middle of the change.
    let let_go = |_| OTHER.take().is_some_and(|other| other.execute_batch("COMMIT").is_ok());
    store.connection.busy_handler(Some(let_go)).unwrap();
    let other = Connection::open(schema::path(directory.path())).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let journal = records_of(&[push(STREAM, "1", 0), stop(STREAM, "1", 9)]);
    OTHER.set(Some(other));
    store.apply(&journal).unwrap();
    assert!(OTHER.take().is_none(), "the lock was not waited for");
    assert_eq!(store.cursor(), journal[1].offset);
}

#[test]
fn only_old_ended_sessions_are_pruned() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { retention_days: 2, stale_after_secs: 5 * 86_400, ..Options::default() };
    let mut store = open_with(directory.path(), &options);
    let [ended_push, ended_stop] = pushed(STREAM, "ended", 0..9);
    let journal = records_of(&[
        ended_push,
        ended_stop,
        push(STREAM, "open", 0),
        push(STREAM, "signs", 0),
        anomaly(STREAM, "signs", 2 * 86_400),
        stop("b.com/live/only", "ended", 9),
    ]);
    store.apply(&journal).unwrap();
    let first = Offset(journal.last().unwrap().offset.0 + 1);
    let mut left_after = |secs: i64| {
        while store.prune(first, at(secs)).unwrap() {}
        let query = "SELECT sequence FROM sessions ORDER BY number";
        let mut statement = store.connection.prepare(query).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<Vec<String>>>().unwrap()
    };
    let day = 86_400;
    assert_eq!(left_after(2 * day + 9), ["ended", "open", "signs", "ended"]);
    assert_eq!(left_after(2 * day + 10), ["open", "signs"]);
    assert_eq!(left_after(5 * day), ["open", "signs"], "a live session stays, however old it is");
    assert_eq!(left_after(5 * day + 1), ["signs"]);
    assert_eq!(left_after(7 * day + 2), Vec::<String>::new());
    let streams: i64 = store.connection.query_row("SELECT count(*) FROM streams", [], |row| row.get(0)).unwrap();
    assert_eq!(streams, 0, "streams are removed with their last session");
    // A removed stream is made again when it is live again.
    store.apply(&records_of(&[push(STREAM, "again", 0)])).unwrap();
    assert_eq!(store.live_streams(at(1)).unwrap(), 1);
}

#[test]
fn pruning_works_in_slices() {
    let mut callbacks = vec![push(STREAM, "1", 0)];
    callbacks.extend(
        (1..5000).map(|secs| if secs % 2 == 0 { anomaly(STREAM, "1", secs) } else { screenshot(STREAM, secs) }),
    );
    let (directory, mut store, journal) = indexed(&callbacks);
    let right = expected(&events(&callbacks));
    let first = Offset(journal.last().unwrap().offset.0 + 1);
    for more in [true, true, false] {
        assert_eq!(store.prune(first, at(0)).unwrap(), more);
        assert_eq!(sessions(directory.path()), right);
    }
}

#[test]
fn recordings_count_alike_after_pruning() {
    let callbacks = [
        push(STREAM, "1", 0),
        stop(STREAM, "1", 100),
        recording(STREAM, -50, -1),
        recording(STREAM, -50, 0),
        recording(STREAM, 100, 200),
        recording(STREAM, 101, 200),
        recording(STREAM, 0, 48 * 3600 + 99),
        recording(STREAM, 0, 48 * 3600 + 100),
        with(recording(STREAM, 0, 50), json!({"start_time": null})),
        with(recording(STREAM, 0, 101), json!({"start_time": null})),
        screenshot(STREAM, -1),
        screenshot(STREAM, 0),
        screenshot(STREAM, 100),
        screenshot(STREAM, 101),
    ];
    let (directory, mut store, _) = indexed(&callbacks);
    let counts = || {
        let found = &sessions(directory.path())[0];
        (found["recordings"].as_i64().unwrap(), found["screenshots"].as_i64().unwrap())
    };
    assert_eq!(counts(), (4, 2));
    prune_all(&mut store, Offset(1000));
    assert_eq!(counts(), (4, 2));
    assert_eq!(sessions(directory.path()), expected(&events(&callbacks)));
}

#[test]
fn plan_of_writes() {
    let (_directory, mut store) = two_streams();
    let late = [stop("b.com/live/s", "2", 650), screenshot("b.com/live/s", 640), screenshot("new.com/live/s", 660)];
    let late = records_of(&late);
    let run = |store: &mut Store| {
        store.apply(&late).unwrap();
        store.prune(Offset(100), at(400 * 86_400)).unwrap();
    };
    let plans = plans(&mut store, |store| &mut store.connection, run);
    assert_searches(&plans, &["SCAN gone", "(subquery-1)"]);
    // A slice reads its own recordings and anomalies, and not a whole index for them.
    let wholes = ["INDEX media_of_stream", "INDEX events_of_session"];
    assert!(!plans.iter().any(|(step, _)| wholes.iter().any(|whole| step.contains(whole))), "{plans:#?}");
}

/// SQLite may compile a statement again if its plan could depend on the values of its parameters. Compiling takes longer than
/// running most statements.
#[test]
fn statements_are_compiled_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let sessions = (0..30).flat_map(|number| pushed(STREAM, &number.to_string(), number..number + 1));
    let journal = records_of(&sessions.collect::<Vec<_>>());
    let apply = |store: &mut Store| journal.chunks(6).for_each(|batch| drop(store.apply(batch).unwrap()));
    let texts = BTreeSet::from_iter(statements(&mut store, |store| &mut store.connection, apply));
    let mut reused = Vec::new();
    for text in &texts {
        let statement = store.connection.prepare_cached(text).unwrap();
        if statement.get_status(StatementStatus::Run) > 1 {
            reused.push(text);
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{text}");
        }
    }
    assert!(reused.iter().any(|text| text.contains(SESSION_OF_SEQUENCE_AND_STREAM)), "{texts:#?}");
}

#[test]
fn no_session_of_a_new_stream_is_searched_for() {
    let (_directory, mut store) = two_streams();
    let mut is_searched_for = |stream: &str| {
        let batch = records_of(&[push(stream, "new", 700)]);
        let apply = |store: &mut Store| drop(store.apply(&batch).unwrap());
        let texts = statements(&mut store, |store| &mut store.connection, apply);
        texts.iter().any(|text| text.contains(SESSION_OF_SEQUENCE_AND_STREAM))
    };
    assert!(!is_searched_for("new.com/live/s"));
    assert!(is_searched_for("b.com/live/s"));
}
