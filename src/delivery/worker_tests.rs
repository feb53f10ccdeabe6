//! The worker, one step at a time, on a real journal and with a sink that answers as it is told.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::*;
use crate::callback::{Callback, Event, Options as VerifierOptions, Verifier};
use crate::journal::{self, Appended, Journal, JournalError, Offset, Opened, Record, Records, SqliteJournal, Start};
use crate::sink::{DeliveryError, Filter, Outcome, Sink};
use crate::telemetry::Metrics;

pub(super) const NOW_MS: i64 = 1_700_000_000_000;

/// An event of a stream of its own.
pub(super) fn event(number: u32) -> Event {
    event_of(&format!("s{number}"), number)
}

fn event_of(stream: &str, number: u32) -> Event {
    let verifier = Verifier::new(VerifierOptions { allow_unsigned: true, ..VerifierOptions::default() }).unwrap();
    let event_type = number % 2;
    let body = format!(
        r#"{{"event_type":{event_type},"app":"d.com","appname":"live","stream_id":"{stream}","sequence":"{number}"}}"#
    );
    verifier.verify(&Callback::parse(body.as_bytes()).unwrap(), NOW_MS).unwrap()
}

/// What a sink was given and took, and what it is to answer: for each call a list of events, by their number, and their
/// errors. As every sink must, it takes no event of a stream after one that it did not take.
#[derive(Default)]
pub(super) struct Script {
    resumes: VecDeque<Result<i64, DeliveryError>>,
    calls: VecDeque<Vec<(u32, DeliveryError)>>,
    pub(super) given: Vec<Vec<i64>>,
    taken: Vec<i64>,
}

#[derive(Clone, Default)]
pub(super) struct Scripted(pub(super) Arc<Mutex<Script>>);

#[async_trait]
impl Sink for Scripted {
    async fn resume(&mut self, cursor: Offset, _: Option<&[u8]>, _: &dyn Records) -> Result<Offset, DeliveryError> {
        self.0.lock().unwrap().resumes.pop_front().map_or(Ok(cursor), |answer| answer.map(Offset))
    }

    async fn deliver(&mut self, batch: &[Record]) -> Vec<Outcome> {
        let mut script = self.0.lock().unwrap();
        script.given.push(batch.iter().map(|record| record.offset.0).collect());
        let errors = script.calls.pop_front().unwrap_or_default();
        let mut failed_keys = HashSet::new();
        let answer = |record: &Record| {
            let key = record.event.partition_key().as_str().to_owned();
            // Numbers begin at 0, offsets at 1.
            let error = errors.iter().find(|(number, _)| record.offset.0 == i64::from(*number) + 1);
            let outcome = match error {
                Some((_, error)) => Err(error.clone()),
                None if failed_keys.contains(&key) => Err(DeliveryError::Held),
                None => {
                    script.taken.push(record.offset.0);
                    Ok(())
                }
            };
            if outcome.is_err() {
                failed_keys.insert(key);
            }
            outcome
        };
        batch.iter().map(answer).collect()
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(format!("{} calls", self.0.lock().unwrap().given.len()).into_bytes())
    }
}

pub(super) struct Bench {
    pub(super) directory: tempfile::TempDir,
    pub(super) journal: Arc<SqliteJournal>,
    pub(super) worker: Worker,
    pub(super) script: Scripted,
    pub(super) status: Arc<Status>,
}

impl Bench {
    pub(super) async fn new(events: std::ops::Range<u32>, filter: Filter, retry: RetryOptions) -> Bench {
        Bench::open(tempfile::tempdir().unwrap(), events, filter, retry).await
    }

