//! What the index and the journal have after crashes and losses, over real files.

use super::*;
use crate::clock::testing::advance_test_clock;
use crate::index::Reader;
use crate::index::following::testing::{Running, copy_index, history, prune_records, remove_index};
use crate::index::testing::expected;
use crate::telemetry::TextFormat;

/// Longer than the interval in which the index is made durable.
const LATER_MS: i64 = 11_000;

#[tokio::test]
async fn cursor_is_reported_when_durable() {
    let history = history();
    let mut running = Running::with(&history[..2]).await;
    let first = running.reported_cursor();
    running.append(&history[2..4]).await;
    advance_test_clock(1000);
    running.step_until_idle().await;
    assert_eq!(running.status.view().cursor, running.head());
    assert_eq!(running.reported_cursor(), first, "it is in the index, but not durable");

    // A reader in a long transaction prevents the checkpoint.
    let reader = rusqlite::Connection::open(running.path().join("index.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM sessions").unwrap();
    let _: i64 = reader.query_row("SELECT count(*) FROM sessions", [], |row| row.get(0)).unwrap();
    running.index(&history[4..]).await;
    advance_test_clock(LATER_MS);
    running.step_until_idle().await;
    assert_eq!(running.reported_cursor(), first);
    reader.execute_batch("COMMIT").unwrap();
    advance_test_clock(LATER_MS);
    running.step_until_idle().await;
    assert_eq!(running.reported_cursor(), running.head());
    running.stop().await;
}

#[tokio::test]
async fn unsaved_bytes_are_bounded() {
    let history = history();
    let mut running = Running::open_with(tempfile::tempdir().unwrap(), 1000);
    running.step_until_idle().await;
    for (range, reported, why) in
        [(0..1, 0, "one is too little"), (1..5, 5, "enough together"), (5..6, 5, "bytes are counted from zero again")]
    {
        running.index(&history[range]).await;
        assert_eq!(running.reported_cursor(), reported, "{why}");
    }
    running.stop().await;
}

#[tokio::test]
async fn crash_loses_nothing() {
    let history = history();
    for with_wal in [true, false] {
        let crashed = tempfile::tempdir().unwrap();
        let mut running = Running::with(&history[..3]).await;
        running.index(&history[3..6]).await;
        copy_index(running.path(), crashed.path(), with_wal);
        let directory = running.stop().await;
        copy_index(crashed.path(), directory.path(), with_wal);

        let mut running = Running::open(directory);
        let cursor = Reader::open(running.path()).unwrap().cursor().unwrap();
        assert_eq!(cursor, Offset(if with_wal { 6 } else { 3 }), "what the crash left");
        running.index(&history[6..]).await;
        assert_eq!(running.sessions(), expected(&history), "with the WAL: {with_wal}");
        running.stop().await;
    }
}

/// An older index takes the place of the newer one, and the journal has pruned records that only the newer one had.
#[tokio::test]
async fn only_pruned_records_are_missing() {
    let (history, old) = (history(), tempfile::tempdir().unwrap());
    let directory = Running::with(&history[..2]).await.stop().await;
    copy_index(directory.path(), old.path(), false);
    let mut running = Running::open(directory);
    running.index(&history[2..7]).await;
    let directory = running.stop().await;
    copy_index(old.path(), directory.path(), false);
    prune_records(directory.path(), "offset <= (SELECT max(offset) - 2 FROM records)");

    let mut running = Running::open(directory);
    running.index(&history[7..]).await;
    assert_eq!(running.status.view().last_error, None);
    assert_eq!(running.sessions(), expected(&[&history[..2], &history[5..]].concat()));
    // Without an index, the records that the journal still has are indexed.
    let directory = running.stop().await;
    remove_index(directory.path());
    let mut running = Running::open(directory);
    running.step_until_idle().await;
    assert_eq!(running.sessions(), expected(&history[5..]));
    assert!(
        running.metrics.encode(TextFormat::Classic).contains("livehook_session_duration_seconds_count 0"),
        "no news"
    );
    running.stop().await;
}

#[tokio::test]
async fn sessions_outlive_pruned_records() {
    let history = history();
    let directory = Running::with(&history).await.stop().await;
    prune_records(directory.path(), "offset <= 5");
    let mut running = Running::open(directory);
    running.step_until_idle().await;
    let reader = Reader::open(running.path()).unwrap();
    let known: Vec<bool> = history.iter().map(|event| reader.event(event.id()).unwrap().is_some()).collect();
    assert_eq!(known, [false, false, false, false, false, true, true, true]);
    assert_eq!(running.sessions(), expected(&history));
    running.stop().await;
}
