//! The worker, one step at a time, on a real journal and over real files.

use super::*;
use crate::clock::testing::advance_test_clock;
use crate::index::Reader;
use crate::index::following::testing::{Running, history, prune_records, reported_cursor};
use crate::index::settings::Settings;
use crate::index::testing::{expected, sessions};
use crate::journal::Journal;
use crate::telemetry::TextFormat;

/// How long a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longer than any interval of the worker, except the one of pruning.
const LATER_MS: i64 = 11_000;

/// Longer than any interval of the worker.
const PRUNE_AFTER_MS: i64 = 61_000;

/// Steps until there is nothing to do, and checks that the index was replaced so many times.
async fn assert_replaced(running: &mut Running, times: u32) {
    running.step_until_idle().await;
    assert_eq!((running.status.view().last_error, running.sessions()), (None, expected(&history())));
    assert!(!running.status.view().is_rebuilding);
    assert!(Reader::open(running.path()).unwrap().journal_id().unwrap().is_some(), "the new index follows the journal");
    let line = format!("livehook_index_replaced_total {times}\n");
    assert!(running.metrics.encode(TextFormat::Classic).contains(&line));
}

#[tokio::test]
async fn unusable_index_is_replaced() {
    let directory = Running::start().stop().await;
    let file = directory.path().join("index.db");
    std::fs::write(&file, "no database, and longer than the head of one".repeat(9)).unwrap();
    let mut running = Running::open(directory);
    running.append(&history()).await;
    assert_replaced(&mut running, 1).await;
    assert!(file.with_extension("db.unusable").exists());
    running.stop().await;
}

/// A fault that shows only when the index is used. It comes again within the hour, and then the worker only reports it.
#[tokio::test(start_paused = true)]
async fn failing_index_is_replaced_once_an_hour() {
    let history = history();
    let mut running = Running::with(&history[..2]).await;
    running.change_index("DROP TABLE event_hours");
    running.append(&history[2..]).await;
    assert_replaced(&mut running, 1).await;
    running.change_index("DROP TABLE event_hours");
    advance_test_clock(PRUNE_AFTER_MS);
    running.assert_fails("no such table").await;
    assert!(running.metrics.encode(TextFormat::Classic).contains("livehook_index_replaced_total 1\n"));
    tokio::time::advance(REPLACE_INTERVAL).await;
    assert_replaced(&mut running, 2).await;
    running.stop().await;
}

/// The journal lacks most records of the sessions, so only the old index has them.
#[tokio::test(start_paused = true)]
async fn index_stays_until_it_can_be_replaced() {
    let history = history();
    let directory = Running::with(&history).await.stop().await;
    prune_records(directory.path(), "offset <= 5");
    let mut running = Running::open(directory);
    running.step_until_idle().await;
    // The new index can't be made.
    let obstacle = running.path().join("index.part");
    std::fs::write(&obstacle, "not a directory").unwrap();
    running.change_index("DROP TABLE event_hours");
    advance_test_clock(PRUNE_AFTER_MS);
    running.assert_fails("index.part").await;
    running.assert_fails("`event_hours` is missing").await;
    std::fs::remove_file(&obstacle).unwrap();
    tokio::time::advance(REPLACE_RETRY_WAIT).await;
    assert_replaced(&mut running, 1).await;
    running.stop().await;
}

#[tokio::test]
async fn records_are_indexed_until_idle() {
    let mut running = Running::with(&[]).await;
    let history = history();
    let (first, rest) = history.split_at(3);
    for part in [first, rest] {
        running.append(part).await;
        assert_eq!(running.step().await, Step::More);
        assert_eq!(running.step().await, Step::Idle);
    }
    assert_eq!(running.sessions(), expected(&history));
    assert_eq!(running.status.view().cursor, running.head());
    advance_test_clock(1000);
    running.step_until_idle().await;
    assert_eq!(running.status.view().live_streams, 1);
    let metrics = running.metrics.encode(TextFormat::Classic);
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
    advance_test_clock(3_600_000);
    running.step_until_idle().await;
    assert_eq!(running.status.view().live_streams, 0);
    running.stop().await;
}