    pub(super) async fn open(
        directory: tempfile::TempDir,
        events: std::ops::Range<u32>,
        filter: Filter,
        retry: RetryOptions,
    ) -> Bench {
        let metrics = Arc::new(Metrics::new());
        let names = [("sink".to_owned(), Start::Earliest)];
        // The events are of long ago, and must not be pruned for it.
        let options = journal::Options { retention_days: 1_000_000, ..journal::Options::default() };
        let Opened { journal, mut consumers, exchange } =
            SqliteJournal::open(directory.path(), &options, &names, Arc::clone(&metrics)).unwrap();
        tokio::spawn(exchange.run());
        for number in events {
            assert_eq!(journal.append(event(number)).await, Ok(Appended::Stored));
        }
        let script = Scripted::default();
        let status = Arc::new(Status::new("sink", "scripted"));
        let consumer = consumers.remove(0);
        let worker = Worker::new(consumer, Box::new(script.clone()), filter, retry, Arc::clone(&status), metrics);
        Bench { directory, journal, worker, script, status }
    }

    pub(super) async fn step(&mut self) -> Step {
        self.worker.step(NOW_MS).await.unwrap()
    }

    /// Steps until there is nothing more to do, without waiting.
    pub(super) async fn settle(&mut self) {
        while self.step().await != Step::Idle {}
    }

    pub(super) fn given(&self) -> Vec<Vec<i64>> {
        self.script.0.lock().unwrap().given.clone()
    }

    pub(super) fn answer(&self, errors: Vec<(u32, DeliveryError)>) {
        self.script.0.lock().unwrap().calls.push_back(errors);
    }

