//! Redrives and replays, one step at a time.

use std::ops::Range;

use super::*;
use crate::clock::system_clock;
use crate::clock::testing::{set_test_clock, test_clock};
use crate::delivery::testing::{Bench, NOW_MS, Setup, event, poison, refused};
use crate::delivery::{Order, ReplaySelection};
use crate::journal::{
    DeadLetterAction, DeadLetterSelection, Journal, NewReplay, Offset, Reader, Replay, SqliteJournal,
};
use crate::sink::{Failure, Outcome};

impl Setup {
    /// Starts on a new journal with these events, and delivers them.
    async fn delivered(self, events: Range<u32>) -> Bench {
        self.with_dead_letters(events, 0).await
    }

    /// Starts on a new journal with these events, and delivers them. The sink rejects the first `count`, and takes the others.
    async fn with_dead_letters(self, events: Range<u32>, count: u32) -> Bench {
        let mut bench = self.start(events).await;
        bench.answer((0..count).map(poison).collect());
        bench.settle().await;
        bench
    }
}

impl Bench {
    /// Redrives the dead letters with these numbers, or all of them. Returns their count.
    async fn redrive(&self, numbers: &[i64]) -> u64 {
        self.change_dead_letters(DeadLetterAction::Redrive, numbers).await
    }

    async fn drop_dead_letters(&self, numbers: &[i64]) -> u64 {
        self.change_dead_letters(DeadLetterAction::Drop, numbers).await
    }

    async fn change_dead_letters(&self, action: DeadLetterAction, numbers: &[i64]) -> u64 {
        let selection = DeadLetterSelection { numbers: numbers.to_vec(), ..DeadLetterSelection::default() };
        self.journal.change_dead_letters(action, selection).await.unwrap().count
    }

    /// Begins a replay of every record up to `last`, and returns its number.
    async fn replay(&self, selection: ReplaySelection, last: i64) -> i64 {
        begin_replay(&self.journal, selection, last).await
    }

    /// The replay as the journal stores it.
    fn replayed(&self, number: i64) -> Replay {
        Reader::open(self.directory.path()).unwrap().replay(number).unwrap().unwrap()
    }

    /// Steps at another time until there is nothing more to do.
    async fn settle_at(&mut self, now_ms: i64) {
        set_test_clock(now_ms);
        self.settle().await;
    }
}