/// A failure delays them, and does not lose them.
#[tokio::test]
async fn other_options_are_taken_over() {
    let mut running = Running::with(&history()).await;
    advance_test_clock(2 * 86_400_000);
    running.step_until_idle().await;
    assert_eq!((running.status.view().live_streams, running.sessions().len()), (0, 3));
    running.change_index("CREATE TRIGGER poison BEFORE INSERT ON meta BEGIN SELECT raise(ABORT, 'no room'); END");
    let options = Options { stale_after_secs: 0, retention_days: 1, bridge_gap_secs: 5, ..Options::default() };
    running.status.take_over(&options);
    running.assert_fails("no room").await;
    running.change_index("DROP TRIGGER poison");
    let mut reader = Reader::open(running.path()).unwrap();
    assert_ne!(reader.settings(), Settings::of(&options));
    running.step_until_idle().await;
    reader.read_settings().unwrap();
    assert_eq!(reader.settings(), Settings::of(&options));
    advance_test_clock(PRUNE_AFTER_MS);
    running.step_until_idle().await;
    assert_eq!((running.status.view().live_streams, running.sessions().len()), (1, 1), "only the live one stays");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn waiting_query_shortens_the_gathering() {
    let mut running = Running::start();
    let (_stop, mut stopped) = watch::channel(false);
    for (has_query, expected_ms) in [(false, 0), (false, 50), (true, 10), (true, 10), (false, 50)] {
        if has_query {
            running.status.await_records();
        }
        let started = Instant::now();
        running.worker.gather(&mut stopped).await;
        let waited_ms = started.elapsed().as_millis();
        // The timer counts whole milliseconds.
        assert!((expected_ms..=expected_ms + 1).contains(&waited_ms), "{has_query}: {waited_ms} ms");
    }
    let (started, status) = (Instant::now(), Arc::clone(&running.status));
    let query = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        status.await_records();
    };
    tokio::join!(running.worker.gather(&mut stopped), query);
    assert!((30..=31).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
    running.stop().await;
}

#[tokio::test]
async fn removed_index_is_reported() {
    let mut running = Running::with(&history()).await;
    std::fs::remove_file(running.path().join("index.db")).unwrap();
    for _ in 0..3 {
        running.assert_fails("index.db: this file was removed or replaced").await;
    }
    let mut running = running.restart().await;
    running.step_until_idle().await;
    assert_eq!(running.sessions(), expected(&history()));
    running.stop().await;
}

#[tokio::test]
async fn failing_index_recovers() {
    let history = history();
    let mut running = Running::with(&history[..2]).await;
    let cursor = running.status.view().cursor;
    running.change_index("CREATE TRIGGER poison BEFORE INSERT ON events BEGIN SELECT raise(ABORT, 'no room'); END");
    running.append(&history[2..]).await;
    for _ in 0..3 {
        running.assert_fails("no room").await;
        assert_eq!(running.status.view().cursor, cursor);
    }
    advance_test_clock(LATER_MS);
    running.assert_fails("no room").await;
    assert_eq!(running.reported_cursor(), cursor, "the journal keeps the records that are not indexed");
    running.change_index("DROP TRIGGER poison");
    running.step_until_idle().await;
    assert_eq!(running.status.view().last_error, None);
    assert_eq!(running.sessions(), expected(&history));
    assert!(running.metrics.encode(TextFormat::Classic).contains("livehook_session_duration_seconds_count 2"));
    running.stop().await;
}

/// A session has records before the failed batch and in it, so the rebuild must read both again.
#[tokio::test]
async fn rebuild_starts_again_after_a_failure() {
    let history = history();
    let mut running = Running::with(&history).await;
    running.change_index("UPDATE sessions SET stop_errcode = 99, push_node = 'spoilt'");
    running.status.request_rebuild();
    running.step().await;
    let mut records = running.worker.follower.next_records().await.unwrap();
    records.truncate(2);
    running.worker.follower.write(records).await.unwrap();
    running.change_index("CREATE TRIGGER poison BEFORE INSERT ON events BEGIN SELECT raise(ABORT, 'no room'); END");
    running.assert_fails("no room").await;
    running.change_index("DROP TRIGGER poison");
    running.step_until_idle().await;
    assert!(!running.status.view().is_rebuilding);
    assert_eq!(running.sessions(), expected(&history));
    running.stop().await;
}

/// The worker wakes up for new records and for a rebuild, and saves at the end.
#[tokio::test]
async fn stop_makes_the_index_durable() {
    let history = history();
    let Running { journal, worker, status, .. } = Running::start();
    let (stop_sender, stopped) = watch::channel(false);
    let running = tokio::spawn(worker.run(stopped));
    for event in &history {
        journal.journal.append(event.clone()).await.unwrap();
        tokio::task::yield_now().await;
    }
    let (head, mut cursor) = (journal.journal.health().head, status.cursor());
    let has_all = cursor.wait_for(|cursor| *cursor == head);
    tokio::time::timeout(PATIENCE, has_all).await.expect("it indexes all").unwrap();
    cursor.mark_unchanged();
    status.request_rebuild();
    let is_read_again = async {
        cursor.changed().await.unwrap();
        cursor.wait_for(|cursor| *cursor == head).await.map(drop)
    };
    tokio::time::timeout(PATIENCE, is_read_again).await.expect("a rebuild begins without new records").unwrap();
    stop_sender.send(true).unwrap();
    running.await.unwrap().unwrap();
    assert!(!status.view().is_rebuilding);
    let directory = journal.stop().await;
    assert_eq!(reported_cursor(directory.path()), head.0);
    assert_eq!(sessions(directory.path()), expected(&history));
}

/// A record that comes after the worker has read the journal, and before the stop, is still indexed.
#[test]
fn record_before_the_stop_is_indexed() {
    // With one thread for blocking reads, a task that runs there proves that the read before it has ended.
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let Running { journal, worker, status, .. } = Running::with(&[]).await;
        let (stop_sender, stopped) = watch::channel(false);
        let mut run = std::pin::pin!(worker.run(stopped));
        tokio::select! {
            biased;
            _ = &mut run => panic!("it was not stopped"),
            () = std::future::ready(()) => {}
        }
        tokio::task::spawn_blocking(|| {}).await.unwrap();
        journal.journal.append(history().remove(0)).await.unwrap();
        stop_sender.send(true).unwrap();
        run.await.unwrap();
        assert_eq!(status.view().cursor, 1);
        journal.stop().await;
    });
}

#[tokio::test]
async fn worker_ends_with_the_journal() {
    let Running { journal, worker, .. } = Running::start();
    let (_stop, stopped) = watch::channel(false);
    let running = tokio::spawn(worker.run(stopped));
    journal.journal.append(history().remove(0)).await.unwrap();
    let _directory = journal.stop().await;
    let ended = tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap();
    assert!(matches!(ended, Err(IndexError::Journal(JournalError::Closed))), "{ended:?}");
}
