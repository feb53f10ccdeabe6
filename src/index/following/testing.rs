//! A journal, its index and the worker between them, for the tests of this folder. A test takes each step itself.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::Worker;
use crate::callback::Event;
use crate::clock::testing::{set_test_clock, test_clock};
use crate::index::testing::{NOW_MS, events, options, sessions};
use crate::index::{CONSUMER, Status};
use crate::journal::{self, Appended, Journal, Step};
use crate::session::testing::{anomaly, push, recording, screenshot, stop, with};
use crate::telemetry::Metrics;

pub(super) const STREAM: &str = "a.com/live/s";

/// The journal and the index of a service, in a directory of their own.
pub(super) struct Running {
    pub(super) journal: journal::testing::Running,
    pub(super) worker: Worker,
    pub(super) status: Arc<Status>,
    pub(super) metrics: Arc<Metrics>,
}

impl Running {
    /// Starts with an empty directory.
    pub(super) fn start() -> Running {
        Running::open(tempfile::tempdir().unwrap())
    }

    /// Starts with the journal and the index of a directory.
    pub(super) fn open(directory: tempfile::TempDir) -> Running {
        Running::open_with(directory, u64::MAX)
    }

    pub(super) fn open_with(directory: tempfile::TempDir, unsaved_bytes_max: u64) -> Running {
        set_test_clock(NOW_MS);
        let mut journal = journal::testing::Running::open(directory, &journal::testing::options(), &[CONSUMER]);
        let (status, metrics) = (Arc::new(Status::default()), Arc::new(Metrics::new()));
        let consumer = journal.consumers.remove(0);
        let worker = Worker::open(
            journal.directory.path(),
            &options(),
            unsaved_bytes_max,
            consumer,
            Arc::clone(&status),
            Arc::clone(&metrics),
            test_clock,
        );
        Running { journal, worker, status, metrics }
    }

    /// Starts with an empty directory, and indexes events.
    pub(super) async fn with(events: &[Event]) -> Running {
        let mut running = Running::start();
        running.index(events).await;
        running
    }

    pub(super) async fn append(&self, events: &[Event]) {
        for event in events {
            assert_eq!(self.journal.journal.append(event.clone()).await, Ok(Appended::Stored));
        }
    }

    pub(super) async fn step(&mut self) -> Step {
        self.worker.step().await.unwrap()
    }

    /// Steps until there is nothing to do.
    pub(super) async fn step_until_idle(&mut self) {
        for _ in 0..1000 {
            if self.step().await == Step::Idle {
                return;
            }
        }
        panic!("the worker is never idle: {:?}", self.status.view());
    }

    /// Appends events, and steps until the index has them.
    pub(super) async fn index(&mut self, events: &[Event]) {
        self.append(events).await;
        self.step_until_idle().await;
    }

    /// Ends the worker like a crash, and then the journal. Returns their directory.
    pub(super) async fn stop(self) -> tempfile::TempDir {
        self.worker.close().await;
        self.journal.stop().await
    }

    /// Ends like [`Running::stop`], and starts again.
    pub(super) async fn restart(self) -> Running {
        Running::open(self.stop().await)
    }

    pub(super) fn path(&self) -> &Path {
        self.journal.directory.path()
    }

    /// Every session that the index returns.
    pub(super) fn sessions(&self) -> Vec<Value> {
        sessions(self.path())
    }

    /// Changes the index behind the worker's back.
    pub(super) fn change_index(&self, sql: &str) {
        Connection::open(self.path().join("index.db")).unwrap().execute_batch(sql).unwrap();
    }

    /// The offset of the newest record.
    pub(super) fn head(&self) -> i64 {
        self.journal.journal.health().head.0
    }

    /// The cursor of the index as the journal has it. The journal may prune the records up to it.
    pub(super) fn reported_cursor(&self) -> i64 {
        reported_cursor(self.path())
    }

    /// Checks that the index tries again, for this reason.
    pub(super) async fn assert_fails(&mut self, reason: &str) {
        assert!(matches!(self.step().await, Step::Wait(wait) if !wait.is_zero()));
        let error = self.status.view().last_error.unwrap();
        assert!(error.contains(reason), "{error}");
    }
}

pub(super) fn reported_cursor(directory: &Path) -> i64 {
    let query = "SELECT cursor FROM consumers WHERE name = ?1";
    Connection::open(directory.join("journal.db")).unwrap().query_row(query, [CONSUMER], |row| row.get(0)).unwrap()
}

/// Removes records from the journal of a directory, as pruning does.
pub(super) fn prune_records(directory: &Path, condition: &str) {
    let delete = format!("DELETE FROM records WHERE {condition}");
    Connection::open(directory.join("journal.db")).unwrap().execute_batch(&delete).unwrap();
}

/// Copies the files of an index as a crash leaves them: with or without the commits that were not synced.
pub(super) fn copy_index(from: &Path, to: &Path, with_wal: bool) {
    remove_index(to);
    for name in ["index.db", "index.db-wal"] {
        if from.join(name).exists() && (with_wal || name == "index.db") {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

pub(super) fn remove_index(directory: &Path) {
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        let _ = std::fs::remove_file(directory.join(name));
    }
}

/// Events of three streams: two sessions that ended, one that is live, and a push without a sequence.
pub(super) fn history() -> Vec<Event> {
    events(&[
        push(STREAM, "1", 0),
        anomaly(STREAM, "1", 5),
        screenshot(STREAM, 8),
        stop(STREAM, "1", 60),
        recording(STREAM, 0, 61),
        push(STREAM, "2", 500),
        with(stop("b.com/live/s", "3", 70), json!({"errcode": 12, "push_duration": "1500"})),
        with(push(STREAM, "4", 80), json!({"sequence": null})),
    ])
}