async fn begin_replay(journal: &SqliteJournal, selection: ReplaySelection, last: i64) -> i64 {
    let order = NewReplay {
        sink: "sink".to_owned(),
        selection: serde_json::to_string(&selection).unwrap(),
        first: Offset(0),
        last: Offset(last),
        counted: Some(last),
    };
    journal.begin_replay(order).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_delivered_dead_letter_is_removed() {
    let mut bench = Setup::default().with_dead_letters(0..3, 2).await;
    assert_eq!(bench.status.view().dead_letters, 2);
    assert_eq!(bench.redrive(&[1]).await, 1);
    bench.settle().await;
    assert_eq!(bench.given(), [vec![1, 2, 3], vec![1]]);
    assert_eq!(bench.dead_letters(), [(2, 1, "poison 1".to_owned())]);
    assert_eq!((bench.status.view().dead_letters, bench.status.view().cursor), (1, 3));
}

#[tokio::test]
async fn a_dead_letter_that_fails_again_stays() {
    let mut bench = Setup::default().attempts_max(2).with_dead_letters(0..1, 1).await;
    bench.redrive(&[1]).await;
    bench.answer(vec![(0, refused())]);
    bench.answer(vec![(0, Failure::outage("no room still").into())]);
    bench.settle().await;
    assert_eq!(bench.given(), [[1], [1]], "the second try waits");
    bench.settle_at(NOW_MS + 60_000).await;
    assert_eq!(bench.dead_letters(), [(1, 3, "no room still".to_owned())]);
    bench.settle_at(NOW_MS + 120_000).await;
    assert_eq!(bench.given().len(), 3);
    assert_eq!(bench.status.view().dead_letters, 1);
}

#[tokio::test]
async fn a_redrive_restarts_the_age() {
    let mut bench = Setup::default().age_secs_max(3600).with_dead_letters(0..1, 1).await;
    bench.redrive(&[1]).await;
    bench.answer(vec![(0, refused())]);
    // The journal stamps a redrive by the system clock, because its writer is a thread of its own.
    let now_ms = system_clock();
    bench.settle_at(now_ms).await;
    bench.settle_at(now_ms + 60_000).await;
    assert!(bench.dead_letters().is_empty(), "its age counts from the redrive");
}

#[tokio::test]
async fn new_events_pass_a_failing_redrive() {
    let mut bench = Setup::default().with_dead_letters(0..1, 1).await;
    bench.redrive(&[1]).await;
    bench.answer(vec![(0, refused())]);
    bench.settle().await;
    bench.append((1..3).map(event)).await;
    bench.settle().await;
    assert_eq!(bench.given(), [vec![1], vec![1], vec![2, 3]]);
    bench.settle_at(NOW_MS + 60_000).await;
    assert_eq!(bench.given().last(), Some(&vec![1]));
}

#[tokio::test]
async fn a_redrive_has_its_turn_despite_failures() {
    let mut bench = Bench::new(0..3).await;
    let away = || (1, Outcome::Retry(Failure::outage("away")));
    bench.answer(vec![poison(0), away()]);
    for _ in 0..20 {
        bench.answer(vec![away()]);
    }
    bench.work().await;
    bench.redrive(&[1]).await;
    for _ in 0..12 {
        bench.pass(60_000);
        bench.step().await;
    }
    assert!(bench.dead_letters().is_empty());
    assert_eq!(bench.given().iter().filter(|batch| **batch == [1]).count(), 1, "{:?}", bench.given());
    assert_eq!(bench.status.view().cursor, 1);
}

#[tokio::test]
async fn an_ordered_sink_resends_up_to_the_cursor() {
    let mut bench = Bench::new(0..3).await;
    bench.script().is_ordered = true;
    bench.answer(vec![(0, refused()), poison(1)]);
    for _ in 0..12 {
        bench.answer(vec![(0, refused())]);
    }
    bench.work().await;
    bench.redrive(&[1]).await;
    let replay = bench.replay(ReplaySelection::default(), 3).await;
    for _ in 0..12 {
        bench.pass(60_000);
        bench.step().await;
    }
    assert_eq!(bench.given().iter().filter(|batch| **batch != [1]).count(), 1, "{:?}", bench.given());
    for _ in 0..2 {
        bench.pass(60_000);
        bench.settle().await;
    }
    assert!(bench.dead_letters().is_empty());
    assert_eq!((bench.replayed(replay).done, bench.status.view().cursor), (3, 3));
}

#[tokio::test]
async fn a_redrive_passes_other_streams() {
    let mut bench = Bench::new(0..2).await;
    bench.answer(vec![(0, refused()), poison(1)]);
    bench.work().await;
    bench.redrive(&[1]).await;
    bench.work().await;
    assert_eq!(bench.given(), [vec![1, 2], vec![2]]);
    assert_eq!((bench.status.view().dead_letters, bench.status.view().cursor), (0, 0));
}

#[tokio::test]
async fn a_failing_dead_letter_holds_no_other() {
    let mut bench = Setup::default().with_dead_letters(0..40, 40).await;
    bench.redrive(&[]).await;
    // Each takes long, so the first would block all others if it were always first.
    bench.script().event_ms = 250;
    for _ in 0..60 {
        let answers = (0..8).map(|number| (number, refused())).collect();
        bench.answer(answers);
    }
    for _ in 0..60 {
        bench.pass(60_000);
        bench.step().await;
    }
    assert_eq!(bench.status.view().dead_letters, 8);
}

#[tokio::test]
async fn attempts_of_a_redrive_survive_restarts() {
    let mut bench = Setup::default().attempts_max(3).with_dead_letters(0..1, 1).await;
    bench.redrive(&[1]).await;
    for attempts in [2, 3, 4] {
        bench.answer(vec![(0, refused())]);
        bench.settle().await;
        let reason = if attempts == 4 { "no room" } else { "poison 0" };
        assert_eq!(bench.dead_letters(), [(1, attempts, reason.to_owned())]);
        assert_eq!(bench.deliveries("refused"), u64::from(attempts == 4));
        bench = bench.restart(1..1).await;
    }
    bench.settle().await;
    assert!(bench.given().is_empty(), "it was given up again");
}

#[tokio::test]
async fn retry_after_counts_from_the_attempts_end() {
    let mut bench = Setup::default().with_dead_letters(0..1, 1).await;
    bench.script().event_ms = 30_000;
    bench.redrive(&[1]).await;
    let retry_after = Some(Duration::from_secs(10));
    let later = Outcome::Retry(Failure { retry_after, ..Failure::outage("later") });
    bench.answer(vec![(0, later)]);
    bench.settle().await;
    bench.pass(9999);
    bench.settle().await;
    assert_eq!(bench.given(), [[1], [1]]);
    bench.pass(1);
    bench.settle().await;
    assert_eq!(bench.given().len(), 3);
}

#[tokio::test]
async fn a_turn_is_short_for_a_slow_sink() {
    let mut bench = Setup::default().delivered(0..600).await;
    bench.replay(ReplaySelection::default(), 600).await;
    bench.step().await;
    assert_eq!(bench.script().given.iter().skip(1).map(Vec::len).sum::<usize>(), 256, "a whole turn");
    bench.script().event_ms = 100;
    let mut most_ms = Vec::new();
    for _ in 0..3 {
        let began_ms = test_clock();
        assert_eq!(bench.step().await, Step::More);
        most_ms.push(test_clock() - began_ms);
    }
    assert_eq!(most_ms, [800, 200, 200], "the first batch measures the speed");
}

#[tokio::test]
async fn a_dropped_dead_letter_is_not_tried() {
    let mut bench = Setup::default().with_dead_letters(0..2, 2).await;
    bench.redrive(&[1, 2]).await;
    bench.answer(vec![(0, refused()), (1, refused())]);
    bench.settle().await;
    assert_eq!(bench.drop_dead_letters(&[1]).await, 1);
    bench.settle_at(NOW_MS + 60_000).await;
    assert_eq!(bench.given(), [vec![1, 2], vec![1, 2], vec![2]]);
    assert_eq!(bench.status.view().dead_letters, 0);
}

#[tokio::test]
async fn a_redrive_survives_a_restart() {
    let mut bench = Setup::default().with_dead_letters(0..2, 1).await;
    bench.redrive(&[1]).await;
    bench.answer(vec![(0, refused())]);
    bench.settle().await;
    let mut bench = bench.restart(2..2).await;
    bench.settle().await;
    assert_eq!(bench.given(), [[1]]);
    assert!(bench.dead_letters().is_empty());
}

#[tokio::test]
async fn a_replay_sends_its_selection_in_order() {
    let mut bench = Setup::default().delivered(0..40).await;
    let pushes = ReplaySelection { types: vec!["push".to_owned()], ..ReplaySelection::default() };
    let replay = bench.replay(pushes, 39).await;
    bench.append((40..42).map(event)).await;
    bench.settle().await;
    let given = bench.given();
    assert_eq!(given[1], [41, 42], "new events come first");
    let replayed: Vec<i64> = given[2..].concat();
    assert_eq!(replayed, (2..=39).step_by(2).collect::<Vec<_>>());
    let stored = bench.replayed(replay);
    assert_eq!((stored.done, stored.failed, stored.cursor), (19, 0, Offset(39)));
    assert!(stored.ended_at_ms.is_some() && !stored.is_cancelled);
    assert_eq!(bench.status.view().cursor, 42);
}

#[tokio::test]
async fn a_replay_obeys_the_sinks_filter() {
    let mut bench = Setup::default().only("stop").delivered(0..4).await;
    let replay = bench.replay(ReplaySelection::default(), 4).await;
    bench.settle().await;
    assert_eq!(bench.given(), [[1, 3], [1, 3]]);
    assert_eq!(bench.replayed(replay).done, 2);
}

#[tokio::test]
async fn a_replay_retries_or_counts_failures() {
    let mut bench = Setup::default().delivered(0..4).await;
    let replay = bench.replay(ReplaySelection::default(), 4).await;
    bench.answer(vec![poison(1), (2, refused())]);
    bench.settle().await;
    let stored = bench.replayed(replay);
    assert_eq!((stored.done, stored.cursor, stored.ended_at_ms), (0, Offset(0), None), "the batch is not finished");
    assert_eq!(stored.last_reason.as_deref(), Some("no room"));
    bench.settle_at(NOW_MS + 60_000).await;
    assert_eq!(bench.given()[1..], [vec![1, 2, 3, 4], vec![3]]);
    let stored = bench.replayed(replay);
    assert_eq!((stored.done, stored.failed), (3, 1));
    assert!(stored.ended_at_ms.is_some());
    assert_eq!((bench.deliveries("refused"), bench.deliveries("dead_letter")), (1, 0));
    assert!(bench.dead_letters().is_empty(), "the event was delivered before");
}

#[tokio::test]
async fn a_replay_survives_a_restart() {
    let mut bench = Setup::default().delivered(0..100).await;
    bench.script().event_ms = 30;
    let replay = bench.replay(ReplaySelection::default(), 100).await;
    bench.step().await;
    let first = bench.given()[1].len();
    assert!((1..100).contains(&first));
    assert_eq!(bench.replayed(replay).done, first as i64);
    let mut bench = bench.restart(100..100).await;
    bench.settle().await;
    assert_eq!(bench.given().concat(), (first as i64 + 1..=100).collect::<Vec<_>>());
    assert_eq!(bench.replayed(replay).done, 100);
}

#[tokio::test]
async fn a_cancelled_replay_ends_at_once() {
    let mut bench = Setup::default().delivered(0..100).await;
    let first = bench.replay(ReplaySelection::default(), 100).await;
    bench.script().event_ms = 30;
    let second = bench.replay(ReplaySelection::default(), 2).await;
    bench.step().await;
    bench.journal.cancel_replay(first).await.unwrap();
    bench.settle().await;
    assert_eq!(bench.given().last(), Some(&vec![1, 2]));
    let stored = bench.replayed(first);
    assert!(stored.is_cancelled && stored.done < 100);
    assert_eq!(bench.replayed(second).done, 2);
}

#[tokio::test]
async fn an_unreadable_replay_ends_with_a_reason() {
    let mut bench = Setup::default().delivered(0..2).await;
    let unknown = ReplaySelection { types: vec!["of-the-future!".to_owned()], ..ReplaySelection::default() };
    let replay = bench.replay(unknown, 2).await;
    bench.settle().await;
    let stored = bench.replayed(replay);
    assert!(stored.ended_at_ms.is_some() && stored.last_reason.unwrap().contains("types"));
}

impl Bench {
    /// Makes the event of a stored row unreadable.
    fn damage(&self, row: &str) {
        let journal = rusqlite::Connection::open(self.directory.path().join("journal.db")).unwrap();
        assert_eq!(journal.execute(&format!("UPDATE {row}"), []).unwrap(), 1);
    }
}

#[tokio::test]
async fn a_replay_ends_at_a_damaged_record() {
    let bench = Setup::default().delivered(0..5).await;
    let replay = bench.replay(ReplaySelection::default(), 5).await;
    bench.damage("records SET line = 'damaged' WHERE offset = 4");
    // The records in memory are not damaged.
    let mut bench = bench.restart(5..5).await;
    bench.settle().await;
    assert_eq!(bench.given().concat(), [1, 2, 3]);
    let stored = bench.replayed(replay);
    assert_eq!((stored.done, stored.cursor), (3, Offset(3)));
    assert!(stored.ended_at_ms.is_some() && stored.last_reason.unwrap().contains("damaged"));
}

#[tokio::test]
async fn a_damaged_dead_letter_holds_no_other() {
    let mut bench = Setup::default().with_dead_letters(0..3, 3).await;
    bench.damage("dead_letters SET line = 'damaged' WHERE number = 1");
    bench.redrive(&[]).await;
    bench.settle().await;
    assert_eq!(bench.given()[1..], [[2, 3]]);
    assert_eq!(bench.status.view().dead_letters, 1);
}

#[tokio::test]
async fn a_stop_leaves_the_rest_of_a_replay() {
    let bench = Bench::new(0..100).await;
    let (stop, stopped) = tokio::sync::watch::channel(Order::Work);
    let script = bench.shared_script();
    let worker = tokio::spawn(bench.worker.run(stopped));
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    let given = || script.lock().unwrap().given.len();
    while given() < 1 {
        assert!(std::time::Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    stop.send(Order::Drain).unwrap();
    begin_replay(&bench.journal, ReplaySelection::default(), 100).await;
    worker.await.unwrap().unwrap();
    assert!(given() < 4);
}

#[test]
fn a_resend_waits_only_if_needed() {
    let pause = Some(Pause { since_ms: 10_000, length: Duration::from_secs(2) });
    let resend = Resends { is_needed: true, pause, ..Resends::default() };
    assert_eq!(resend.wait(11_500), Some(Duration::from_millis(500)));
    assert_eq!(Resends::default().wait(0), None);
}
