//! The promises of the journal with its thread and real files.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use super::super::testing::{Running, append, event, offsets, options};
use super::super::{AppendError, Appended, Journal, JournalError, Offset, Options, Progress, Start};
use super::SqliteJournal;
use crate::clock::system_clock;
use crate::storage::StorageError;

/// How long a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn concurrent_events_are_stored_once() {
    let mut running = Running::start(&["log"]);
    let results = running.append(0..1000).await;
    assert!(results.iter().all(|result| *result == Ok(Appended::Stored)));
    let results = running.append(0..1000).await;
    assert!(results.iter().all(|result| *result == Ok(Appended::Duplicate)));

    let consumer = &mut running.consumers[0];
    let mut after = Offset(0);
    let mut read = 0;
    while read < 1000 {
        consumer.wait(after).await.unwrap();
        let records = consumer.read(after, 300).await.unwrap();
        assert!(records.iter().all(|record| record.offset > after) && records.is_sorted_by_key(|record| record.offset));
        read += records.len();
        after = records.last().unwrap().offset;
    }
    consumer.advance(Progress { cursor: after, ..Progress::default() }).await.unwrap();
    assert_eq!((consumer.cursor(), consumer.head()), (after, after));
    running.stop().await;
}

#[tokio::test]
async fn second_journal_on_directory_is_refused() {
    let running = Running::start(&["log"]);
    let second = SqliteJournal::open(running.directory.path(), &Options::default(), &[], Arc::default(), system_clock);
    assert!(matches!(second.err(), Some(JournalError::Storage(StorageError::Locked(_)))));
    running.stop().await;
}

/// A sink that is added gets each event that comes after it, and a sink with a wrong cursor harms no other.
#[tokio::test]
async fn consumer_is_added_while_open() {
    let running = Running::start(&["log"]);
    running.append(0..3).await;
    let mut added = running.journal.add_consumer("added", Start::Now).await.unwrap();
    running.append(3..5).await;
    added.wait(Offset(3)).await.unwrap();
    assert_eq!(added.read(added.cursor(), 10).await.unwrap().len(), 2);
    added.advance(Progress { cursor: Offset(5), urgent: true, ..Progress::default() }).await.unwrap();
    running.journal.retire_consumer("added").await.unwrap();
    let view = running.reader().consumers().unwrap();
    assert!(view.iter().any(|one| one.name == "added" && one.is_retired && one.cursor == Offset(5)));

    let other = Connection::open(running.directory.path().join("journal.db")).unwrap();
    other.execute("UPDATE consumers SET cursor = 9 WHERE name = 'added'", []).unwrap();
    let error = running.journal.add_consumer("added", Start::Now).await.err().unwrap();
    assert!(matches!(error, JournalError::Cursor { .. }), "{error}");
    running.journal.set_options(&Options { queue_events_max: 1, ..options() }).await.unwrap();
    assert!(running.append(5..20).await.contains(&Err(AppendError::Overloaded)));
    assert_eq!(running.journal.health().unavailable, None);
    running.stop().await;
}

#[tokio::test]
async fn full_inbox_sheds_load() {
    let options = Options { queue_events_max: 10, batch_events_max: 10, ..options() };
    let running = Running::open(tempfile::tempdir().unwrap(), &options, &["log"]);
    let results = running.append(0..500).await;
    let stored: Vec<u32> = (0..500).filter(|number| results[*number as usize] == Ok(Appended::Stored)).collect();
    assert!(results.contains(&Err(AppendError::Overloaded)) && stored.len() >= 10);
    let records = running.reader().read(Offset(0), 1000).unwrap();
    let mut ids: Vec<_> = records.iter().map(|record| record.event.id()).collect();
    let mut wanted: Vec<_> = stored.iter().map(|number| event(*number).id()).collect();
    ids.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(ids, wanted);
    running.stop().await;
}

