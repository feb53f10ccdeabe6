//! Dead letters and replays: what is changed, what is counted, and what is durable together.

use std::sync::Arc;
use std::time::Duration;

use super::test_events::event;
use super::*;
use crate::telemetry::Metrics;

const FAILED_MS: i64 = 1_700_000_000_000;

struct Bench {
    directory: tempfile::TempDir,
    journal: Arc<SqliteJournal>,
    consumers: Vec<Box<dyn Consumer>>,
}

impl Bench {
    async fn new(sinks: &[&str]) -> Bench {
        Bench::open(tempfile::tempdir().unwrap(), sinks)
    }

    fn open(directory: tempfile::TempDir, sinks: &[&str]) -> Bench {
        let names: Vec<(String, Start)> = sinks.iter().map(|name| ((*name).to_owned(), Start::Earliest)).collect();
        let metrics = Arc::new(Metrics::new());
        let Opened { journal, consumers, exchange } =
            SqliteJournal::open(directory.path(), &Options::default(), &names, metrics).unwrap();
        tokio::spawn(exchange.run());
        Bench { directory, journal, consumers }
    }

    /// Closes it, and opens it for other sinks.
    fn again(self, sinks: &[&str]) -> Bench {
        drop(self.consumers);
        self.journal.close();
        self.journal.join();
        drop(self.journal);
        Bench::open(self.directory, sinks)
    }

    /// Has a sink give up on new events of these numbers, each a second after the one before.
    async fn give_up(&mut self, sink: usize, numbers: std::ops::Range<u32>) {
        let mut dead_letters = Vec::new();
        for number in numbers {
            self.journal.append(event(number)).await.unwrap();
            let record = self.reader().read(self.journal.health().head.before(), 1).unwrap().remove(0);
            let failed_ms = FAILED_MS + i64::from(number) * 1000;
            dead_letters.push(DeadLetter { record, attempts: 3, reason: format!("poison {number}"), failed_ms });
        }
        let cursor = self.journal.health().head;
        self.advance(sink, Progress { cursor, dead_letters, ..Progress::default() }).await;
    }

    async fn advance(&mut self, sink: usize, progress: Progress) {
        self.consumers[sink].advance(Progress { urgent: true, ..progress }).await.unwrap();
    }

    fn reader(&self) -> Reader {
        Reader::open(self.directory.path()).unwrap()
    }

    async fn change(&self, action: LetterAction, selection: LetterSelection) -> Changed {
        self.journal.change(Change::Letters(action, selection)).await.unwrap()
    }

    async fn redriven(&self, sink: usize) -> Vec<i64> {
        self.consumers[sink].redriven(0, 10_000).await.unwrap().iter().map(|letter| letter.number).collect()
    }

    fn numbers(&self) -> Vec<i64> {
        let page = self.reader().dead_letters(&LetterSelection::default(), 0, 10_000).unwrap();
        page.letters.iter().map(|letter| letter.number).collect()
    }
}

fn of(sink: &str) -> LetterSelection {
    LetterSelection { sink: Some(sink.to_owned()), ..LetterSelection::default() }
}

