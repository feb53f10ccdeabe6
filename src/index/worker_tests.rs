//! The worker, one step at a time, on a real journal and over real files.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::testing::{NOW_MS, expected, options, sessions};
use super::{CONSUMER, IndexError, Reader, Status, Step, Worker};
use crate::callback::Event;
use crate::journal::{self, Appended, Journal, Offset, Opened, SqliteJournal, Start, WriterDied};
use crate::session::testing::{anomaly, event, push, recording, screenshot, stop, with};
use crate::telemetry::Metrics;

const STREAM: &str = "a.com/live/s";

/// Longer than any interval of the worker but that of pruning.
const LATER_MS: i64 = 11_000;

/// A service's journal and index, without the rest of it.
struct Running {
    journal: Arc<SqliteJournal>,
    exchange: JoinHandle<Result<(), WriterDied>>,
    worker: Worker,
    status: Arc<Status>,
    metrics: Arc<Metrics>,
    now_ms: i64,
}

impl Running {
    fn start(directory: &Path) -> Running {
        Running::start_with(directory, u64::MAX)
    }

    fn start_with(directory: &Path, unsaved_bytes_max: u64) -> Running {
        // The events are years old by the journal's clock.
        let of_journal = journal::Options { retention_days: 36_500, ..journal::Options::default() };
        let names = [(CONSUMER.to_owned(), Start::Earliest)];
        let metrics = Arc::new(Metrics::new());
        let Opened { journal, mut consumers, exchange } =
            SqliteJournal::open(directory, &of_journal, &names, Arc::clone(&metrics)).unwrap();
        let status = Arc::new(Status::default());
        let consumer = consumers.pop().unwrap();
        let worker =
            Worker::open(directory, &options(), unsaved_bytes_max, consumer, Arc::clone(&status), Arc::clone(&metrics));
        Running { journal, exchange: tokio::spawn(exchange.run()), worker, status, metrics, now_ms: NOW_MS }
    }

    async fn append(&self, events: &[Event]) {
        for event in events {
            assert_eq!(self.journal.append(event.clone()).await, Ok(Appended::Stored));
        }
    }

    async fn step(&mut self) -> Step {
        self.worker.step(self.now_ms).await.unwrap()
    }

    /// Steps until there is nothing to do.
    async fn settle(&mut self) {
        for _ in 0..1000 {
            if self.step().await == Step::Idle {
                return;
            }
        }
        panic!("it does not come to rest: {:?}", self.status.view());
    }

    /// Ends the worker without any order, and then the journal.
    async fn drop_all(self) {
        let Running { journal, exchange, worker, .. } = self;
        worker.close().await;
        journal.close();
        exchange.await.unwrap().unwrap();
        journal.join();
    }
}

fn events(callbacks: &[serde_json::Value]) -> Vec<Event> {
    callbacks.iter().map(event).collect()
}

fn history() -> Vec<Event> {
    events(&[
        push(STREAM, "1", 0),
        anomaly(STREAM, "1", 5),
        screenshot(STREAM, 8),
        stop(STREAM, "1", 60),
        recording(STREAM, 0, 61),
        push(STREAM, "2", 500),
        with(stop("b.com/live/s", "3", 70), serde_json::json!({"errcode": 12, "push_duration": "1500"})),
        with(push(STREAM, "4", 80), serde_json::json!({"sequence": null})),
    ])
}

/// How far the journal knows the index to be, which is how far it may let go of records.
fn told(directory: &Path) -> i64 {
    let query = "SELECT cursor FROM consumers WHERE name = ?1";
    Connection::open(directory.join("journal.db")).unwrap().query_row(query, [CONSUMER], |row| row.get(0)).unwrap()
}

fn index_db(directory: &Path) -> Connection {
    Connection::open(directory.join("index.db")).unwrap()
}

#[tokio::test]
async fn an_index_that_cannot_be_opened_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("index.db");
    std::fs::write(&file, "no database, and longer than the head of one".repeat(9)).unwrap();
    let mut running = Running::start(directory.path());
    running.append(&history()).await;
    assert_eq!(running.step().await, Step::Wait(Duration::from_secs(1)));
    let reason = running.status.view().last_error.unwrap();
    assert!(reason.contains("index.db") && reason.contains("move it away"), "{reason}");
    assert_eq!(told(directory.path()), 0, "the journal keeps all for it");

    std::fs::remove_file(file).unwrap();
    running.settle().await;
    assert_eq!((running.status.view().last_error, sessions(directory.path())), (None, expected(&history())));
    running.drop_all().await;
}

