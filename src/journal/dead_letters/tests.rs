//! Dead letters: which ones a selection means, and which changes are durable together.

use std::sync::Arc;
use std::time::Duration;

use super::super::testing::{FAILED_AT_MS, Running, event, options};
use super::super::{Journal, JournalError, Offset, Progress, change_unserved_dead_letters};
use super::*;
use crate::moment::TimeRange;
use crate::storage::StorageError;

impl Running {
    async fn change(&self, action: DeadLetterAction, selection: DeadLetterSelection) -> ChangedDeadLetters {
        self.journal.change_dead_letters(action, selection).await.unwrap()
    }

    async fn redriven(&self, consumer: usize) -> Vec<i64> {
        numbers(&self.consumers[consumer].redriven(0, 10_000).await.unwrap())
    }

    fn found(&self, selection: &DeadLetterSelection) -> Vec<i64> {
        numbers(&self.reader().dead_letters(selection, 0, 10_000).unwrap().dead_letters)
    }
}

fn numbers(dead_letters: &[DeadLetter]) -> Vec<i64> {
    dead_letters.iter().map(|dead_letter| dead_letter.number).collect()
}

fn all() -> DeadLetterSelection {
    DeadLetterSelection::default()
}

fn of(sink: &str) -> DeadLetterSelection {
    DeadLetterSelection { sink: Some(sink.to_owned()), ..all() }
}

#[tokio::test]
async fn selection_matches_every_criterion() {
    let mut running = Running::start(&["archive", "backend"]);
    running.give_up(0, 0..3).await;
    running.give_up(1, 3..6).await;
    let id = event(4).id();
    let at = |secs: i64| Some(FAILED_AT_MS + secs * 1000);
    let seconds = |from: i64, to: i64| DeadLetterSelection {
        failed: TimeRange { since_ms: at(from), until_ms: at(to) },
        ..all()
    };
    assert_eq!(running.found(&all()), [1, 2, 3, 4, 5, 6]);
    assert_eq!(running.found(&of("backend")), [4, 5, 6]);
    assert_eq!(running.found(&DeadLetterSelection { numbers: vec![6, 1, 99], ids: vec![id], ..all() }), [1, 5, 6]);
    assert_eq!(running.found(&DeadLetterSelection { numbers: vec![1, 4], ..of("backend") }), [4]);
    assert_eq!(running.found(&seconds(1, 4)), [2, 3, 4]);
    assert_eq!(running.found(&DeadLetterSelection { sink: Some("backend".to_owned()), ..seconds(1, 4) }), [4]);
    assert!(running.found(&of("none")).is_empty());
}

#[tokio::test]
async fn sinks_without_configuration_are_counted() {
    let mut running = Running::start(&["archive", "backend", "cache"]);
    running.give_up(0, 0..3).await;
    running.give_up(1, 3..5).await;
    let others = |configured: &[&str]| {
        let configured: Vec<String> = configured.iter().map(|name| (*name).to_owned()).collect();
        running.reader().dead_letters_of_others(&configured).unwrap()
    };
    assert_eq!(others(&["archive", "backend"]), []);
    assert_eq!(others(&["backend", "cache"]), [("archive".to_owned(), 3)]);
    assert_eq!(others(&[]), [("archive".to_owned(), 3), ("backend".to_owned(), 2)]);
}

#[tokio::test]
async fn dead_letter_reads_back() {
    let mut running = Running::start(&["archive"]);
    running.give_up(0, 0..2).await;
    let expected = DeadLetter {
        number: 2,
        sink: "archive".to_owned(),
        event: event(1),
        offset: Offset(2),
        attempts: 3,
        failure: "poison 1".to_owned(),
        failed_at_ms: FAILED_AT_MS + 1000,
        redriven_at_ms: None,
        redriven_attempts: 0,
    };
    assert_eq!(running.reader().dead_letter(2).unwrap(), Some(expected));
    assert_eq!(running.reader().dead_letter(99).unwrap(), None);
}

