//! Sinks that send digests.

use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;

use crate::delivery::Order;
use crate::delivery::testing::{Bench, NOW_MS, Setup, away, event};
use crate::journal::Step;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_digest_waits_for_its_time() {
    let mut bench = Bench::new(0..3).await;
    bench.script().digest_wait = Some(MINUTE);
    assert_eq!(bench.work().await, Step::Idle);
    assert_eq!(bench.given(), [[0; 0]; 0]);
    assert_eq!(bench.status.view().oldest_pending_ms, Some(NOW_MS), "the age of the oldest event that waits");
    bench.script().digest_wait = Some(Duration::ZERO);
    bench.settle().await;
    assert_eq!(bench.given(), [[1, 2, 3]]);
}

/// Half of the events are none of the sink's, and a read brings only a part of the rest.
#[tokio::test]
async fn a_digest_has_every_event_that_waits() {
    let mut bench = Setup::default().only("stop").start(0..1500).await;
    bench.script().digest_wait = Some(Duration::ZERO);
    bench.settle().await;
    assert_eq!(bench.given().iter().map(Vec::len).collect::<Vec<_>>(), [750]);
    assert_eq!(bench.status.view().cursor, 1500);
}

/// The worker reads on while the digest waits, and the cursor passes the events that the selection excludes.
#[tokio::test]
async fn a_waiting_digest_has_an_oldest_event() {
    let mut bench = Setup::default().only("stop").start(0..0).await;
    bench.script().digest_wait = Some(MINUTE);
    assert_eq!(bench.work().await, Step::Idle);
    assert_eq!(bench.status.view().oldest_pending_ms, None);
    bench.append([event(1), event(2)]).await;
    assert_eq!(bench.work().await, Step::Idle);
    assert_eq!((bench.status.view().oldest_pending_ms, bench.status.view().cursor), (Some(NOW_MS), 1));
    assert_eq!(bench.given(), [[0; 0]; 0]);
}

/// A commit for each event that waits would cost as much as storing it.
#[tokio::test]
async fn a_waiting_digest_commits_nothing() {
    let mut bench = Bench::new(0..1).await;
    bench.script().digest_wait = Some(MINUTE);
    bench.work().await;
    bench.append([event(1)]).await;
    let journal = Connection::open(bench.directory.path().join("journal.db")).unwrap();
    let commits = || journal.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0)).unwrap();
    let before = commits();
    assert_eq!(bench.work().await, Step::Idle);
    assert_eq!(commits(), before);
}

#[tokio::test]
async fn a_failed_digest_takes_in_new_events() {
    let mut bench = Bench::new(0..2).await;
    (bench.script().digest_wait, bench.script().is_ordered) = (Some(Duration::ZERO), true);
    bench.answer(vec![(0, away()), (1, away())]);
    bench.work().await;
    bench.append([event(2)]).await;
    bench.pass(60_000);
    bench.settle().await;
    assert_eq!(bench.given(), [vec![1, 2], vec![1, 2, 3]]);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_digest() {
    let bench = Bench::new(0..3).await;
    bench.script().digest_wait = Some(MINUTE);
    let (_stop, stopping) = watch::channel(Order::Drain);
    bench.worker.run(stopping).await.unwrap();
    assert_eq!(bench.status.view().cursor, 0);
}