#[tokio::test]
async fn it_takes_in_what_comes_and_then_idles() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = Running::start(directory.path());
    running.settle().await;
    let history = history();
    let (first, rest) = history.split_at(3);
    for part in [first, rest] {
        running.append(part).await;
        assert_eq!(running.step().await, Step::More);
        assert_eq!(running.step().await, Step::Idle);
    }
    assert_eq!(sessions(directory.path()), expected(&history));
    assert_eq!(running.status.view().cursor, running.journal.health().head.0);
    running.now_ms += 1000;
    running.settle().await;
    assert_eq!(running.status.view().live_streams, 1);
    let metrics = running.metrics.encode();
    for line in [
        r#"livehook_sessions_ended_total{reason_category="client"} 1"#,
        r#"livehook_sessions_ended_total{reason_category="network"} 1"#,
        "livehook_session_duration_seconds_count 2",
        "livehook_session_duration_seconds_sum 61.5",
        "livehook_events_without_sequence_total 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    // An hour later, and not a moment before it is looked again, the live one is stale.
    running.now_ms += 3_600_000;
    running.settle().await;
    assert_eq!(running.status.view().live_streams, 0);
    running.drop_all().await;
}

#[tokio::test]
async fn the_journal_is_told_only_what_is_durable_in_the_index() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = Running::start(directory.path());
    let history = history();
    running.append(&history[..2]).await;
    running.settle().await;
    let first = told(directory.path());
    running.append(&history[2..4]).await;
    running.now_ms += 1000;
    running.settle().await;
    assert_eq!(running.status.view().cursor, running.journal.health().head.0);
    assert_eq!(told(directory.path()), first, "it is in the index, but may not outlive a power failure");

    // A reader that takes its time keeps the newest pages from being copied.
    let reader = index_db(directory.path());
    reader.execute_batch("BEGIN; SELECT count(*) FROM sessions").unwrap();
    let _: i64 = reader.query_row("SELECT count(*) FROM sessions", [], |row| row.get(0)).unwrap();
    running.append(&history[4..]).await;
    running.settle().await;
    running.now_ms += LATER_MS;
    running.settle().await;
    assert_eq!(told(directory.path()), first);
    reader.execute_batch("COMMIT").unwrap();
    running.now_ms += LATER_MS;
    running.settle().await;
    assert_eq!(told(directory.path()), running.journal.health().head.0);
    running.drop_all().await;
}

#[tokio::test]
async fn what_the_journal_must_keep_for_it_is_bounded_by_bytes_too() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = Running::start_with(directory.path(), 1000);
    running.settle().await;
    running.append(&history()[..1]).await;
    running.settle().await;
    assert_eq!(told(directory.path()), 0, "one is too little");
    running.append(&history()[1..5]).await;
    running.settle().await;
    assert_eq!(told(directory.path()), 5);
    running.append(&history()[5..6]).await;
    running.settle().await;
    assert_eq!(told(directory.path()), 5, "it begins anew");
    running.drop_all().await;
}

#[tokio::test]
async fn an_index_that_is_gone_is_told_until_livehook_is_started_anew() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = Running::start(directory.path());
    running.append(&history()).await;
    running.settle().await;
    std::fs::remove_file(directory.path().join("index.db")).unwrap();
    for _ in 0..3 {
        assert_eq!(running.step().await, Step::Wait(Duration::from_secs(1)));
        let told = running.status.view().last_error.unwrap();
        assert!(told.contains("index.db: this file was removed or replaced"), "{told}");
    }
    running.drop_all().await;
    let mut running = Running::start(directory.path());
    running.settle().await;
    assert_eq!(sessions(directory.path()), expected(&history()));
    running.drop_all().await;
}

