//! The worker, one step at a time, on a real journal and with a sink that answers as it is told.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::*;
use crate::callback::{Callback, Event, EventSelection, Options as VerifierOptions, Verifier};
use crate::journal::{self, Appended, Journal, JournalError, Offset, Opened, Record, Records, SqliteJournal, Start};
use crate::sink::{Failure, Outcome, Sink};
use crate::telemetry::Metrics;

pub(super) const NOW_MS: i64 = 1_700_000_000_000;

/// An event of a stream of its own.
pub(super) fn event(number: u32) -> Event {
    event_of(&format!("s{number}"), number)
}

pub(super) fn event_of(stream: &str, number: u32) -> Event {
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
    resumes: VecDeque<Result<i64, Failure>>,
    calls: VecDeque<Vec<(u32, Outcome)>>,
    pub(super) given: Vec<Vec<i64>>,
    pub(super) taken: Vec<i64>,
    pub(super) is_ordered: bool,
    /// How long it takes for each event, in ms.
    pub(super) event_ms: i64,
    clock: Arc<AtomicI64>,
}

#[derive(Clone, Default)]
pub(super) struct Scripted(pub(super) Arc<Mutex<Script>>);

#[async_trait]
impl Sink for Scripted {
    async fn resume(&mut self, cursor: Offset, _: Option<&[u8]>, _: &dyn Records) -> Result<Offset, Failure> {
        self.0.lock().unwrap().resumes.pop_front().map_or(Ok(cursor), |answer| answer.map(Offset))
    }

    async fn deliver(&mut self, batch: &[Record]) -> Vec<Outcome> {
        let mut script = self.0.lock().unwrap();
        script.given.push(batch.iter().map(|record| record.offset.0).collect());
        script.clock.fetch_add(script.event_ms * batch.len() as i64, Ordering::Relaxed);
        let errors = script.calls.pop_front().unwrap_or_default();
        let mut failed_keys = HashSet::new();
        let answer = |record: &Record| {
            let key = record.event.partition_key().as_str().to_owned();
            // Numbers begin at 0, offsets at 1.
            let error = errors.iter().find(|(number, _)| record.offset.0 == i64::from(*number) + 1);
            let outcome = match error {
                Some((_, error)) => error.clone(),
                None if failed_keys.contains(&key) => Outcome::Held,
                None => {
                    script.taken.push(record.offset.0);
                    Outcome::Delivered
                }
            };
            if outcome != Outcome::Delivered {
                failed_keys.insert(key);
            }
            outcome
        };
        batch.iter().map(answer).collect()
    }

    fn is_ordered(&self) -> bool {
        self.0.lock().unwrap().is_ordered
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
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Arc<AtomicI64>,
}

impl Bench {
    pub(super) async fn new(events: std::ops::Range<u32>, selection: EventSelection, retry: RetryOptions) -> Bench {
        Bench::open(tempfile::tempdir().unwrap(), events, selection, retry).await
    }

    pub(super) async fn open(
        directory: tempfile::TempDir,
        events: std::ops::Range<u32>,
        selection: EventSelection,
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
        let clock = Arc::new(AtomicI64::new(NOW_MS));
        let script = Scripted::default();
        script.0.lock().unwrap().clock = Arc::clone(&clock);
        let status = Arc::new(Status::new("sink", "scripted"));
        let consumer = consumers.remove(0);
        let (sink, shown) = (Box::new(script.clone()), Arc::clone(&status));
        let worker = Worker::new(consumer, sink, selection, retry, shown, Arc::clone(&metrics));
        let time = Arc::clone(&clock);
        let worker = worker.with_clock(Box::new(move || time.load(Ordering::Relaxed)));
        Bench { directory, journal, worker, script, status, metrics, clock }
    }

    pub(super) async fn step(&mut self) -> Step {
        self.worker.step().await.unwrap()
    }

    /// Steps until there is nothing more to do for now.
    pub(super) async fn work(&mut self) -> Step {
        loop {
            match self.step().await {
                Step::More => {}
                step => return step,
            }
        }
    }

    /// Steps until all is done, and has the time pass that any wait takes, as long as anything is pending.
    pub(super) async fn settle(&mut self) {
        while self.work().await != Step::Idle || self.status.view().oldest_pending_ms.is_some() {
            self.pass(60_000);
        }
    }