#[tokio::test]
async fn what_is_selected_is_what_matches_everything_that_is_given() {
    let mut bench = Bench::new(&["archive", "backend"]).await;
    bench.give_up(0, 0..3).await;
    bench.give_up(1, 3..6).await;
    let reader = bench.reader();
    let found = |selection: &LetterSelection| -> Vec<i64> {
        let page = reader.dead_letters(selection, 0, 100).unwrap();
        page.letters.iter().map(|letter| letter.number).collect()
    };
    let id = event(4).id();
    let seconds = |from: i64, to: i64| LetterSelection {
        since_ms: Some(FAILED_MS + from * 1000),
        until_ms: Some(FAILED_MS + to * 1000),
        ..LetterSelection::default()
    };
    assert_eq!(found(&LetterSelection::default()), [1, 2, 3, 4, 5, 6]);
    assert_eq!(found(&of("backend")), [4, 5, 6]);
    assert_eq!(found(&LetterSelection { numbers: vec![6, 1, 99], ids: vec![id], ..Default::default() }), [1, 5, 6]);
    assert_eq!(found(&LetterSelection { numbers: vec![1, 4], ..of("backend") }), [4]);
    assert_eq!(found(&seconds(1, 4)), [2, 3, 4]);
    assert_eq!(found(&LetterSelection { sink: Some("backend".to_owned()), ..seconds(1, 4) }), [4]);
    assert!(found(&of("none")).is_empty());

    let letter = reader.dead_letter(5).unwrap().unwrap();
    assert_eq!((letter.sink.as_str(), letter.redriven_ms, letter.letter.attempts), ("backend", None, 3));
    assert_eq!((letter.letter.reason.as_str(), &letter.letter.record.event), ("poison 4", &event(4)));
    assert_eq!(reader.dead_letter(99).unwrap(), None);
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition() {
    let mut bench = Bench::new(&["archive"]).await;
    bench.give_up(0, 0..7).await;
    let (mut after, mut seen, mut pages) = (0, Vec::new(), 0);
    loop {
        let page = bench.reader().dead_letters(&LetterSelection::default(), after, 3).unwrap();
        seen.extend(page.letters.iter().map(|letter| letter.number));
        pages += 1;
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!((seen, pages), (vec![1, 2, 3, 4, 5, 6, 7], 3));
}

#[tokio::test]
async fn redrive_counts_what_it_puts_back_and_reaches_its_own_sink_alone() {
    let mut bench = Bench::new(&["archive", "backend"]).await;
    bench.give_up(0, 0..2).await;
    bench.give_up(1, 2..4).await;
    for consumer in &mut bench.consumers {
        consumer.take_news();
    }
    assert_eq!(bench.change(LetterAction::Redrive, of("archive")).await.count, 2);
    assert!(bench.consumers[0].take_news() && !bench.consumers[0].take_news());
    assert_eq!((bench.redriven(0).await, bench.redriven(1).await), (vec![1, 2], vec![]));
    let changed = bench.change(LetterAction::Redrive, LetterSelection::default()).await;
    assert_eq!((changed.count, changed.without_sink.len()), (2, 0), "those that are put back already do not count");

    let bench = bench.again(&["archive", "backend"]);
    assert_eq!((bench.redriven(0).await, bench.redriven(1).await), (vec![1, 2], vec![3, 4]), "after a restart too");
}

#[tokio::test]
async fn a_waiting_consumer_learns_of_a_redrive() {
    let mut bench = Bench::new(&["archive"]).await;
    bench.give_up(0, 0..1).await;
    bench.consumers[0].take_news();
    let journal = Arc::clone(&bench.journal);
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        journal.change(Change::Letters(LetterAction::Redrive, LetterSelection::default())).await.unwrap();
    });
    let head = bench.journal.health().head;
    tokio::time::timeout(Duration::from_secs(20), bench.consumers[0].wait(head)).await.unwrap().unwrap();
    assert!(bench.consumers[0].take_news());
}

#[tokio::test]
async fn dead_letters_of_a_sink_that_is_gone_can_be_dropped_and_not_redriven() {
    let mut bench = Bench::new(&["archive", "backend"]).await;
    bench.give_up(0, 0..2).await;
    bench.give_up(1, 2..3).await;
    assert_eq!(bench.change(LetterAction::Redrive, LetterSelection::default()).await.count, 3);
    let bench = bench.again(&["backend"]);
    assert_eq!(bench.reader().dead_letter(1).unwrap().unwrap().redriven_ms, None, "nobody is there to take it");
    let changed = bench.change(LetterAction::Redrive, LetterSelection::default()).await;
    assert_eq!((changed.count, changed.without_sink), (0, [("archive".to_owned(), 2)].into()));
    assert_eq!(bench.change(LetterAction::Drop, of("archive")).await.count, 2);
    assert_eq!(bench.numbers(), [3]);
}