#[tokio::test]
async fn pages_follow_without_gap_or_repetition() {
    let mut running = Running::start(&["archive"]);
    running.give_up(0, 0..7).await;
    let (mut after, mut seen, mut pages) = (0, Vec::new(), 0);
    loop {
        let page = running.reader().dead_letters(&all(), after, 3).unwrap();
        seen.extend(numbers(&page.dead_letters));
        pages += 1;
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!((seen, pages), (vec![1, 2, 3, 4, 5, 6, 7], 3));
}

#[tokio::test]
async fn redrive_reaches_its_own_sink_only() {
    let mut running = Running::start(&["archive", "backend"]);
    running.give_up(0, 0..2).await;
    running.give_up(1, 2..4).await;
    for consumer in &mut running.consumers {
        consumer.take_news();
    }
    assert_eq!(running.change(DeadLetterAction::Redrive, of("archive")).await.count, 2);
    assert!(running.consumers[0].take_news() && !running.consumers[0].take_news());
    assert_eq!((running.redriven(0).await, running.redriven(1).await), (vec![1, 2], vec![]));
    let changed = running.change(DeadLetterAction::Redrive, all()).await;
    assert_eq!((changed.count, changed.without_sink.len()), (2, 0), "redriven ones do not count again");

    let running = running.restart(&["archive", "backend"]).await;
    assert_eq!((running.redriven(0).await, running.redriven(1).await), (vec![1, 2], vec![3, 4]), "after a restart");
}

#[tokio::test]
async fn redrive_wakes_consumer() {
    let mut running = Running::start(&["archive"]);
    running.give_up(0, 0..1).await;
    running.consumers[0].take_news();
    let head = running.journal.health().head;
    let journal = Arc::clone(&running.journal);
    let consumer = &mut running.consumers[0];
    let wait = tokio::time::timeout(Duration::from_secs(20), consumer.wait(head));
    let (waited, changed) = tokio::join!(wait, journal.change_dead_letters(DeadLetterAction::Redrive, all()));
    waited.unwrap().unwrap();
    assert_eq!(changed.unwrap().count, 1);
    assert!(consumer.take_news());
}

#[tokio::test]
async fn retired_sink_gets_no_redrive() {
    let mut running = Running::start(&["archive", "backend"]);
    running.give_up(0, 0..2).await;
    running.give_up(1, 2..3).await;
    assert_eq!(running.change(DeadLetterAction::Redrive, all()).await.count, 3);
    let running = running.restart(&["backend"]).await;
    assert_eq!(running.reader().dead_letter(1).unwrap().unwrap().redriven_at_ms, None, "its redrive has ended");
    let changed = running.change(DeadLetterAction::Redrive, all()).await;
    assert_eq!((changed.count, changed.without_sink), (0, [("archive".to_owned(), 2)].into()));
    assert_eq!(running.change(DeadLetterAction::Drop, of("archive")).await.count, 2);
    assert_eq!(running.found(&all()), [3]);
}

/// A change of many takes several transactions. A dead letter that comes in between is changed only if it comes before the
/// first of them.
#[tokio::test]
async fn change_leaves_later_dead_letters_alone() {
    let mut running = Running::start(&["archive"]);
    running.append(0..1).await;
    let record = running.reader().read(Offset(0), 1).unwrap().remove(0);
    let new = NewDeadLetter { record, attempts: 1, failure: "poison".to_owned(), failed_at_ms: FAILED_AT_MS };
    let dead_letters = vec![new.clone(); 2500];
    running.advance(0, Progress { cursor: Offset(1), dead_letters, ..Progress::default() }).await;
    let late = Progress { cursor: Offset(1), dead_letters: vec![new], urgent: true, ..Progress::default() };
    let (journal, consumer) = (Arc::clone(&running.journal), &mut running.consumers[0]);
    let (changed, advanced) =
        tokio::join!(journal.change_dead_letters(DeadLetterAction::Redrive, all()), consumer.advance(late));
    advanced.unwrap();
    let count = changed.unwrap().count;
    assert!((2500..=2501).contains(&count), "{count}");
    assert_eq!(running.redriven(0).await.len() as u64, count);
    assert_eq!(running.change(DeadLetterAction::Drop, all()).await.count, 2501);
    assert_eq!((running.found(&all()).len(), running.consumers[0].dead_letters()), (0, 0));
}

#[tokio::test]
async fn redrive_attempts_are_stored() {
    let mut running = Running::start(&["archive"]);
    running.give_up(0, 0..3).await;
    running.change(DeadLetterAction::Redrive, all()).await;
    running.change(DeadLetterAction::Drop, DeadLetterSelection { numbers: vec![3], ..all() }).await;
    let retry = vec![RedriveAttempt { number: 2, outcome: RedriveOutcome::Retry }];
    running.advance(0, Progress { redrive_attempts: retry, ..Progress::default() }).await;
    let tried = running.consumers[0].redriven(1, 10).await.unwrap().remove(0);
    assert_eq!((tried.number, tried.redriven_attempts, tried.attempts), (2, 1, 4));
    assert_eq!(tried.failure, "poison 1", "the reason for which it was given up last");

    let given_up = |number| RedriveAttempt {
        number,
        outcome: RedriveOutcome::GivenUp { failure: "still".to_owned(), failed_at_ms: FAILED_AT_MS + 99 },
    };
    let delivered = RedriveAttempt { number: 1, outcome: RedriveOutcome::Delivered };
    let redrive_attempts = vec![delivered, given_up(2), given_up(3)];
    let state = Some(b"state".to_vec());
    running.advance(0, Progress { cursor: Offset(0), state, redrive_attempts, ..Progress::default() }).await;
    assert_eq!(running.consumers[0].dead_letters(), 1);

    let running = running.restart(&["archive"]).await;
    assert_eq!(running.found(&all()), [2], "1 was delivered, and 3 was dropped");
    let left = running.reader().dead_letter(2).unwrap().unwrap();
    assert_eq!((left.redriven_at_ms, left.redriven_attempts, left.attempts), (None, 0, 5));
    assert_eq!((left.failure.as_str(), left.failed_at_ms), ("still", FAILED_AT_MS + 99));
    let consumer = &running.consumers[0];
    assert_eq!((consumer.cursor(), consumer.state(), consumer.dead_letters()), (Offset(3), Some(&b"state"[..]), 1));
}

#[tokio::test]
async fn unserved_journal_changes_under_its_lock() {
    let mut running = Running::start(&["archive"]);
    running.give_up(0, 0..3).await;
    let path = running.directory.path().to_owned();
    let change = |action, numbers| {
        change_unserved_dead_letters(&path, action, DeadLetterSelection { numbers, ..all() }, FAILED_AT_MS)
    };
    let refused = change(DeadLetterAction::Drop, vec![1]);
    assert!(matches!(refused, Err(JournalError::Storage(StorageError::Locked(_)))));
    let directory = running.stop().await;
    assert_eq!(change(DeadLetterAction::Drop, vec![1]).unwrap().count, 1);
    assert_eq!(change(DeadLetterAction::Redrive, vec![2, 3]).unwrap().count, 2);
    let running = Running::open(directory, &options(), &["archive"]);
    assert_eq!((running.found(&all()), running.redriven(0).await), (vec![2, 3], vec![2, 3]));
}

#[test]
fn unserved_change_makes_no_journal() {
    let absent = tempfile::tempdir().unwrap();
    let error = change_unserved_dead_letters(absent.path(), DeadLetterAction::Drop, all(), 0).unwrap_err();
    assert!(matches!(error, JournalError::Absent(_)));
    assert_eq!(std::fs::read_dir(absent.path()).unwrap().count(), 0);
}
