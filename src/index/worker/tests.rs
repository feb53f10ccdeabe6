//! The worker, one step at a time, on a real journal and over real files.

use rusqlite::Connection;
use tokio::task::JoinHandle;

use super::*;
use crate::callback::Event;
use crate::index::testing::{NOW_MS, expected, options, sessions};
use crate::index::{CONSUMER, Reader};
use crate::journal::{self, Appended, Journal, Opened, SqliteJournal, Start, WriterDied};
use crate::session::testing::{anomaly, event, push, recording, screenshot, stop, with};

const STREAM: &str = "a.com/live/s";

/// Longer than any interval of the worker but that of pruning.
const LATER_MS: i64 = 11_000;

/// The journal and the index of a service.
struct Running {
    journal: Arc<SqliteJournal>,
    wakeups: JoinHandle<Result<(), WriterDied>>,
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
        let Opened { journal, mut consumers, wakeups } =
            SqliteJournal::open(directory, &of_journal, &names, Arc::clone(&metrics), crate::clock::system_clock)
                .unwrap();
        let status = Arc::new(Status::default());
        let consumer = consumers.pop().unwrap();
        let worker =
            Worker::open(directory, &options(), unsaved_bytes_max, consumer, Arc::clone(&status), Arc::clone(&metrics));
        Running { journal, wakeups: tokio::spawn(wakeups.run()), worker, status, metrics, now_ms: NOW_MS }
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
        panic!("the worker is never idle: {:?}", self.status.view());
    }

    /// Ends the worker as a crash does, and then the journal.
    async fn drop_all(self) {
        let Running { journal, wakeups, worker, .. } = self;
        worker.close().await;
        journal.close();
        wakeups.await.unwrap().unwrap();
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

/// The cursor of the index as the journal has it. The journal may prune the records up to it.
fn reported_cursor(directory: &Path) -> i64 {
    let query = "SELECT cursor FROM consumers WHERE name = ?1";
    Connection::open(directory.join("journal.db")).unwrap().query_row(query, [CONSUMER], |row| row.get(0)).unwrap()
}

fn index_db(directory: &Path) -> Connection {
    Connection::open(directory.join("index.db")).unwrap()
}

#[tokio::test]
async fn unreadable_index_is_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("index.db");
    std::fs::write(&file, "no database, and longer than the head of one".repeat(9)).unwrap();
    let mut running = Running::start(directory.path());
    running.append(&history()).await;
    assert_eq!(running.step().await, Step::Wait(Duration::from_secs(1)));
    let reason = running.status.view().last_error.unwrap();
    assert!(reason.contains("index.db") && reason.contains("move it away"), "{reason}");
    assert_eq!(reported_cursor(directory.path()), 0, "the journal keeps all records for it");

    std::fs::remove_file(file).unwrap();
    running.settle().await;
    assert_eq!((running.status.view().last_error, sessions(directory.path())), (None, expected(&history())));
    running.drop_all().await;
}

#[tokio::test]
async fn records_are_indexed_until_idle() {
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
    // An hour later the live session is stale. That shows when live streams are counted again.
    running.now_ms += 3_600_000;
    running.settle().await;
    assert_eq!(running.status.view().live_streams, 0);
    running.drop_all().await;
}

#[tokio::test]
async fn cursor_is_reported_when_durable() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = Running::start(directory.path());
    let history = history();
    running.append(&history[..2]).await;
    running.settle().await;
    let first = reported_cursor(directory.path());
    running.append(&history[2..4]).await;
    running.now_ms += 1000;
    running.settle().await;
    assert_eq!(running.status.view().cursor, running.journal.health().head.0);
    assert_eq!(reported_cursor(directory.path()), first, "it is in the index, but not durable");

    // A reader in a long transaction prevents the checkpoint.
    let reader = index_db(directory.path());
    reader.execute_batch("BEGIN; SELECT count(*) FROM sessions").unwrap();
    let _: i64 = reader.query_row("SELECT count(*) FROM sessions", [], |row| row.get(0)).unwrap();
    running.append(&history[4..]).await;
    running.settle().await;
    running.now_ms += LATER_MS;
    running.settle().await;
    assert_eq!(reported_cursor(directory.path()), first);
    reader.execute_batch("COMMIT").unwrap();
    running.now_ms += LATER_MS;
    running.settle().await;
    assert_eq!(reported_cursor(directory.path()), running.journal.health().head.0);
    running.drop_all().await;
}

#[tokio::test]
async fn unsaved_bytes_are_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = Running::start_with(directory.path(), 1000);
    running.settle().await;
    running.append(&history()[..1]).await;
    running.settle().await;
    assert_eq!(reported_cursor(directory.path()), 0, "one is too little");
    running.append(&history()[1..5]).await;
    running.settle().await;
    assert_eq!(reported_cursor(directory.path()), 5);
    running.append(&history()[5..6]).await;
    running.settle().await;
    assert_eq!(reported_cursor(directory.path()), 5, "bytes are counted from zero again");
    running.drop_all().await;
}

#[tokio::test]
async fn removed_index_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = Running::start(directory.path());
    running.append(&history()).await;
    running.settle().await;
    std::fs::remove_file(directory.path().join("index.db")).unwrap();
    for _ in 0..3 {
        assert_eq!(running.step().await, Step::Wait(Duration::from_secs(1)));
        let error = running.status.view().last_error.unwrap();
        assert!(error.contains("index.db: this file was removed or replaced"), "{error}");
    }
    running.drop_all().await;
    let mut running = Running::start(directory.path());
    running.settle().await;
    assert_eq!(sessions(directory.path()), expected(&history()));
    running.drop_all().await;
}

