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
    let Replaced { old_path, kept_sessions } = replace(directory.path(), &options()).unwrap();
    assert_eq!((kept_sessions, old_path.exists()), (Some(before.len()), true));
    assert!(!directory.path().join(STAGING).exists());
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
            "text" => fs::write(&file, "this was an index once\n".repeat(1000)).unwrap(),
            _ => {
                let mut bytes = fs::read(&file).unwrap();
                bytes[4096..8 * 4096].fill(0xa5);
                fs::write(&file, bytes).unwrap();
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

/// A full disk is not taken for an old index that can't be read, whose sessions would be lost.
#[tokio::test]
async fn full_disk_ends_the_copy() {
    let (directory, new) = (stopped().await, tempfile::tempdir().unwrap());
    let old = directory.path().join("index.db");
    let store = Store::open(new.path(), &options()).unwrap();
    let pages: i64 = store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let many = "WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)
        INSERT INTO streams SELECT i, 'd/a/' || i, i FROM n";
    change(directory.path(), many);
    store.connection.pragma_update(None, "max_page_count", pages).unwrap();
    let error = copy_sessions(&store.connection, &old).unwrap_err();
    assert!(error.is_disk_full(), "{error}");
    store.connection.pragma_update(None, "max_page_count", 1_000_000).unwrap();
    assert_eq!(copy_sessions(&store.connection, &old).unwrap(), Some(2));
    fs::write(&old, "this was an index once\n".repeat(1000)).unwrap();
    assert_eq!(copy_sessions(&store.connection, &old).unwrap(), None);
}

#[tokio::test]
async fn first_unusable_index_is_kept() {
    let directory = stopped().await;
    for (content, name) in [("first", "unusable"), ("second", "unusable-2"), ("third", "unusable-2")] {
        fs::write(directory.path().join("index.db"), content.repeat(1000)).unwrap();
        let old_path = rebuild(directory.path(), &options(), |_, _| {}).unwrap().old_path.unwrap();
        assert_eq!(old_path, directory.path().join(format!("index.db.{name}")));
        assert!(fs::read_to_string(&old_path).unwrap().starts_with(content));
    }
    assert!(fs::read_to_string(directory.path().join("index.db.unusable")).unwrap().starts_with("first"));
    assert_eq!(sessions(directory.path()), expected(&history()));
}
