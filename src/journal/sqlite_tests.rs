//! The promises of the journal as those above it see them: with its thread, and with real files.

use std::sync::Arc;
use std::time::Duration;

use super::test_events::event;
use super::*;
use crate::telemetry::Metrics;

struct Running {
    journal: Arc<SqliteJournal>,
    consumers: Vec<Box<dyn Consumer>>,
    exchange: tokio::task::JoinHandle<Result<(), WriterDied>>,
}

fn start(directory: &std::path::Path, options: &Options, names: &[&str]) -> Running {
    let names: Vec<(String, Start)> = names.iter().map(|name| ((*name).to_owned(), Start::Earliest)).collect();
    let Opened { journal, consumers, exchange } =
        SqliteJournal::open(directory, options, &names, Arc::new(Metrics::new())).unwrap();
    Running { journal, consumers, exchange: tokio::spawn(exchange.run()) }
}

impl Running {
    async fn stop(self) {
        self.journal.close();
        self.exchange.await.unwrap().unwrap();
        self.journal.join();
    }
}

async fn append_all(journal: &Arc<SqliteJournal>, numbers: std::ops::Range<u32>) -> Vec<Result<Appended, AppendError>> {
    let tasks: Vec<_> = numbers
        .map(|number| {
            let journal = Arc::clone(journal);
            tokio::spawn(async move { journal.append(event(number)).await })
        })
        .collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

#[tokio::test]
async fn many_at_once_are_stored_once_and_read_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = start(directory.path(), &Options::default(), &["log"]);
    let outcomes = append_all(&running.journal, 0..1000).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Ok(Appended::Stored)));
    let outcomes = append_all(&running.journal, 0..1000).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Ok(Appended::Duplicate)));

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
async fn a_second_process_on_the_same_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let running = start(directory.path(), &Options::default(), &["log"]);
    let again = SqliteJournal::open(directory.path(), &Options::default(), &[], Arc::new(Metrics::new()));
    assert!(matches!(again.err(), Some(JournalError::Locked(_))));
    running.stop().await;
}

#[tokio::test]
async fn a_full_queue_sheds_load_and_loses_nothing_that_it_took() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { queue_events_max: 10, batch_events_max: 10, ..Options::default() };
    let running = start(directory.path(), &options, &["log"]);
    let outcomes = append_all(&running.journal, 0..500).await;
    let stored: Vec<u32> = (0..500).filter(|number| outcomes[*number as usize] == Ok(Appended::Stored)).collect();
    assert!(outcomes.contains(&Err(AppendError::Overloaded)) && stored.len() >= 10);
    let records = Reader::open(directory.path()).unwrap().read(Offset(0), 1000).unwrap();
    let mut ids: Vec<_> = records.iter().map(|record| record.event.id()).collect();
    let mut wanted: Vec<_> = stored.iter().map(|number| event(*number).id()).collect();
    ids.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(ids, wanted);
    running.stop().await;
}

#[tokio::test]
async fn after_a_failed_commit_everything_is_refused_until_the_journal_has_proven_itself() {
    let directory = tempfile::tempdir().unwrap();
    let running = start(directory.path(), &Options::default(), &["log"]);
    assert_eq!(running.journal.append(event(1)).await, Ok(Appended::Stored));
    let other = rusqlite::Connection::open(directory.path().join("journal.db")).unwrap();
    other.execute_batch("ALTER TABLE batches RENAME TO hidden").unwrap();
    assert!(matches!(running.journal.append(event(2)).await, Err(AppendError::Broken(_))));
    assert!(matches!(running.journal.health().refuses, Some(AppendError::Broken(_))));
    assert!(matches!(running.journal.append(event(1)).await, Err(AppendError::Broken(_))), "also a duplicate");
    other.execute_batch("ALTER TABLE hidden RENAME TO batches").unwrap();
    drop(other);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while running.journal.health().refuses.is_some() {
        assert!(tokio::time::Instant::now() < deadline, "the journal must come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let outcomes = append_all(&running.journal, 1..4).await;
    assert_eq!(outcomes, [Ok(Appended::Duplicate), Ok(Appended::Stored), Ok(Appended::Stored)]);
    running.stop().await;
}

#[tokio::test]
async fn what_was_durable_after_all_is_told_when_the_journal_has_proven_itself() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = start(directory.path(), &Options::default(), &["log"]);
    assert_eq!(running.journal.append(event(1)).await, Ok(Appended::Stored));
    let consumer = &mut running.consumers[0];
    assert!(consumer.take_news());
    let other = rusqlite::Connection::open(directory.path().join("journal.db")).unwrap();
    other.execute_batch("ALTER TABLE batches RENAME TO hidden").unwrap();
    assert!(matches!(running.journal.append(event(2)).await, Err(AppendError::Broken(_))));
    // What a commit leaves that failed at its very end.
    let restored = "INSERT INTO records SELECT 2, randomblob(16), event_type, received_ms, line FROM records;
        INSERT INTO dead_letters (number, consumer, attempts, reason, failed_ms, offset, id, event_type, received_ms, line)
        SELECT 1, 'log', 1, 'poison', 0, offset, id, event_type, received_ms, line FROM records WHERE offset = 2;
        ALTER TABLE hidden RENAME TO batches";
    other.execute_batch(restored).unwrap();
    drop(other);
    let told = async {
        while consumer.head() < Offset(2) || consumer.dead_letters() < 1 {
            consumer.wait(Offset(1)).await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told).await.expect("nothing comes after it, and it is told");
    let records = consumer.read(Offset(1), 10).await.unwrap();
    assert_eq!(records.iter().map(|record| record.offset).collect::<Vec<_>>(), [Offset(2)]);
    running.stop().await;
}

#[tokio::test]
async fn closing_settles_what_was_taken_and_refuses_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let running = start(directory.path(), &Options::default(), &["log"]);
    let journal = Arc::clone(&running.journal);
    let taken = tokio::spawn(async move { append_all(&journal, 0..50).await });
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    let journal = Arc::clone(&running.journal);
    running.stop().await;
    let stored = taken.await.unwrap().iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(Reader::open(directory.path()).unwrap().read(Offset(0), 1000).unwrap().len(), stored);
    assert_eq!(journal.append(event(1000)).await, Err(AppendError::Closed));
    drop(journal);
    start(directory.path(), &Options::default(), &["log"]).stop().await;
}

#[tokio::test]
async fn a_writer_that_ends_before_it_is_told_to_is_reported_and_leaves_nobody_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let running = start(directory.path(), &Options::default(), &["log"]);
    assert_eq!(running.journal.append(event(1)).await, Ok(Appended::Stored));
    // The queue ends as it does when the writer's thread panics; nobody has closed the journal.
    running.journal.queue.close();
    assert!(running.exchange.await.unwrap().is_err());
    assert_eq!(running.journal.append(event(2)).await, Err(AppendError::Closed));
}
