//! What is sent once more: dead letters that were put back, and replays, one step at a time on a real journal.

use std::sync::Arc;

use super::worker_tests::{Bench, NOW_MS, event, transient};
use super::*;
use crate::callback::EventSelection;
use crate::journal::{Change, Journal, LetterAction, LetterSelection, NewReplay, Offset, Reader, Replay};
use crate::sink::{Failure, Outcome};

fn poison(number: u32) -> (u32, Outcome) {
    (number, Outcome::rejected(format!("poison {number}")))
}

impl Bench {
    async fn change(&self, action: LetterAction, numbers: &[i64]) -> u64 {
        let selection = LetterSelection { numbers: numbers.to_vec(), ..LetterSelection::default() };
        self.journal.change(Change::Letters(action, selection)).await.unwrap().count
    }

    async fn append(&self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            self.journal.append(event(number)).await.unwrap();
        }
    }

    /// Begins a replay of everything up to `last`.
    async fn replay(&self, selection: ReplaySelection, last: i64) -> i64 {
        let order = NewReplay {
            sink: "sink".to_owned(),
            selection: serde_json::to_string(&selection).unwrap(),
            first: Offset(0),
            last: Offset(last),
            counted: Some(last),
        };
        self.journal.change(Change::BeginReplay(order)).await.unwrap().replay.unwrap()
    }

    fn replayed(&self, number: i64) -> Replay {
        Reader::open(self.directory.path()).unwrap().replay(number).unwrap().unwrap()
    }

    /// Steps at a later time until there is nothing more to do.
    async fn settle_at(&mut self, now_ms: i64) {
        self.clock.store(now_ms, std::sync::atomic::Ordering::Relaxed);
        self.settle().await;
    }
}

#[tokio::test]
async fn a_redriven_one_goes_to_the_sink_again_and_away_without_the_cursor() {
    let mut bench = Bench::new(0..3, EventSelection::default(), RetryOptions::default()).await;
    bench.answer(vec![poison(0), poison(1)]);
    bench.settle().await;
    assert_eq!(bench.status.view().dead_letters, 2);
    assert_eq!(bench.change(LetterAction::Redrive, &[1]).await, 1);
    bench.settle().await;
    assert_eq!(bench.given(), [vec![1, 2, 3], vec![1]]);
    assert_eq!(bench.dead_letters(), [(2, 1, "poison 1".to_owned())]);
    assert_eq!((bench.status.view().dead_letters, bench.status.view().cursor), (1, 3));
}