    pub(super) fn dead_letters(&self) -> Vec<(i64, i64, String)> {
        let database = rusqlite::Connection::open(self.directory.path().join("journal.db")).unwrap();
        let mut statement =
            database.prepare("SELECT offset, attempts, reason FROM dead_letters ORDER BY number").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    pub(super) async fn stop(self) -> tempfile::TempDir {
        self.journal.close();
        self.journal.join();
        self.directory
    }
}

pub(super) fn transient() -> DeliveryError {
    DeliveryError::transient("no room")
}

#[tokio::test]
async fn delivers_all_and_goes_on_where_it_was_after_a_restart() {
    let mut bench = Bench::new(0..5, Filter::default(), RetryOptions::default()).await;
    bench.settle().await;
    assert_eq!(bench.given(), [[1, 2, 3, 4, 5]]);
    let directory = bench.stop().await;
    let mut bench = Bench::open(directory, 5..7, Filter::default(), RetryOptions::default()).await;
    bench.settle().await;
    assert_eq!(bench.given(), [[6, 7]]);
}

#[tokio::test]
async fn what_the_filter_leaves_out_moves_the_cursor_too() {
    let filter = Filter { types: vec!["push".parse().unwrap()], ..Filter::default() };
    let mut bench = Bench::new(0..6, filter.clone(), RetryOptions::default()).await;
    bench.settle().await;
    assert_eq!(bench.given(), [[2, 4, 6]]);
    assert_eq!(bench.status.view().cursor, 6);
    let directory = bench.stop().await;
    let mut bench = Bench::open(directory, 6..7, filter, RetryOptions::default()).await;
    bench.settle().await;
    assert_eq!((bench.given().len(), bench.status.view().cursor), (0, 7));
}

#[tokio::test]
async fn after_a_neighbours_fault_nothing_is_sent_again() {
    let mut bench = Bench::new(0..4, Filter::default(), RetryOptions::default()).await;
    bench.answer(vec![(1, transient()), (3, transient())]);
    bench.answer(vec![(1, transient())]);
    assert_eq!(bench.step().await, Step::More, "resumes");
    assert!(matches!(bench.step().await, Step::Wait(_)), "delivers, and something is left");
    bench.settle().await;
    assert_eq!(bench.given(), [vec![1, 2, 3, 4], vec![2, 4], vec![2]]);
    assert_eq!(bench.status.view().cursor, 4);
}

#[tokio::test]
async fn the_cursor_is_the_lowest_that_is_not_done() {
    let mut bench = Bench::new(0..4, Filter::default(), RetryOptions::default()).await;
    bench.answer(vec![(1, transient())]);
    while !matches!(bench.step().await, Step::Wait(_)) {}
    assert_eq!(bench.status.view().cursor, 1);
    let directory = bench.stop().await;
    let mut bench = Bench::open(directory, 4..4, Filter::default(), RetryOptions::default()).await;
    bench.settle().await;
    assert_eq!(bench.given(), [[2, 3, 4]], "at least once");
}

#[tokio::test]
async fn a_permanent_failure_becomes_a_dead_letter_and_its_neighbours_pass() {
    let mut bench = Bench::new(0..3, Filter::default(), RetryOptions::default()).await;
    bench.answer(vec![(1, DeliveryError::permanent("poison"))]);
    bench.settle().await;
    assert_eq!(bench.given(), [[1, 2, 3]]);
    assert_eq!(bench.dead_letters(), [(2, 1, "poison".to_owned())]);
    assert_eq!((bench.status.view().cursor, bench.status.view().dead_letters), (3, 1));
}

#[tokio::test]
async fn a_failure_holds_up_what_follows_in_its_stream_and_only_that() {
    let mut bench = Bench::new(0..0, Filter::default(), RetryOptions::default()).await;
    for number in 0..7 {
        let stream = if number % 2 == 0 { "a" } else { "b" };
        assert_eq!(bench.journal.append(event_of(stream, number)).await, Ok(Appended::Stored));
    }
    bench.answer(vec![(2, transient())]);
    bench.answer(vec![(2, transient())]);
    bench.answer(vec![(2, DeliveryError::permanent("poison"))]);
    bench.answer(vec![(4, transient())]);
    bench.settle().await;
    assert_eq!(bench.given(), [vec![1, 2, 3, 4, 5, 6, 7], vec![3, 5, 7], vec![3, 5, 7], vec![5, 7], vec![5, 7]]);
    // Of the one stream 1, 5, 7 without the poison, of the other 2, 4, 6: both in order, and each once.
    assert_eq!(bench.script.0.lock().unwrap().taken, [1, 2, 4, 6, 5, 7]);
    let dead_letters: Vec<_> = bench.dead_letters().into_iter().map(|(offset, _, reason)| (offset, reason)).collect();
    assert_eq!(dead_letters, [(3, "poison".to_owned())]);
    assert_eq!(bench.status.view().cursor, 7);
}

#[tokio::test]
async fn attempts_end_where_they_are_bounded_and_never_where_they_are_not() {
    let retry = RetryOptions { attempts_max: Some(3), ..RetryOptions::default() };
    let mut bench = Bench::new(0..2, Filter::default(), retry).await;
    for _ in 0..3 {
        bench.answer(vec![(0, transient()), (1, transient())]);
    }
    bench.settle().await;
    assert_eq!(bench.given().len(), 3);
    assert_eq!(bench.dead_letters(), [(1, 3, "no room".to_owned()), (2, 3, "no room".to_owned())]);

    let mut bench = Bench::new(0..1, Filter::default(), RetryOptions::default()).await;
    for _ in 0..100 {
        bench.answer(vec![(0, transient())]);
    }
    bench.settle().await;
    assert_eq!((bench.given().len(), bench.dead_letters().len()), (101, 0));
}

#[tokio::test]
async fn attempts_are_counted_also_beside_neighbours_that_succeed() {
    let retry = RetryOptions { attempts_max: Some(3), ..RetryOptions::default() };
    let mut bench = Bench::new(0..3, Filter::default(), retry).await;
    bench.answer(vec![(1, transient()), (2, transient())]);
    bench.answer(vec![(1, transient())]);
    bench.answer(vec![(1, transient())]);
    bench.settle().await;
    assert_eq!(bench.given(), [vec![1, 2, 3], vec![2, 3], vec![2]]);
    assert_eq!(bench.dead_letters(), [(2, 3, "no room".to_owned())]);
}

#[tokio::test]
async fn what_is_held_back_for_its_stream_loses_no_attempt() {
    let retry = RetryOptions { attempts_max: Some(2), ..RetryOptions::default() };
    let mut bench = Bench::new(0..0, Filter::default(), retry).await;
    for number in 0..3 {
        assert_eq!(bench.journal.append(event_of("one", number)).await, Ok(Appended::Stored));
    }
    for _ in 0..2 {
        bench.answer(vec![(0, transient())]);
    }
    bench.answer(vec![(1, transient())]);
    bench.settle().await;
    assert_eq!(bench.given(), [vec![1, 2, 3], vec![1, 2, 3], vec![2, 3], vec![2, 3]]);
    assert_eq!(bench.dead_letters(), [(1, 2, "no room".to_owned())]);
}

#[tokio::test]
async fn an_event_that_is_too_old_is_given_up_after_its_attempt() {
    let retry = RetryOptions { age_secs_max: Some(60), ..RetryOptions::default() };
    let mut bench = Bench::new(0..1, Filter::default(), retry).await;
    bench.answer(vec![(0, transient())]);
    bench.answer(vec![(0, transient())]);
    while !matches!(bench.step().await, Step::Wait(_)) {}
    assert_eq!(bench.dead_letters().len(), 0);
    bench.worker.step(NOW_MS + 60_000).await.unwrap();
    assert_eq!(bench.dead_letters(), [(1, 2, "no room".to_owned())]);
}

#[tokio::test]
async fn waits_grow_and_the_status_tells_why() {
    let retry = RetryOptions { wait_ms_first: 1000, wait_ms_max: 4000, ..RetryOptions::default() };
    let mut bench = Bench::new(0..1, Filter::default(), retry).await;
    bench.step().await;
    for (attempt, longest_ms) in [(2, 1000), (3, 2000), (4, 4000), (5, 4000)] {
        bench.answer(vec![(0, transient())]);
        let Step::Wait(wait) = bench.step().await else { panic!("it failed") };
        assert!(wait.as_millis() * 2 >= longest_ms && wait.as_millis() <= longest_ms, "{wait:?}");
        let view = bench.status.view();
        assert_eq!((view.attempt, view.last_error.as_deref()), (attempt, Some("no room")));
        assert_eq!(view.oldest_pending_ms, Some(NOW_MS));
    }
    bench.settle().await;
    let view = bench.status.view();
    assert_eq!((view.attempt, view.last_error, view.oldest_pending_ms), (1, None, None));
}

#[tokio::test]
async fn a_sink_that_cannot_resume_is_given_nothing_and_shows_what_waits() {
    let mut bench = Bench::new(0..1, Filter::default(), RetryOptions::default()).await;
    bench.script.0.lock().unwrap().resumes.push_back(Err(transient()));
    assert!(matches!(bench.step().await, Step::Wait(_)));
    assert_eq!((bench.given().len(), bench.status.view().attempt), (0, 2));
    assert_eq!(bench.status.view().oldest_pending_ms, Some(NOW_MS));
    bench.settle().await;
    assert_eq!(bench.given(), [[1]]);
}

#[tokio::test]
async fn what_a_sink_has_already_is_not_given_again() {
    let mut bench = Bench::new(0..3, Filter::default(), RetryOptions::default()).await;
    bench.script.0.lock().unwrap().resumes.push_back(Ok(2));
    bench.settle().await;
    assert_eq!(bench.given(), [[3]]);
}

#[tokio::test]
async fn a_stop_lets_go_of_a_failing_sink_and_finishes_with_a_working_one() {
    for is_failing in [true, false] {
        let bench = Bench::new(0..3, Filter::default(), RetryOptions::default()).await;
        if is_failing {
            bench.answer((0..3).map(|number| (number, transient())).collect());
        }
        let (_stop, stopping) = tokio::sync::watch::channel(true);
        bench.worker.run(stopping).await.unwrap();
        assert_eq!(bench.status.view().cursor, if is_failing { 0 } else { 3 });
    }
}

#[tokio::test]
async fn a_closed_journal_ends_the_worker() {
    let mut bench = Bench::new(0..3, Filter::default(), RetryOptions::default()).await;
    bench.journal.close();
    bench.journal.join();
    let error = loop {
        if let Err(error) = bench.worker.step(NOW_MS).await {
            break error;
        }
    };
    assert!(matches!(error, JournalError::Closed));
}