#[tokio::test]
async fn a_rebuild_renews_the_index_while_events_come_in() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = Running::start(directory.path());
    let mut all = history();
    running.append(&all).await;
    running.settle().await;
    let ended = |running: &Running| {
        let metrics = running.metrics.encode();
        metrics.lines().filter(|line| line.starts_with("livehook_sessions_ended_total")).map(str::to_owned).collect()
    };
    let before: Vec<String> = ended(&running);
    index_db(directory.path()).execute_batch("UPDATE sessions SET stop_errcode = 99, push_node = 'spoilt'").unwrap();
    assert_ne!(sessions(directory.path()), expected(&all));
    running.status.ask_for_rebuild();
    assert!(running.status.view().is_rebuilding, "as soon as it is asked for");
    for number in 0..20 {
        let late = event(&push(STREAM, &format!("late-{number}"), number));
        running.append(std::slice::from_ref(&late)).await;
        all.push(late);
        assert_ne!(running.step().await, Step::Wait(Duration::from_secs(1)));
    }
    running.settle().await;
    assert!(!running.status.view().is_rebuilding);
    assert_eq!(sessions(directory.path()), expected(&all));
    assert_eq!(ended(&running), before, "an end is told once");
    // Asked for twice at once, and of a journal in which nothing is new.
    running.status.ask_for_rebuild();
    running.status.ask_for_rebuild();
    running.settle().await;
    assert!(!running.status.view().is_rebuilding);
    assert_eq!(sessions(directory.path()), expected(&all));
    running.drop_all().await;
}

#[tokio::test]
async fn a_rebuild_that_was_cut_off_is_finished_after_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let history = history();
    let mut running = Running::start(directory.path());
    running.append(&history).await;
    running.settle().await;
    for steps in 1..4 {
        running.status.ask_for_rebuild();
        for _ in 0..steps {
            running.step().await;
        }
        running.drop_all().await;
        running = Running::start(directory.path());
    }
    running.settle().await;
    assert_eq!(sessions(directory.path()), expected(&history));
    running.drop_all().await;
}

#[tokio::test]
async fn an_index_that_fails_says_so_and_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = Running::start(directory.path());
    let history = history();
    running.append(&history[..2]).await;
    running.settle().await;
    let cursor = running.status.view().cursor;
    let poison = "CREATE TRIGGER poison BEFORE INSERT ON events BEGIN SELECT raise(ABORT, 'no room'); END";
    index_db(directory.path()).execute_batch(poison).unwrap();
    running.append(&history[2..]).await;
    for _ in 0..3 {
        assert!(matches!(running.step().await, Step::Wait(wait) if wait > Duration::ZERO));
        let view = running.status.view();
        assert!(view.last_error.is_some_and(|error| error.contains("no room")));
        assert_eq!(view.cursor, cursor);
    }
    running.now_ms += LATER_MS;
    assert!(matches!(running.step().await, Step::Wait(_)));
    assert_eq!(told(directory.path()), cursor, "what is not taken in is kept in the journal");
    index_db(directory.path()).execute_batch("DROP TRIGGER poison").unwrap();
    running.settle().await;
    assert_eq!(running.status.view().last_error, None);
    assert_eq!(sessions(directory.path()), expected(&history));
    assert!(running.metrics.encode().contains("livehook_session_duration_seconds_count 2"));
    running.drop_all().await;
}