#[tokio::test]
async fn one_that_fails_again_stays_with_its_attempts_added_and_is_left_alone() {
    let retry = RetryOptions { attempts_max: Some(2), ..RetryOptions::default() };
    let mut bench = Bench::new(0..1, EventSelection::default(), retry).await;
    bench.answer(vec![poison(0)]);
    bench.settle().await;
    bench.change(LetterAction::Redrive, &[1]).await;
    bench.answer(vec![(0, transient())]);
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
async fn the_age_of_a_redriven_one_begins_anew() {
    let retry = RetryOptions { age_secs_max: Some(3600), ..RetryOptions::default() };
    let mut bench = Bench::new(0..1, EventSelection::default(), retry).await;
    bench.answer(vec![poison(0)]);
    bench.settle().await;
    bench.change(LetterAction::Redrive, &[1]).await;
    bench.answer(vec![(0, transient())]);
    let now_ms = jiff::Timestamp::now().as_millisecond();
    bench.settle_at(now_ms).await;
    bench.settle_at(now_ms + 60_000).await;
    assert!(bench.dead_letters().is_empty(), "received years ago, it was tried again");
}

#[tokio::test]
async fn new_events_do_not_wait_for_one_that_is_tried_again() {
    let mut bench = Bench::new(0..1, EventSelection::default(), RetryOptions::default()).await;
    bench.answer(vec![poison(0)]);
    bench.settle().await;
    bench.change(LetterAction::Redrive, &[1]).await;
    bench.answer(vec![(0, transient())]);
    bench.settle().await;
    bench.append(1..3).await;
    bench.settle().await;
    assert_eq!(bench.given(), [vec![1], vec![1], vec![2, 3]]);
    bench.settle_at(NOW_MS + 60_000).await;
    assert_eq!(bench.given().last(), Some(&vec![1]));
}

#[tokio::test]
async fn redriven_ones_have_their_turn_also_while_new_ones_fail() {
    let mut bench = Bench::new(0..3, EventSelection::default(), RetryOptions::default()).await;
    let away = || (1, Outcome::Retry(Failure::outage("away")));
    bench.answer(vec![poison(0), away()]);
    for _ in 0..20 {
        bench.answer(vec![away()]);
    }
    bench.work().await;
    bench.change(LetterAction::Redrive, &[1]).await;
    for _ in 0..12 {
        bench.pass(60_000);
        bench.step().await;
    }
    assert!(bench.dead_letters().is_empty());
    assert_eq!(bench.given().iter().filter(|batch| **batch == [1]).count(), 1, "{:?}", bench.given());
    assert_eq!(bench.status.view().cursor, 1);
}

#[tokio::test]
async fn what_the_cursor_has_not_passed_is_not_sent_again_where_order_counts() {
    let mut bench = Bench::new(0..3, EventSelection::default(), RetryOptions::default()).await;
    bench.script.0.lock().unwrap().is_ordered = true;
    bench.answer(vec![(0, transient()), poison(1)]);
    for _ in 0..12 {
        bench.answer(vec![(0, transient())]);
    }
    bench.work().await;
    bench.change(LetterAction::Redrive, &[1]).await;
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
async fn a_redriven_one_does_not_wait_for_an_older_one_of_another_stream() {
    let mut bench = Bench::new(0..2, EventSelection::default(), RetryOptions::default()).await;
    bench.answer(vec![(0, transient()), poison(1)]);
    bench.work().await;
    bench.change(LetterAction::Redrive, &[1]).await;
    bench.work().await;
    assert_eq!(bench.given(), [vec![1, 2], vec![2]]);
    assert_eq!((bench.status.view().dead_letters, bench.status.view().cursor), (0, 0));
}

#[tokio::test]
async fn a_redriven_one_that_fails_keeps_no_other_waiting() {
    let mut bench = Bench::new(0..40, EventSelection::default(), RetryOptions::default()).await;
    bench.answer((0..40).map(poison).collect());
    bench.settle().await;
    bench.change(LetterAction::Redrive, &[]).await;
    // It takes long, and is in the way of all others if it is always the first.
    bench.script.0.lock().unwrap().event_ms = 250;
    for _ in 0..60 {
        let refused = (0..8).map(|number| (number, transient())).collect();
        bench.answer(refused);
    }
    for _ in 0..60 {
        bench.pass(60_000);
        bench.step().await;
    }
    assert_eq!(bench.status.view().dead_letters, 8);
}

#[tokio::test]
async fn attempts_of_a_redriven_one_count_over_starts() {
    let retry = RetryOptions { attempts_max: Some(3), ..RetryOptions::default() };
    let mut bench = Bench::new(0..1, EventSelection::default(), retry.clone()).await;
    bench.answer(vec![poison(0)]);
    bench.settle().await;
    bench.change(LetterAction::Redrive, &[1]).await;
    for attempts in [2, 3, 4] {
        bench.answer(vec![(0, transient())]);
        bench.settle().await;
        let reason = if attempts == 4 { "no room" } else { "poison 0" };
        assert_eq!(bench.dead_letters(), [(1, attempts, reason.to_owned())]);
        assert_eq!(bench.deliveries("refused"), u64::from(attempts == 4));
        let directory = bench.stop().await;
        bench = Bench::open(directory, 1..1, EventSelection::default(), retry.clone()).await;
    }
    bench.settle().await;
    assert!(bench.given().is_empty(), "given up again");
}

#[tokio::test]
async fn what_is_asked_for_counts_from_the_end_of_a_slow_attempt() {
    let mut bench = Bench::new(0..1, EventSelection::default(), RetryOptions::default()).await;
    bench.answer(vec![poison(0)]);
    bench.settle().await;
    bench.script.0.lock().unwrap().event_ms = 30_000;
    bench.change(LetterAction::Redrive, &[1]).await;
    let retry_after = Some(std::time::Duration::from_secs(10));
    let later = Outcome::Retry(Failure { reason: "later".to_owned(), retry_after, is_outage: true });
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
async fn a_new_event_waits_for_a_moment_of_a_replay_however_slow_the_sink_becomes() {
    let mut bench = Bench::new(0..600, EventSelection::default(), RetryOptions::default()).await;
    bench.settle().await;
    bench.replay(ReplaySelection::default(), 600).await;
    bench.step().await;
    assert_eq!(bench.script.0.lock().unwrap().given.iter().skip(1).map(Vec::len).sum::<usize>(), 256, "a whole turn");
    bench.script.0.lock().unwrap().event_ms = 100;
    let mut most_ms = Vec::new();
    for _ in 0..3 {
        let began_ms = bench.clock.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(bench.step().await, Step::More);
        most_ms.push(bench.clock.load(std::sync::atomic::Ordering::Relaxed) - began_ms);
    }
    assert_eq!(most_ms, [800, 200, 200], "the first ones show how slow it is");
}

#[tokio::test]
async fn what_is_dropped_meanwhile_is_not_tried_again() {
    let mut bench = Bench::new(0..2, EventSelection::default(), RetryOptions::default()).await;
    bench.answer(vec![poison(0), poison(1)]);
    bench.settle().await;
    bench.change(LetterAction::Redrive, &[1, 2]).await;
    bench.answer(vec![(0, transient()), (1, transient())]);
    bench.settle().await;
    assert_eq!(bench.change(LetterAction::Drop, &[1]).await, 1);
    bench.settle_at(NOW_MS + 60_000).await;
    assert_eq!(bench.given(), [vec![1, 2], vec![1, 2], vec![2]]);
    assert_eq!(bench.status.view().dead_letters, 0);
}

#[tokio::test]
async fn a_redrive_goes_on_after_a_restart() {
    let mut bench = Bench::new(0..2, EventSelection::default(), RetryOptions::default()).await;
    bench.answer(vec![poison(0)]);
    bench.settle().await;
    bench.change(LetterAction::Redrive, &[1]).await;
    bench.answer(vec![(0, transient())]);
    bench.settle().await;
    let directory = bench.stop().await;
    let mut bench = Bench::open(directory, 2..2, EventSelection::default(), RetryOptions::default()).await;
    bench.settle().await;
    assert_eq!(bench.given(), [[1]]);
    assert!(bench.dead_letters().is_empty());
}

#[tokio::test]
async fn a_replay_sends_what_was_asked_for_in_order_and_leaves_the_cursor() {
    let mut bench = Bench::new(0..40, EventSelection::default(), RetryOptions::default()).await;
    bench.settle().await;
    let pushes = ReplaySelection { types: vec!["push".to_owned()], ..ReplaySelection::default() };
    let replay = bench.replay(pushes, 39).await;
    bench.append(40..42).await;
    bench.settle().await;
    let given = bench.given();
    assert_eq!(given[1], [41, 42], "what is new comes first");
    let replayed: Vec<i64> = given[2..].concat();
    assert_eq!(replayed, (2..=39).step_by(2).collect::<Vec<_>>());
    let stored = bench.replayed(replay);
    assert_eq!((stored.done, stored.failed, stored.cursor), (19, 0, Offset(39)));
    assert!(stored.ended_ms.is_some() && !stored.is_cancelled);
    assert_eq!(bench.status.view().cursor, 42);
}

#[tokio::test]
async fn a_replay_leaves_out_what_the_sinks_filter_does() {
    let selection = EventSelection { types: vec!["stop".parse().unwrap()], ..EventSelection::default() };
    let mut bench = Bench::new(0..4, selection, RetryOptions::default()).await;
    bench.settle().await;
    let replay = bench.replay(ReplaySelection::default(), 4).await;
    bench.settle().await;
    assert_eq!(bench.given(), [[1, 3], [1, 3]]);
    assert_eq!(bench.replayed(replay).done, 2);
}

#[tokio::test]
async fn in_a_replay_what_may_succeed_is_tried_again_and_the_rest_counted() {
    let mut bench = Bench::new(0..4, EventSelection::default(), RetryOptions::default()).await;
    bench.settle().await;
    let replay = bench.replay(ReplaySelection::default(), 4).await;
    bench.answer(vec![poison(1), (2, transient())]);
    bench.settle().await;
    let stored = bench.replayed(replay);
    assert_eq!((stored.done, stored.cursor, stored.ended_ms), (0, Offset(0), None), "the batch is not done");
    assert_eq!(stored.last_reason.as_deref(), Some("no room"));
    bench.settle_at(NOW_MS + 60_000).await;
    assert_eq!(bench.given()[1..], [vec![1, 2, 3, 4], vec![3]]);
    let stored = bench.replayed(replay);
    assert_eq!((stored.done, stored.failed), (3, 1));
    assert!(stored.ended_ms.is_some());
    assert_eq!((bench.deliveries("refused"), bench.deliveries("dead_letter")), (1, 0));
    assert!(bench.dead_letters().is_empty(), "it is recorded, and was delivered before");
}

#[tokio::test]
async fn a_replay_goes_on_where_it_was_after_a_restart() {
    let mut bench = Bench::new(0..100, EventSelection::default(), RetryOptions::default()).await;
    bench.settle().await;
    bench.script.0.lock().unwrap().event_ms = 30;
    let replay = bench.replay(ReplaySelection::default(), 100).await;
    bench.step().await;
    let first = bench.given()[1].len();
    assert!((1..100).contains(&first));
    assert_eq!(bench.replayed(replay).done, first as i64);
    let directory = bench.stop().await;
    let mut bench = Bench::open(directory, 100..100, EventSelection::default(), RetryOptions::default()).await;
    bench.settle().await;
    assert_eq!(bench.given().concat(), (first as i64 + 1..=100).collect::<Vec<_>>());
    assert_eq!(bench.replayed(replay).done, 100);
}

#[tokio::test]
async fn a_cancelled_replay_ends_at_once_and_the_next_begins() {
    let mut bench = Bench::new(0..100, EventSelection::default(), RetryOptions::default()).await;
    bench.settle().await;
    let first = bench.replay(ReplaySelection::default(), 100).await;
    bench.script.0.lock().unwrap().event_ms = 30;
    let second = bench.replay(ReplaySelection::default(), 2).await;
    bench.step().await;
    bench.journal.change(Change::CancelReplay(first)).await.unwrap();
    bench.settle().await;
    assert_eq!(bench.given().last(), Some(&vec![1, 2]));
    let stored = bench.replayed(first);
    assert!(stored.is_cancelled && stored.done < 100);
    assert_eq!(bench.replayed(second).done, 2);
}

#[tokio::test]
async fn a_replay_that_nobody_can_read_any_more_ends_with_the_reason() {
    let mut bench = Bench::new(0..2, EventSelection::default(), RetryOptions::default()).await;
    bench.settle().await;
    let unknown = ReplaySelection { types: vec!["of-the-future!".to_owned()], ..ReplaySelection::default() };
    let replay = bench.replay(unknown, 2).await;
    bench.settle().await;
    let stored = bench.replayed(replay);
    assert!(stored.ended_ms.is_some() && stored.last_reason.unwrap().contains("types"));
}

#[tokio::test]
async fn a_worker_that_stops_leaves_the_rest_of_a_replay() {
    let bench = Bench::new(0..100, EventSelection::default(), RetryOptions::default()).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let script = bench.script.clone();
    let worker = tokio::spawn(bench.worker.run(stopped));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let given = || script.0.lock().unwrap().given.len();
    while given() < 1 {
        assert!(std::time::Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    stop.send(true).unwrap();
    let order = NewReplay {
        sink: "sink".to_owned(),
        selection: "{}".to_owned(),
        first: Offset(0),
        last: Offset(100),
        counted: Some(100),
    };
    let journal = Arc::clone(&bench.journal);
    journal.change(Change::BeginReplay(order)).await.unwrap();
    worker.await.unwrap().unwrap();
    assert!(given() < 4);
}
