use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::watch;

use super::super::testing::Running;
use super::*;

/// A committing half that is never asked.
struct NoCommits;

#[async_trait]
impl CommitProgress for NoCommits {
    async fn commit(&self, _consumer: usize, _progress: Progress) -> Result<(), JournalError> {
        Err(JournalError::Closed)
    }
}

/// News that comes while a consumer asks for it is reported by this call or by the next one.
#[tokio::test]
async fn no_news_is_lost() {
    const ROUNDS: i64 = 20_000;
    let directory = Running::start(&[]).stop().await;
    let (publish, dead_letters) = watch::channel(vec![0]);
    let shared = Shared {
        journal_id: String::new(),
        tail: Arc::default(),
        commits: Arc::new(NoCommits),
        head: watch::channel(Offset(0)).1,
        dead_letters,
    };
    let stored = StoredConsumer {
        name: "log".to_owned(),
        cursor: Offset(0),
        state: None,
        dead_letters: 0,
        is_retired: false,
        ahead: Ahead::default(),
    };
    let mut consumer = SqliteConsumer::new(0, stored, Reader::open(directory.path()).unwrap(), shared);
    assert!(consumer.take_news(), "the start is news");

    let (seen, next) = std::sync::mpsc::channel();
    let publisher = std::thread::spawn(move || {
        for round in 1..=ROUNDS {
            publish.send_replace(vec![round]);
            if next.recv().is_err() {
                break;
            }
        }
    });
    let deadline = Instant::now() + Duration::from_secs(20);
    for round in 1..=ROUNDS {
        while !consumer.take_news() {
            assert!(Instant::now() < deadline, "the news of round {round} are lost");
        }
        let _ = seen.send(());
    }
    publisher.join().unwrap();
}