/// Makes every commit of events fail, until the returned connection renames the table back.
fn hide_records(running: &Running) -> Connection {
    let other = Connection::open(running.directory.path().join("journal.db")).unwrap();
    other.execute_batch("ALTER TABLE records RENAME TO hidden").unwrap();
    other
}

#[tokio::test]
async fn failed_commit_refuses_until_reopened() {
    let mut running = Running::start(&["log"]);
    assert_eq!(running.journal.append(event(1)).await, Ok(Appended::Stored));
    let other = hide_records(&running);
    assert!(matches!(running.journal.append(event(2)).await, Err(AppendError::Broken(_))));
    assert!(matches!(running.journal.health().unavailable, Some(AppendError::Broken(_))));
    assert!(matches!(running.journal.append(event(1)).await, Err(AppendError::Broken(_))), "a duplicate too");
    other.execute_batch("ALTER TABLE hidden RENAME TO records").unwrap();
    drop(other);
    // A journal that was opened again is news to its consumers.
    let reopened = running.consumers[0].wait(Offset(i64::MAX));
    tokio::time::timeout(PATIENCE, reopened).await.expect("the journal must come back").unwrap();
    assert_eq!(running.journal.health().unavailable, None);
    let results = running.append(1..4).await;
    assert_eq!(results, [Ok(Appended::Duplicate), Ok(Appended::Stored), Ok(Appended::Stored)]);
    running.stop().await;
}

/// A commit can fail at its very end and be durable nevertheless. Consumers notice when the journal is open again, even if
/// no event follows.
#[tokio::test]
async fn failed_commit_may_be_durable() {
    let mut running = Running::start(&["log"]);
    assert_eq!(running.journal.append(event(1)).await, Ok(Appended::Stored));
    assert!(running.consumers[0].take_news());
    let other = hide_records(&running);
    assert!(matches!(running.journal.append(event(2)).await, Err(AppendError::Broken(_))));
    let durable = "BEGIN;
        ALTER TABLE hidden RENAME TO records;
        INSERT INTO records SELECT 2, randomblob(16), event_type, received_ms, line FROM records;
        INSERT INTO dead_letters (number, consumer, attempts, reason, failed_ms, offset, id, event_type, received_ms, line)
        SELECT 1, 'log', 1, 'poison', 0, offset, id, event_type, received_ms, line FROM records WHERE offset = 2;
        COMMIT";
    other.execute_batch(durable).unwrap();
    drop(other);
    let consumer = &mut running.consumers[0];
    let noticed = async {
        while consumer.head() < Offset(2) || consumer.dead_letters() < 1 {
            consumer.wait(Offset(1)).await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, noticed).await.expect("the consumer must notice");
    let records = consumer.read(Offset(1), 10).await.unwrap();
    assert_eq!(records.iter().map(|record| record.offset).collect::<Vec<_>>(), [Offset(2)]);
    running.stop().await;
}

#[tokio::test]
async fn closing_commits_waiting_events() {
    let running = Running::start(&["log"]);
    let journal = Arc::clone(&running.journal);
    let waiting = tokio::spawn(async move { append(&journal, (0..50).map(event)).await });
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    let journal = Arc::clone(&running.journal);
    let directory = running.stop().await;
    let stored = waiting.await.unwrap().iter().filter(|result| result.is_ok()).count();
    assert_eq!(offsets(directory.path()).len(), stored);
    assert_eq!(journal.append(event(1000)).await, Err(AppendError::Closed));
    drop(journal);
    Running::open(directory, &options(), &["log"]).stop().await;
}

#[tokio::test]
async fn dead_writer_is_reported() {
    let running = Running::start(&["log"]);
    assert_eq!(running.journal.append(event(1)).await, Ok(Appended::Stored));
    // A panic of the writer closes the inbox like this. The journal itself is not closed.
    running.journal.inbox.close();
    assert!(running.wakeups.await.unwrap().is_err());
    assert_eq!(running.journal.append(event(2)).await, Err(AppendError::Closed));
}