#[tokio::test]
async fn many_are_changed_in_slices_and_those_that_come_meanwhile_are_not() {
    let mut bench = Bench::new(&["archive"]).await;
    bench.journal.append(event(0)).await.unwrap();
    let record = bench.reader().read(Offset(0), 1).unwrap().remove(0);
    let letter = DeadLetter { record, attempts: 1, reason: "poison".to_owned(), failed_ms: FAILED_MS };
    let dead_letters = vec![letter.clone(); 2500];
    bench.advance(0, Progress { cursor: Offset(1), dead_letters, ..Progress::default() }).await;
    let redrive = Change::Letters(LetterAction::Redrive, LetterSelection::default());
    let late = Progress { cursor: Offset(1), dead_letters: vec![letter], urgent: true, ..Progress::default() };
    let (journal, consumer) = (Arc::clone(&bench.journal), &mut bench.consumers[0]);
    let (changed, advanced) = tokio::join!(journal.change(redrive), consumer.advance(late));
    advanced.unwrap();
    let count = changed.unwrap().count;
    assert!((2500..=2501).contains(&count), "{count}");
    assert_eq!(bench.redriven(0).await.len() as u64, count);
    assert_eq!(bench.change(LetterAction::Drop, LetterSelection::default()).await.count, 2501);
    assert_eq!((bench.numbers().len(), bench.consumers[0].dead_letters()), (0, 0));
}

#[tokio::test]
async fn what_became_of_a_redriven_one_is_kept_with_the_cursor() {
    let mut bench = Bench::new(&["archive"]).await;
    bench.give_up(0, 0..3).await;
    bench.change(LetterAction::Redrive, LetterSelection::default()).await;
    bench.change(LetterAction::Drop, LetterSelection { numbers: vec![3], ..LetterSelection::default() }).await;
    let failed = |number| SettledLetter {
        number,
        failure: Some(LetterFailure::GivenUp { reason: "still".to_owned(), failed_ms: FAILED_MS + 99 }),
    };
    let tried = vec![SettledLetter { number: 2, failure: Some(LetterFailure::Transient) }];
    bench.advance(0, Progress { settled: tried, ..Progress::default() }).await;
    let letter = bench.consumers[0].redriven(1, 10).await.unwrap().remove(0);
    assert_eq!((letter.number, letter.redriven_attempts, letter.letter.attempts), (2, 1, 4));
    assert_eq!(letter.letter.reason, "poison 1", "why it was given up last");
    let settled = vec![SettledLetter { number: 1, failure: None }, failed(2), failed(3)];
    let state = Some(b"state".to_vec());
    bench.advance(0, Progress { cursor: Offset(0), state, settled, ..Progress::default() }).await;
    assert_eq!(bench.consumers[0].dead_letters(), 1);

    let bench = bench.again(&["archive"]);
    assert_eq!(bench.numbers(), [2], "what was delivered is gone, and what was dropped does not come back");
    let letter = bench.reader().dead_letter(2).unwrap().unwrap();
    assert_eq!((letter.redriven_ms, letter.redriven_attempts, letter.letter.attempts), (None, 0, 5));
    assert_eq!((letter.letter.reason.as_str(), letter.letter.failed_ms), ("still", FAILED_MS + 99));
    let consumer = &bench.consumers[0];
    assert_eq!((consumer.cursor(), consumer.state(), consumer.dead_letters()), (Offset(3), Some(&b"state"[..]), 1));
}

#[tokio::test]
async fn without_a_service_changes_are_made_under_the_lock() {
    let mut bench = Bench::new(&["archive"]).await;
    bench.give_up(0, 0..3).await;
    let directory = bench.directory.path().to_owned();
    let change = |action, numbers| {
        change_unserved(
            &directory,
            Change::Letters(action, LetterSelection { numbers, ..LetterSelection::default() }),
            FAILED_MS,
        )
    };
    assert!(matches!(change(LetterAction::Drop, vec![1]), Err(JournalError::Locked(_))));
    let Bench { directory: kept, journal, consumers } = bench;
    drop(consumers);
    journal.close();
    journal.join();
    drop(journal);
    assert_eq!(change(LetterAction::Drop, vec![1]).unwrap().count, 1);
    assert_eq!(change(LetterAction::Redrive, vec![2, 3]).unwrap().count, 2);
    let bench = Bench::open(kept, &["archive"]);
    assert_eq!((bench.numbers(), bench.redriven(0).await), (vec![2, 3], vec![2, 3]));
    let absent = tempfile::tempdir().unwrap();
    let error = change_unserved(absent.path(), Change::CancelReplay(1), 0).unwrap_err();
    assert!(matches!(error, JournalError::Absent(_)));
    assert_eq!(std::fs::read_dir(absent.path()).unwrap().count(), 0, "nothing is made where nothing was");
}