/// The files of an index as a crash leaves them: with or without what had not been synced.
fn copy_index(from: &Path, to: &Path, with_log: bool) {
    std::fs::create_dir_all(to).unwrap();
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        let _ = std::fs::remove_file(to.join(name));
        let is_copied = name == "index.db" || (name == "index.db-wal" && with_log);
        if is_copied && from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

#[tokio::test]
async fn an_unclean_end_loses_nothing_whatever_of_the_index_was_synced() {
    for with_log in [true, false] {
        let (directory, crashed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut running = Running::start(directory.path());
        let history = history();
        running.append(&history[..3]).await;
        running.settle().await;
        running.append(&history[3..6]).await;
        running.settle().await;
        copy_index(directory.path(), crashed.path(), with_log);
        running.drop_all().await;
        copy_index(crashed.path(), directory.path(), with_log);

        let mut running = Running::start(directory.path());
        let cursor = Reader::open(directory.path()).unwrap().cursor().unwrap();
        assert_eq!(cursor, Offset(if with_log { 6 } else { 3 }), "what the crash left");
        running.append(&history[6..]).await;
        running.settle().await;
        assert_eq!(sessions(directory.path()), expected(&history), "with the log: {with_log}");
        running.drop_all().await;
    }
}

#[tokio::test]
async fn what_was_pruned_before_the_index_saw_it_is_missing_and_no_more() {
    let (directory, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut running = Running::start(directory.path());
    let history = history();
    running.append(&history[..2]).await;
    running.settle().await;
    running.drop_all().await;
    copy_index(directory.path(), old.path(), false);
    let mut running = Running::start(directory.path());
    running.append(&history[2..7]).await;
    running.settle().await;
    running.drop_all().await;
    // An older index is put in place, and the journal has let go of what the newer one had seen.
    copy_index(old.path(), directory.path(), false);
    let gone = "DELETE FROM records WHERE offset <= (SELECT max(offset) - 2 FROM records)";
    Connection::open(directory.path().join("journal.db")).unwrap().execute_batch(gone).unwrap();

    let mut running = Running::start(directory.path());
    running.append(&history[7..]).await;
    running.settle().await;
    assert_eq!(running.status.view().last_error, None);
    let known = [&history[..2], &history[5..]].concat();
    assert_eq!(sessions(directory.path()), expected(&known));
    // With no index at all, what is left of the journal is taken in.
    running.drop_all().await;
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        let _ = std::fs::remove_file(directory.path().join(name));
    }
    let mut running = Running::start(directory.path());
    running.settle().await;
    assert_eq!(sessions(directory.path()), expected(&history[5..]));
    assert!(running.metrics.encode().contains("livehook_session_duration_seconds_count 0"), "no news");
    running.drop_all().await;
}

#[tokio::test]
async fn pruned_records_are_forgotten_and_their_sessions_and_counts_kept() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = Running::start(directory.path());
    let history = history();
    running.append(&history).await;
    running.settle().await;
    running.drop_all().await;
    let gone = "DELETE FROM records WHERE offset <= 5";
    Connection::open(directory.path().join("journal.db")).unwrap().execute_batch(gone).unwrap();
    let mut running = Running::start(directory.path());
    running.settle().await;
    let reader = Reader::open(directory.path()).unwrap();
    let known: Vec<bool> = history.iter().map(|event| reader.event(event.id()).unwrap().is_some()).collect();
    assert_eq!(known, [false, false, false, false, false, true, true, true]);
    assert_eq!(sessions(directory.path()), expected(&history));
    running.drop_all().await;
}

#[tokio::test]
async fn it_runs_until_it_is_told_to_stop_and_is_durable_then() {
    let directory = tempfile::tempdir().unwrap();
    let Running { journal, exchange, worker, status, .. } = Running::start(directory.path());
    let (stop_sender, stopped) = watch::channel(false);
    let running = tokio::spawn(worker.run(stopped));
    let history = history();
    for event in &history {
        journal.append(event.clone()).await.unwrap();
        tokio::task::yield_now().await;
    }
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while status.view().cursor < journal.health().head.0 {
        assert!(tokio::time::Instant::now() < deadline, "{:?}", status.view());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    status.ask_for_rebuild();
    while status.view().is_rebuilding {
        assert!(tokio::time::Instant::now() < deadline, "a rebuild is not begun while nothing else comes");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop_sender.send(true).unwrap();
    running.await.unwrap().unwrap();
    assert_eq!(told(directory.path()), journal.health().head.0);
    assert_eq!(sessions(directory.path()), expected(&history));
    journal.close();
    exchange.await.unwrap().unwrap();
    journal.join();
}

#[tokio::test]
async fn what_comes_during_the_last_look_before_the_stop_is_taken_in() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = Running::start(directory.path());
    running.now_ms = jiff::Timestamp::now().as_millisecond();
    running.settle().await;
    let Running { journal, exchange, worker, status, .. } = running;
    let (stop_sender, stopped) = watch::channel(false);
    let mut run = std::pin::pin!(worker.run(stopped));
    tokio::select! {
        biased;
        _ = &mut run => panic!("nobody has stopped it"),
        () = std::future::ready(()) => {}
    }
    // For the journal to be looked at, which is done elsewhere and finds nothing.
    tokio::time::sleep(Duration::from_millis(50)).await;
    journal.append(history().remove(0)).await.unwrap();
    stop_sender.send(true).unwrap();
    run.await.unwrap();
    assert_eq!(status.view().cursor, 1);
    journal.close();
    exchange.await.unwrap().unwrap();
    journal.join();
}

#[tokio::test]
async fn it_ends_when_the_journal_does() {
    let directory = tempfile::tempdir().unwrap();
    let Running { journal, exchange, worker, .. } = Running::start(directory.path());
    let (_stop, stopped) = watch::channel(false);
    let running = tokio::spawn(worker.run(stopped));
    journal.append(history().remove(0)).await.unwrap();
    journal.close();
    exchange.await.unwrap().unwrap();
    journal.join();
    let ended = tokio::time::timeout(Duration::from_secs(20), running).await.unwrap().unwrap();
    assert!(matches!(ended, Err(IndexError::Journal(journal::JournalError::Closed))), "{ended:?}");
}