#[tokio::test]
async fn rebuild_runs_while_events_arrive() {
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
    running.status.request_rebuild();
    assert!(running.status.view().is_rebuilding, "from the request on");
    for number in 0..20 {
        let late = event(&push(STREAM, &format!("late-{number}"), number));
        running.append(std::slice::from_ref(&late)).await;
        all.push(late);
        assert_ne!(running.step().await, Step::Wait(Duration::from_secs(1)));
    }
    running.settle().await;
    assert!(!running.status.view().is_rebuilding);
    assert_eq!(sessions(directory.path()), expected(&all));
    assert_eq!(ended(&running), before, "each end is reported once");
    // Two requests at once, without new records.
    running.status.request_rebuild();
    running.status.request_rebuild();
    running.settle().await;
    assert!(!running.status.view().is_rebuilding);
    assert_eq!(sessions(directory.path()), expected(&all));
    running.drop_all().await;
}

#[tokio::test]
async fn rebuild_continues_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let history = history();
    let mut running = Running::start(directory.path());
    running.append(&history).await;
    running.settle().await;
    for steps in 1..4 {
        running.status.request_rebuild();
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
async fn failing_index_recovers() {
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
    assert_eq!(reported_cursor(directory.path()), cursor, "the journal keeps the records that are not indexed");
    index_db(directory.path()).execute_batch("DROP TRIGGER poison").unwrap();
    running.settle().await;
    assert_eq!(running.status.view().last_error, None);
    assert_eq!(sessions(directory.path()), expected(&history));
    assert!(running.metrics.encode().contains("livehook_session_duration_seconds_count 2"));
    running.drop_all().await;
}

/// Copies the files of an index as a crash leaves them: with or without the commits that were not synced.
fn copy_index(from: &Path, to: &Path, with_wal: bool) {
    std::fs::create_dir_all(to).unwrap();
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        let _ = std::fs::remove_file(to.join(name));
        let is_copied = name == "index.db" || (name == "index.db-wal" && with_wal);
        if is_copied && from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

#[tokio::test]
async fn crash_loses_nothing() {
    for with_wal in [true, false] {
        let (directory, crashed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut running = Running::start(directory.path());
        let history = history();
        running.append(&history[..3]).await;
        running.settle().await;
        running.append(&history[3..6]).await;
        running.settle().await;
        copy_index(directory.path(), crashed.path(), with_wal);
        running.drop_all().await;
        copy_index(crashed.path(), directory.path(), with_wal);

        let mut running = Running::start(directory.path());
        let cursor = Reader::open(directory.path()).unwrap().cursor().unwrap();
        assert_eq!(cursor, Offset(if with_wal { 6 } else { 3 }), "what the crash left");
        running.append(&history[6..]).await;
        running.settle().await;
        assert_eq!(sessions(directory.path()), expected(&history), "with the WAL: {with_wal}");
        running.drop_all().await;
    }
}

#[tokio::test]
async fn only_pruned_records_are_missing() {
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
    // An older index takes the place of the newer one, and the journal has pruned records that only the newer one had.
    copy_index(old.path(), directory.path(), false);
    let gone = "DELETE FROM records WHERE offset <= (SELECT max(offset) - 2 FROM records)";
    Connection::open(directory.path().join("journal.db")).unwrap().execute_batch(gone).unwrap();

    let mut running = Running::start(directory.path());
    running.append(&history[7..]).await;
    running.settle().await;
    assert_eq!(running.status.view().last_error, None);
    let known = [&history[..2], &history[5..]].concat();
    assert_eq!(sessions(directory.path()), expected(&known));
    // Without an index, the records that the journal still has are indexed.
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
async fn sessions_outlive_pruned_records() {
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
async fn stop_makes_the_index_durable() {
    let directory = tempfile::tempdir().unwrap();
    let Running { journal, wakeups, worker, status, .. } = Running::start(directory.path());
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
    status.request_rebuild();
    while status.view().is_rebuilding {
        assert!(tokio::time::Instant::now() < deadline, "a rebuild begins without new records");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop_sender.send(true).unwrap();
    running.await.unwrap().unwrap();
    assert_eq!(reported_cursor(directory.path()), journal.health().head.0);
    assert_eq!(sessions(directory.path()), expected(&history));
    journal.close();
    wakeups.await.unwrap().unwrap();
    journal.join();
}

#[tokio::test]
async fn record_before_the_stop_is_indexed() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = Running::start(directory.path());
    running.now_ms = jiff::Timestamp::now().as_millisecond();
    running.settle().await;
    let Running { journal, wakeups, worker, status, .. } = running;
    let (stop_sender, stopped) = watch::channel(false);
    let mut run = std::pin::pin!(worker.run(stopped));
    tokio::select! {
        biased;
        _ = &mut run => panic!("it was not stopped"),
        () = std::future::ready(()) => {}
    }
    // The journal is read on another thread, which finds nothing.
    tokio::time::sleep(Duration::from_millis(50)).await;
    journal.append(history().remove(0)).await.unwrap();
    stop_sender.send(true).unwrap();
    run.await.unwrap();
    assert_eq!(status.view().cursor, 1);
    journal.close();
    wakeups.await.unwrap().unwrap();
    journal.join();
}

#[tokio::test]
async fn worker_ends_with_the_journal() {
    let directory = tempfile::tempdir().unwrap();
    let Running { journal, wakeups, worker, .. } = Running::start(directory.path());
    let (_stop, stopped) = watch::channel(false);
    let running = tokio::spawn(worker.run(stopped));
    journal.append(history().remove(0)).await.unwrap();
    journal.close();
    wakeups.await.unwrap().unwrap();
    journal.join();
    let ended = tokio::time::timeout(Duration::from_secs(20), running).await.unwrap().unwrap();
    assert!(matches!(ended, Err(IndexError::Journal(JournalError::Closed))), "{ended:?}");
}
