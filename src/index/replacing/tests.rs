use super::*;
use crate::callback::Event;
use crate::index::rebuild;
use crate::index::testing::{events, expected, options, sessions};
use crate::journal::{self, Journal};
use crate::session::testing::{anomaly, push, recording, stop};

/// An early livehook made indexes of version 1 without these tables.
const WITHOUT_HOURS: &str = "DROP TABLE event_hours; DROP TABLE end_hours;";

fn history() -> Vec<Event> {
    let stream = "a.com/live/s";
    let [first, second] = [push(stream, "1", 0), push(stream, "2", 500)];
    events(&[first, anomaly(stream, "1", 5), stop(stream, "1", 60), recording(stream, 0, 61), second])
}

/// A journal and its index, closed.
async fn stopped() -> tempfile::TempDir {
    let running = journal::testing::Running::start(&[]);
    for event in history() {
        running.journal.append(event).await.unwrap();
    }
    let directory = running.stop().await;
    rebuild(directory.path(), &options(), |_, _| {}).unwrap();
    directory
}

fn change(directory: &Path, sql: &str) {
    Connection::open(directory.join("index.db")).unwrap().execute_batch(sql).unwrap();
}

#[tokio::test]
async fn sessions_outlive_the_replacement() {
    let directory = stopped().await;
    let before = sessions(directory.path());
    assert_eq!(before, expected(&history()));
    change(directory.path(), WITHOUT_HOURS);
    let Replaced { store, old_path, kept_sessions } = replace(directory.path(), &options()).unwrap();
    assert_eq!((kept_sessions, old_path.exists()), (Some(before.len()), true));
    drop(store);
    // The counts of events that the journal still has come with the rebuild.
    rebuild(directory.path(), &options(), |_, _| {}).unwrap();
    assert_eq!(sessions(directory.path()), before);
}

#[tokio::test]
async fn rebuild_replaces_what_it_cannot_use() {
    for damage in ["tables", "text", "page"] {
        let directory = stopped().await;
        let file = directory.path().join("index.db");
        match damage {
            "tables" => change(directory.path(), WITHOUT_HOURS),
            "text" => std::fs::write(&file, "this was an index once\n".repeat(1000)).unwrap(),
            _ => {
                let mut bytes = std::fs::read(&file).unwrap();
                bytes[4096..8 * 4096].fill(0xa5);
                std::fs::write(&file, bytes).unwrap();
            }
        }
        let rebuilt = rebuild(directory.path(), &options(), |_, _| {}).unwrap();
        let old_path = rebuilt.old_path.unwrap();
        assert!(old_path.ends_with("index.db.unusable") && old_path.exists(), "{damage}");
        assert_eq!(sessions(directory.path()), expected(&history()), "{damage}");
        assert_eq!(rebuild(directory.path(), &options(), |_, _| {}).unwrap().old_path, None, "{damage}");
    }
}

#[tokio::test]
async fn newer_index_is_left_alone() {
    let directory = stopped().await;
    change(directory.path(), "PRAGMA user_version = 99");
    assert!(matches!(rebuild(directory.path(), &options(), |_, _| {}), Err(IndexError::Newer { found: 99, .. })));
    assert!(!directory.path().join("index.db.unusable").exists());
}