fn order(sink: &str) -> NewReplay {
    NewReplay { sink: sink.to_owned(), selection: "{}".to_owned(), first: Offset(2), last: Offset(9), counted: Some(7) }
}

#[tokio::test]
async fn a_replay_keeps_its_place_until_it_ends() {
    let bench = Bench::new(&["archive", "backend"]).await;
    let begin = async |sink| bench.journal.change(Change::BeginReplay(order(sink))).await.unwrap().replay;
    assert_eq!((begin("archive").await, begin("archive").await), (Some(1), Some(2)));
    assert_eq!(bench.consumers[1].replay().await.unwrap(), None);
    let uncounted = NewReplay { counted: None, ..order("archive") };
    let third = bench.journal.change(Change::BeginReplay(uncounted.clone())).await.unwrap().replay;
    assert_eq!(bench.reader().replay(third.unwrap()).unwrap().unwrap().order, uncounted);
    bench.journal.change(Change::CancelReplay(third.unwrap())).await.unwrap();
    let mut bench = bench;
    let progress = |number, cursor, ended_ms: Option<i64>| Progress {
        replay: Some(ReplayProgress {
            number,
            cursor: Offset(cursor),
            done: 3,
            failed: 1,
            last_reason: ended_ms.map(|_| "poison".to_owned()),
            ended_ms,
        }),
        ..Progress::default()
    };
    bench.advance(0, progress(1, 5, None)).await;
    let mut bench = bench.again(&["archive", "backend"]);
    let replay = bench.consumers[0].replay().await.unwrap().unwrap();
    assert_eq!((replay.number, replay.cursor, replay.done, replay.failed), (1, Offset(5), 3, 1));
    assert_eq!((&replay.order, replay.last_reason, replay.ended_ms), (&order("archive"), None, None));
    bench.advance(0, progress(1, 9, Some(FAILED_MS))).await;
    let replay = bench.reader().replay(1).unwrap().unwrap();
    assert_eq!((replay.done, replay.failed, replay.ended_ms), (6, 2, Some(FAILED_MS)));
    assert_eq!(replay.last_reason.as_deref(), Some("poison"));
    assert_eq!(bench.consumers[0].replay().await.unwrap().unwrap().number, 2, "the next one in turn");
    assert_eq!(bench.consumers[0].cursor(), Offset(0), "the sink's own cursor is not touched");

    let cancel = async |number| bench.journal.change(Change::CancelReplay(number)).await.unwrap().count;
    assert_eq!((cancel(2).await, cancel(2).await, cancel(1).await, cancel(77).await), (1, 0, 0, 0));
    assert_eq!(bench.consumers[0].replay().await.unwrap(), None);
    let all: Vec<(i64, bool)> = bench
        .reader()
        .replays(i64::MAX, 10)
        .unwrap()
        .iter()
        .map(|replay| (replay.number, replay.is_cancelled))
        .collect();
    assert_eq!(all, [(3, true), (2, true), (1, false)]);
}

#[tokio::test]
async fn replays_that_run_and_that_are_remembered_are_bounded() {
    let bench = Bench::new(&["archive"]).await;
    let begin = async || bench.journal.change(Change::BeginReplay(order("archive"))).await.unwrap().replay;
    for _ in 0..100 {
        begin().await.unwrap();
    }
    assert_eq!(begin().await, None);
    bench.journal.change(Change::CancelReplay(1)).await.unwrap();
    assert!(begin().await.is_some());
    for _ in 0..5 {
        bench.journal.change(Change::CancelReplay(2)).await.unwrap();
        bench.journal.change(Change::CancelReplay(100)).await.unwrap();
        let number = begin().await.unwrap();
        bench.journal.change(Change::CancelReplay(number)).await.unwrap();
    }
    let numbers: Vec<i64> =
        bench.reader().replays(i64::MAX, 1000).unwrap().iter().map(|replay| replay.number).collect();
    assert!(!numbers.contains(&1) && !numbers.contains(&2), "ended long ago: {numbers:?}");
    assert!(numbers.contains(&3) && numbers.contains(&100), "not ended, or not long ago: {numbers:?}");
}