    /// Has time pass, in ms.
    pub(super) fn pass(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::Relaxed);
    }

    pub(super) fn deliveries(&self, outcome: &str) -> u64 {
        let series = format!("livehook_deliveries_total{{sink=\"sink\",outcome=\"{outcome}\"}} ");
        let text = self.metrics.encode();
        text.lines().find_map(|line| line.strip_prefix(&series)).map_or(0, |count| count.parse().unwrap())
    }

    pub(super) fn given(&self) -> Vec<Vec<i64>> {
        self.script.0.lock().unwrap().given.clone()
    }

    pub(super) fn answer(&self, errors: Vec<(u32, Outcome)>) {
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

/// One event is not taken now.
pub(super) fn transient() -> Outcome {
    Failure::of_event("no room").into()
}

/// Nothing is taken now.
fn away() -> Outcome {
    Failure::outage("away").into()
}

#[tokio::test]
async fn delivers_all_and_goes_on_where_it_was_after_a_restart() {
    let mut bench = Bench::new(0..5, EventSelection::default(), RetryOptions::default()).await;
    bench.settle().await;
    assert_eq!(bench.given(), [[1, 2, 3, 4, 5]]);
    let directory = bench.stop().await;
    let mut bench = Bench::open(directory, 5..7, EventSelection::default(), RetryOptions::default()).await;
    bench.settle().await;
    assert_eq!(bench.given(), [[6, 7]]);
}

#[tokio::test]
async fn what_the_filter_leaves_out_moves_the_cursor_too() {
    let selection = EventSelection { types: vec!["push".parse().unwrap()], ..EventSelection::default() };
    let mut bench = Bench::new(0..6, selection.clone(), RetryOptions::default()).await;
    bench.settle().await;
    assert_eq!(bench.given(), [[2, 4, 6]]);
    assert_eq!(bench.status.view().cursor, 6);
    let directory = bench.stop().await;
    let mut bench = Bench::open(directory, 6..7, selection, RetryOptions::default()).await;
    bench.settle().await;
    assert_eq!((bench.given().len(), bench.status.view().cursor), (0, 7));
}

#[tokio::test]
async fn after_a_neighbours_fault_nothing_is_sent_again() {
    let mut bench = Bench::new(0..4, EventSelection::default(), RetryOptions::default()).await;
    bench.answer(vec![(1, transient()), (3, transient())]);
    bench.answer(vec![(1, transient())]);
    assert_eq!(bench.work().await, Step::Idle, "something is left");
    assert_eq!(bench.status.view().cursor, 1);
    bench.settle().await;
    assert_eq!(bench.given(), [vec![1, 2, 3, 4], vec![2, 4], vec![2]]);
    assert_eq!(bench.status.view().cursor, 4);
}

#[tokio::test]
async fn starts_while_a_stream_fails_repeat_neither_deliveries_nor_dead_letters() {
    let retry = RetryOptions { attempts_max: Some(4), ..RetryOptions::default() };
    let mut directory = tempfile::tempdir().unwrap();
    for start in 0..3 {
        let new = if start == 0 { 0..4 } else { 3 + start..4 + start };
        let mut bench = Bench::open(directory, new, EventSelection::default(), retry.clone()).await;
        bench.answer(vec![(0, transient()), (1, Outcome::rejected("poison"))]);
        bench.work().await;
        let given = bench.given();
        let expected = [vec![vec![1, 2, 3, 4]], vec![vec![1, 5]], vec![vec![1, 6]]];
        assert_eq!(given, expected[start as usize], "{start}");
        assert_eq!(bench.dead_letters(), [(2, 1, "poison".to_owned())]);
        assert_eq!(bench.status.view().cursor, 0, "the lowest that is not done");
        directory = bench.stop().await;
    }
    let mut bench = Bench::open(directory, 6..6, EventSelection::default(), retry).await;
    bench.answer(vec![(0, transient())]);
    bench.settle().await;
    assert_eq!(bench.dead_letters()[1], (1, 4, "no room".to_owned()), "attempts count over starts");
    assert_eq!(bench.status.view().cursor, 6);
    let directory = bench.stop().await;
    let mut bench = Bench::open(directory, 6..7, EventSelection::default(), RetryOptions::default()).await;
    bench.settle().await;
    assert_eq!(bench.given(), [[7]]);
}

#[tokio::test]
async fn what_is_left_undone_is_filtered_anew_and_left_out_where_the_sink_has_it() {
    let mut bench = Bench::new(0..3, EventSelection::default(), RetryOptions::default()).await;
    bench.answer((0..3).map(|number| (number, transient())).collect());
    bench.work().await;
    let directory = bench.stop().await;
    let selection = EventSelection { types: vec!["push".parse().unwrap()], ..EventSelection::default() };
    let mut bench = Bench::open(directory, 3..3, selection, RetryOptions::default()).await;
    bench.answer(vec![(1, transient())]);
    bench.work().await;
    assert_eq!(bench.given(), [[2]]);
    let directory = bench.stop().await;
    let mut bench = Bench::open(directory, 3..4, EventSelection::default(), RetryOptions::default()).await;
    bench.script.0.lock().unwrap().resumes.push_back(Ok(3));
    bench.settle().await;
    assert_eq!(bench.given(), [[4]]);
}

#[tokio::test]
async fn while_a_stream_waits_the_others_pass() {
    let mut bench = Bench::new(0..0, EventSelection::default(), RetryOptions::default()).await;
    let append = async |stream, number| bench.journal.append(event_of(stream, number)).await.unwrap();
    append("bad", 0).await;
    bench.answer(vec![(0, transient())]);
    bench.work().await;
    for (number, stream) in ["good", "bad", "other"].into_iter().enumerate() {
        let number = number as u32 + 1;
        bench.journal.append(event_of(stream, number)).await.unwrap();
        assert_eq!(bench.work().await, Step::Idle);
    }
    assert_eq!(bench.given(), [[1], [2], [4]], "the second of the stream is not tried");
    assert_eq!((bench.status.view().cursor, bench.status.view().last_error.as_deref()), (0, Some("no room")));
    assert!(bench.worker.wait().unwrap() <= Duration::from_millis(500));
    bench.pass(500);
    bench.work().await;
    assert_eq!(bench.given().last(), Some(&vec![1, 3]));
    assert_eq!((bench.status.view().cursor, bench.status.view().last_error), (4, None));
}

#[tokio::test]
async fn in_an_outage_new_streams_wait_too() {
    let mut bench = Bench::new(0..1, EventSelection::default(), RetryOptions::default()).await;
    bench.answer(vec![(0, away())]);
    let Step::Wait(wait) = bench.work().await else { panic!("it failed") };
    for number in 1..4 {
        bench.journal.append(event(number)).await.unwrap();
        assert_eq!(bench.work().await, Step::Wait(wait));
    }
    // Two were tried, and the sink held the rest back: so the second wait is longer than that of any stream.
    bench.pass(500);
    bench.answer(vec![(0, away()), (1, away()), (2, Outcome::Held), (3, Outcome::Held)]);
    let Step::Wait(wait) = bench.work().await else { panic!("it failed") };
    assert!(wait.as_millis() >= 500 && wait.as_millis() <= 1000, "{wait:?}");
    bench.settle().await;
    assert_eq!(bench.given().len(), 3);
    assert_eq!(bench.status.view().cursor, 4);
}

#[tokio::test]
async fn an_event_that_gets_no_answer_keeps_no_other_waiting() {
    let mut bench = Bench::new(0..1, EventSelection::default(), RetryOptions::default()).await;
    for _ in 0..40 {
        bench.answer(vec![(0, away())]);
    }
    for number in 1..8 {
        bench.work().await;
        bench.journal.append(event(number)).await.unwrap();
        bench.pass(1000);
        bench.work().await;
        assert_eq!(bench.script.0.lock().unwrap().taken.last(), Some(&(i64::from(number) + 1)));
    }
    assert_eq!(bench.status.view().cursor, 0);
}

#[tokio::test]
async fn where_order_is_kept_over_all_streams_nothing_passes_what_failed() {
    let mut bench = Bench::new(0..3, EventSelection::default(), RetryOptions::default()).await;
    bench.script.0.lock().unwrap().is_ordered = true;
    bench.answer((0..3).map(|number| (number, away())).collect());
    bench.answer((0..3).map(|number| (number, transient())).collect());
    assert!(matches!(bench.work().await, Step::Wait(_)));
    bench.journal.append(event(3)).await.unwrap();
    bench.pass(500);
    assert!(matches!(bench.work().await, Step::Wait(_)));
    bench.settle().await;
    assert_eq!(bench.given(), [vec![1, 2, 3], vec![1, 2, 3], vec![1, 2, 3], vec![4]]);
}

#[tokio::test]
async fn each_stream_waits_for_as_long_as_was_asked_for_it() {
    let asked = |secs, is_outage| {
        let retry_after = Some(Duration::from_secs(secs));
        Outcome::Retry(Failure { reason: "later".to_owned(), retry_after, is_outage })
    };
    let mut bench = Bench::new(0..2, EventSelection::default(), RetryOptions::default()).await;
    bench.answer(vec![(0, transient()), (1, asked(30, false))]);
    bench.work().await;
    bench.pass(500);
    bench.work().await;
    bench.pass(29_499);
    bench.work().await;
    assert_eq!(bench.given(), [vec![1, 2], vec![1]]);
    bench.pass(1);
    bench.work().await;
    assert_eq!(bench.given().last(), Some(&vec![2]));

    // For the sink as a whole it is the longest, also where something was delivered before.
    let mut bench = Bench::new(0..3, EventSelection::default(), RetryOptions::default()).await;
    bench.answer(vec![(1, asked(5, true)), (2, asked(30, true))]);
    assert_eq!(bench.work().await, Step::Wait(Duration::from_secs(30)));
}

#[tokio::test]
async fn giving_up_on_an_event_is_no_success() {
    let retry = RetryOptions { attempts_max: Some(1), ..RetryOptions::default() };
    let mut bench = Bench::new(0..1, EventSelection::default(), retry).await;
    bench.answer(vec![(0, away())]);
    assert!(matches!(bench.work().await, Step::Wait(_)), "it is left alone for a while all the same");
    let view = bench.status.view();
    assert_eq!((view.dead_letters, view.last_error.as_deref(), view.attempt), (1, Some("away"), 2));
    bench.journal.append(event(1)).await.unwrap();
    bench.settle().await;
    assert_eq!((bench.status.view().last_error, bench.status.view().attempt), (None, 1));
}

#[tokio::test]
async fn a_permanent_failure_becomes_a_dead_letter_and_its_neighbours_pass() {
    let mut bench = Bench::new(0..3, EventSelection::default(), RetryOptions::default()).await;
    bench.answer(vec![(1, Outcome::rejected("poison"))]);
    bench.settle().await;
    assert_eq!(bench.given(), [[1, 2, 3]]);
    assert_eq!(bench.dead_letters(), [(2, 1, "poison".to_owned())]);
    assert_eq!((bench.status.view().cursor, bench.status.view().dead_letters), (3, 1));
}

#[tokio::test]
async fn a_failure_holds_up_what_follows_in_its_stream_and_only_that() {
    let mut bench = Bench::new(0..0, EventSelection::default(), RetryOptions::default()).await;
    for number in 0..7 {
        let stream = if number % 2 == 0 { "a" } else { "b" };
        assert_eq!(bench.journal.append(event_of(stream, number)).await, Ok(Appended::Stored));
    }
    bench.answer(vec![(2, transient())]);
    bench.answer(vec![(2, transient())]);
    bench.answer(vec![(2, Outcome::rejected("poison"))]);
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
    let mut bench = Bench::new(0..2, EventSelection::default(), retry).await;
    for _ in 0..3 {
        bench.answer(vec![(0, transient()), (1, transient())]);
    }
    bench.settle().await;
    assert_eq!(bench.given().len(), 3);
    assert_eq!(bench.dead_letters(), [(1, 3, "no room".to_owned()), (2, 3, "no room".to_owned())]);

    let mut bench = Bench::new(0..1, EventSelection::default(), RetryOptions::default()).await;
    for _ in 0..100 {
        bench.answer(vec![(0, transient())]);
    }
    bench.settle().await;
    assert_eq!((bench.given().len(), bench.dead_letters().len()), (101, 0));
}

#[tokio::test]
async fn attempts_are_counted_also_beside_neighbours_that_succeed() {
    let retry = RetryOptions { attempts_max: Some(3), ..RetryOptions::default() };
    let mut bench = Bench::new(0..3, EventSelection::default(), retry).await;
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
    let mut bench = Bench::new(0..0, EventSelection::default(), retry).await;
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
    let mut bench = Bench::new(0..1, EventSelection::default(), retry).await;
    bench.answer(vec![(0, transient())]);
    bench.answer(vec![(0, transient())]);
    bench.work().await;
    assert_eq!(bench.dead_letters().len(), 0);
    bench.pass(60_000);
    bench.work().await;
    assert_eq!(bench.dead_letters(), [(1, 2, "no room".to_owned())]);
}

#[tokio::test]
async fn an_event_is_given_up_for_its_age_at_the_end_of_an_attempt_of_its_own() {
    let retry = RetryOptions { age_secs_max: Some(60), ..RetryOptions::default() };
    let mut bench = Bench::new(0..3, EventSelection::default(), retry).await;
    bench.script.0.lock().unwrap().event_ms = 20_000;
    bench.answer(vec![(0, away()), (1, Outcome::Held), (2, Outcome::Held)]);
    bench.work().await;
    assert_eq!(bench.dead_letters(), [(1, 1, "away".to_owned())], "what was not tried stays, whatever its age");
    let database = rusqlite::Connection::open(bench.directory.path().join("journal.db")).unwrap();
    let failed_ms: i64 = database.query_row("SELECT failed_ms FROM dead_letters", [], |row| row.get(0)).unwrap();
    assert_eq!(failed_ms, NOW_MS + 60_000, "when the attempt had failed, and not when it began");
    bench.settle().await;
    assert_eq!((bench.dead_letters().len(), bench.status.view().cursor), (1, 3));
}

#[tokio::test]
async fn waits_grow_and_the_status_tells_why() {
    let retry = RetryOptions { wait_ms_first: 1000, wait_ms_max: 4000, ..RetryOptions::default() };
    let mut bench = Bench::new(0..1, EventSelection::default(), retry).await;
    bench.step().await;
    for (attempt, longest_ms) in [(2, 1000), (3, 2000), (4, 4000), (5, 4000)] {
        bench.answer(vec![(0, away())]);
        let Step::Wait(wait) = bench.work().await else { panic!("it failed") };
        bench.pass(4000);
        assert!(wait.as_millis() * 2 >= longest_ms && wait.as_millis() <= longest_ms, "{wait:?}");
        let view = bench.status.view();
        assert_eq!((view.attempt, view.last_error.as_deref()), (attempt, Some("away")));
        assert_eq!(view.oldest_pending_ms, Some(NOW_MS));
    }
    bench.settle().await;
    let view = bench.status.view();
    assert_eq!((view.attempt, view.last_error, view.oldest_pending_ms), (1, None, None));
}

#[tokio::test]
async fn a_sink_that_cannot_resume_is_given_nothing_and_shows_what_waits() {
    let mut bench = Bench::new(0..1, EventSelection::default(), RetryOptions::default()).await;
    bench.script.0.lock().unwrap().resumes.push_back(Err(Failure::of_event("no room")));
    assert!(matches!(bench.work().await, Step::Wait(_)));
    assert_eq!((bench.given().len(), bench.status.view().attempt), (0, 2));
    assert_eq!(bench.status.view().oldest_pending_ms, Some(NOW_MS));
    bench.settle().await;
    assert_eq!(bench.given(), [[1]]);
}

#[tokio::test]
async fn what_a_sink_has_already_is_not_given_again() {
    let mut bench = Bench::new(0..3, EventSelection::default(), RetryOptions::default()).await;
    bench.script.0.lock().unwrap().resumes.push_back(Ok(2));
    bench.settle().await;
    assert_eq!(bench.given(), [[3]]);
}

#[tokio::test]
async fn a_stop_lets_go_of_a_failing_sink_and_finishes_with_a_working_one() {
    for is_failing in [true, false] {
        let bench = Bench::new(0..3, EventSelection::default(), RetryOptions::default()).await;
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
    let mut bench = Bench::new(0..3, EventSelection::default(), RetryOptions::default()).await;
    bench.journal.close();
    bench.journal.join();
    let error = loop {
        if let Err(error) = bench.worker.step().await {
            break error;
        }
    };
    assert!(matches!(error, JournalError::Closed));
}
