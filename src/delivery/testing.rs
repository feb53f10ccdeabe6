//! A bench for the tests: a worker on a real journal, with a scripted sink and a clock that the test moves.

use std::collections::{HashSet, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use tempfile::TempDir;
use tokio::time::Instant;

use super::{Outlet, RetryOptions, Status, Worker};
use crate::callback::testing::RECEIVED_MS;
use crate::callback::{Event, EventSelection, testing};
use crate::clock::system_clock;
use crate::clock::testing::{advance_test_clock, set_test_clock, test_clock};
use crate::journal::{self, Appended, Journal, Offset, Opened, Record, Records, SqliteJournal, Start, Step};
use crate::sink::{Failure, Outcome, Sink};
use crate::telemetry::{Metrics, TextFormat};

/// The time at which every event is received.
pub(super) const NOW_MS: i64 = RECEIVED_MS;

/// An event of its own stream. Odd numbers are pushes, even ones are stops.
pub(super) fn event(number: u32) -> Event {
    event_of(&format!("s{number}"), number)
}

/// An event of a stream.
pub(super) fn event_of(stream: &str, number: u32) -> Event {
    let event_type = if number.is_multiple_of(2) { "stop" } else { "push" };
    testing::event(event_type).stream_key(&format!("d.com/live/{stream}")).sequence(number).build()
}

/// The outcome of an event that the destination does not take now.
pub(super) fn refused() -> Outcome {
    Failure::of_event("no room").into()
}

/// The outcome of an event while the destination is down.
pub(super) fn away() -> Outcome {
    Failure::outage("away").into()
}

/// An event that the destination rejects, as an answer of the script.
pub(super) fn poison(number: u32) -> (u32, Outcome) {
    (number, Outcome::rejected(format!("poison {number}")))
}

/// The answers of the sink, and the events that it was given. As every sink must, it takes no event of a stream after one that
/// it did not take.
#[derive(Default)]
pub(super) struct Script {
    /// The results of the next resumes.
    pub(super) resumes: VecDeque<Result<i64, Failure>>,
    /// For each of the next calls, the outcomes of events by number. It takes the others.
    calls: VecDeque<Vec<(u32, Outcome)>>,
    /// The offsets of each call.
    pub(super) given: Vec<Vec<i64>>,
    /// When each call came.
    pub(super) called: Vec<Instant>,
    /// The offsets of the delivered events.
    pub(super) taken: Vec<i64>,
    pub(super) is_ordered: bool,
    /// Every event of the stream with this partition key fails.
    pub(super) failing_key: Option<String>,
    /// How often the sink was tended.
    pub(super) tended: usize,
    /// The time until the next digest, if the sink sends digests.
    pub(super) digest_wait: Option<Duration>,
    /// The time that each event takes, in ms.
    pub(super) event_ms: i64,
}

#[derive(Clone, Default)]
struct ScriptedSink(Arc<Mutex<Script>>);

#[async_trait]
impl Sink for ScriptedSink {
    async fn resume(&mut self, cursor: Offset, _: Option<&[u8]>, _: &dyn Records) -> Result<Offset, Failure> {
        self.0.lock().unwrap().resumes.pop_front().map_or(Ok(cursor), |result| result.map(Offset))
    }

    async fn deliver(&mut self, batch: &[Record]) -> Vec<Outcome> {
        let mut script = self.0.lock().unwrap();
        script.called.push(Instant::now());
        script.given.push(batch.iter().map(|record| record.offset.0).collect());
        advance_test_clock(script.event_ms * batch.len() as i64);
        let answers = script.calls.pop_front().unwrap_or_default();
        let mut failed_keys = HashSet::new();
        let answer = |record: &Record| {
            let key = record.event.partition_key().as_str().to_owned();
            // Numbers begin at 0, offsets at 1.
            let answer = answers.iter().find(|(number, _)| record.offset.0 == i64::from(*number) + 1);
            let outcome = match answer {
                Some((_, outcome)) => outcome.clone(),
                None if failed_keys.contains(&key) => Outcome::Held,
                None if script.failing_key.as_ref() == Some(&key) => refused(),
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

    async fn tend(&mut self) -> Result<bool, Failure> {
        self.0.lock().unwrap().tended += 1;
        Ok(true)
    }

    fn digest_wait(&self) -> Option<Duration> {
        self.0.lock().unwrap().digest_wait
    }

    fn is_ordered(&self) -> bool {
        self.0.lock().unwrap().is_ordered
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(format!("{} calls", self.0.lock().unwrap().given.len()).into_bytes())
    }
}

/// The options of a worker.
#[derive(Clone, Default)]
pub(super) struct Setup {
    selection: EventSelection,
    retry: RetryOptions,
}

impl Setup {
    /// An event becomes a dead letter after so many failed attempts.
    pub(super) fn attempts_max(mut self, attempts: u32) -> Setup {
        self.retry.attempts_max = Some(attempts);
        self
    }

    /// An event becomes a dead letter if it fails at this age.
    pub(super) fn age_secs_max(mut self, secs: u64) -> Setup {
        self.retry.age_secs_max = Some(secs);
        self
    }

    /// The first and the longest wait between attempts, in ms.
    pub(super) fn waits_ms(mut self, first: u64, longest: u64) -> Setup {
        (self.retry.wait_ms_first, self.retry.wait_ms_max) = (first, longest);
        self
    }

    /// The sink is given events of this type only.
    pub(super) fn only(self, event_type: &str) -> Setup {
        let selection = EventSelection { types: vec![event_type.parse().unwrap()], ..EventSelection::default() };
        Setup { selection, ..self }
    }

    /// Starts on a new journal with these events.
    pub(super) async fn start(self, events: Range<u32>) -> Bench {
        Bench::open(tempfile::tempdir().unwrap(), events, self).await
    }
}

/// A worker on a journal.
pub(super) struct Bench {
    pub(super) directory: TempDir,
    pub(super) journal: Arc<SqliteJournal>,
    pub(super) worker: Worker,
    sink: ScriptedSink,
    pub(super) status: Arc<Status>,
    metrics: Arc<Metrics>,
    setup: Setup,
}

impl Bench {
    /// With default options, on a new journal with these events.
    pub(super) async fn new(events: Range<u32>) -> Bench {
        Setup::default().start(events).await
    }

    async fn open(directory: TempDir, events: Range<u32>, setup: Setup) -> Bench {
        let metrics = Arc::new(Metrics::new());
        let names = [("sink".to_owned(), Start::Earliest)];
        // The events are years old, and must not be pruned.
        let options = journal::Options { retention_days: 1_000_000, ..journal::Options::default() };
        let Opened { journal, mut consumers, wakeups } =
            SqliteJournal::open(directory.path(), &options, &names, Arc::clone(&metrics), system_clock).unwrap();
        tokio::spawn(wakeups.run());
        for number in events {
            assert_eq!(journal.append(event(number)).await, Ok(Appended::Stored));
        }
        set_test_clock(NOW_MS);
        let sink = ScriptedSink::default();
        let status = Arc::new(Status::new("sink", "scripted").with_selection(setup.selection.clone()));
        let outlet = Outlet::new(
            consumers.remove(0),
            Box::new(sink.clone()),
            setup.retry.clone(),
            Arc::clone(&status),
            Arc::clone(&metrics),
            test_clock,
        );
        let worker = Worker::new(outlet);
        Bench { directory, journal, worker, sink, status, metrics, setup }
    }

    /// Stops, and starts again with more events and a new script.
    pub(super) async fn restart(self, events: Range<u32>) -> Bench {
        let setup = self.setup.clone();
        self.restart_as(setup, events).await
    }

    /// Stops, and starts again with other options.
    pub(super) async fn restart_as(self, setup: Setup, events: Range<u32>) -> Bench {
        let directory = self.stop();
        Bench::open(directory, events, setup).await
    }

    /// Stops, and lets go of the journal.
    fn stop(self) -> TempDir {
        self.journal.close();
        self.journal.join();
        self.directory
    }

    pub(super) fn script(&self) -> MutexGuard<'_, Script> {
        self.sink.0.lock().unwrap()
    }

    /// The same script, for a worker that runs in another task.
    pub(super) fn shared_script(&self) -> Arc<Mutex<Script>> {
        Arc::clone(&self.sink.0)
    }

    pub(super) async fn append(&self, events: impl IntoIterator<Item = Event>) {
        // At once, so that many share a commit. The journal keeps their order.
        let appended = join_all(events.into_iter().map(|event| self.journal.append(event))).await;
        assert!(appended.iter().all(|appended| *appended == Ok(Appended::Stored)));
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

    /// Steps until every event is finished. Lets the time of every pause pass.
    pub(super) async fn settle(&mut self) {
        while self.work().await != Step::Idle || self.status.view().oldest_pending_ms.is_some() {
            self.pass(60_000);
        }
    }

    /// Lets time pass, in ms.
    pub(super) fn pass(&self, ms: i64) {
        advance_test_clock(ms);
    }

    /// Adds the answers of the next call: the outcomes of events by number. The sink takes the others.
    pub(super) fn answer(&self, answers: Vec<(u32, Outcome)>) {
        self.script().calls.push_back(answers);
    }

    /// The offsets of each call of the sink.
    pub(super) fn given(&self) -> Vec<Vec<i64>> {
        self.script().given.clone()
    }

    /// The metric of deliveries with this outcome.
    pub(super) fn deliveries(&self, outcome: &str) -> u64 {
        let series = format!("livehook_deliveries_total{{sink=\"sink\",outcome=\"{outcome}\"}} ");
        let text = self.metrics.encode(TextFormat::Classic);
        text.lines().find_map(|line| line.strip_prefix(&series)).map_or(0, |count| count.parse().unwrap())
    }

    /// The dead letters: offset, attempts and reason.
    pub(super) fn dead_letters(&self) -> Vec<(i64, i64, String)> {
        let database = rusqlite::Connection::open(self.directory.path().join("journal.db")).unwrap();
        let mut statement =
            database.prepare("SELECT offset, attempts, reason FROM dead_letters ORDER BY number").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }
}
