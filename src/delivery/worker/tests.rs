//! The worker, one step at a time.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::callback::NamePattern;
use crate::delivery::testing::{Bench, NOW_MS, Setup, away, event, event_of, refused};
use crate::delivery::{FailingEvent, Order, SkipSelection};
use crate::journal::Offset;
use crate::sink::{Failure, Outcome};

#[tokio::test]
async fn a_restart_continues_after_the_cursor() {
    let mut bench = Bench::new(0..5).await;
    bench.settle().await;
    assert_eq!(bench.given(), [[1, 2, 3, 4, 5]]);
    let mut bench = bench.restart(5..7).await;
    bench.settle().await;
    assert_eq!(bench.given(), [[6, 7]]);
}

/// A worker that stops reads no further than the events of that moment. The ones that it has read are still delivered.
#[tokio::test]
async fn a_bound_ends_the_reading() {
    let mut bench = Bench::new(0..3).await;
    bench.worker.new_events.read_up_to(Offset(2));
    bench.answer(vec![(0, refused())]);
    bench.work().await;
    assert_eq!(bench.given(), [[1, 2, 3]], "the third comes with the second in one batch");
    bench.append((3..5).map(event)).await;
    bench.pass(60_000);
    bench.work().await;
    assert_eq!(bench.given(), [vec![1, 2, 3], vec![1]]);
    assert_eq!(bench.status.view().cursor, 3);
    bench.worker.new_events.read_up_to(Offset(5));
    bench.work().await;
    assert_eq!(bench.given()[2..], [[4, 5]]);
}

#[tokio::test]
async fn a_sink_is_tended_by_the_clock() {
    let mut bench = Bench::new(0..1).await;
    for (passed_ms, tended) in [(0, 1), (59_999, 1), (1, 2), (60_000, 3), (-120_000, 4)] {
        bench.pass(passed_ms);
        bench.work().await;
        assert_eq!(bench.script().tended, tended);
    }
    assert!(bench.worker.tend_wait() <= Duration::from_secs(60));
    assert_eq!(bench.given(), [[1]]);
}

#[tokio::test]
async fn an_outage_waits_15_secs_at_most() {
    // A destination that is down may also answer each event with an error of its own.
    for outcome in [away(), refused()] {
        let mut bench = Bench::new(0..1).await;
        for attempt in 1..12 {
            bench.answer(vec![(0, outcome.clone())]);
            bench.work().await;
            assert_eq!(bench.given().len(), attempt);
            bench.pass(15_000);
        }
        bench.work().await;
        assert_eq!(bench.status.view().cursor, 1, "15 s after its return, the destination is asked");
    }
    // While others pass, the destination is up, and the event waits longer.
    let mut bench = Setup::default().waits_ms(60_000, 60_000).start(0..2).await;
    bench.answer(vec![(0, refused())]);
    bench.work().await;
    bench.pass(29_999);
    bench.work().await;
    assert_eq!(bench.given(), [[1, 2]]);
}

#[tokio::test]
async fn a_requested_retry_ends_every_pause() {
    for outcome in [away(), refused()] {
        let mut bench = Setup::default().waits_ms(60_000, 60_000).start(0..1).await;
        bench.answer(vec![(0, outcome)]);
        bench.work().await;
        assert_eq!(bench.given().len(), 1);
        bench.status.requests.retry();
        bench.work().await;
        assert_eq!((bench.given().len(), bench.status.view().cursor), (2, 1));
    }
    // The stream that failed still goes last, because the sink may skip the rest of the batch.
    let mut bench = Setup::default().waits_ms(60_000, 60_000).start(0..1).await;
    bench.answer(vec![(0, refused())]);
    bench.work().await;
    bench.append([event(1)]).await;
    bench.status.requests.retry();
    bench.work().await;
    assert_eq!(bench.given(), [vec![1], vec![2, 1]]);
}

/// Lets the worker skip events, and returns their number.
async fn skip(bench: &mut Bench, selection: SkipSelection) -> Option<u64> {
    let status = Arc::clone(&bench.status);
    let skipped = tokio::spawn(async move { status.requests.skip(selection).await });
    tokio::task::yield_now().await;
    bench.work().await;
    skipped.await.unwrap()
}

#[tokio::test]
async fn skipped_events_are_dead_letters() {
    let mut bench = Bench::new(0..0).await;
    bench.append((0..1003).map(|number| event_of(if number < 1001 { "bad" } else { "good" }, number))).await;
    bench.script().failing_key = Some("d.com/live/bad".to_owned());
    bench.work().await;
    let ids = vec![event_of("bad", 0).id()];
    let view = bench.status.view();
    assert_eq!(view.failing, Some(FailingEvent { id: ids[0], stream: "bad".to_owned() }));
    assert_eq!((view.held_streams, view.is_blocked, bench.script().taken.clone()), (1, false, vec![1002, 1003]));

    let first = SkipSelection { ids, streams: Vec::new() };
    assert_eq!(skip(&mut bench, first.clone()).await, Some(1));
    assert_eq!(skip(&mut bench, first).await, Some(0));
    assert_eq!(bench.dead_letters(), [(1, 1, "skipped on request; the last failure: no room".to_owned())]);
    assert_eq!(bench.status.view().failing.map(|failing| failing.id), Some(event_of("bad", 1).id()));
    let stream = SkipSelection { ids: Vec::new(), streams: vec![NamePattern::new("ba*").unwrap()] };
    assert_eq!(skip(&mut bench, stream).await, Some(1000), "also the ones that wait in the journal");
    let view = bench.status.view();
    assert_eq!((view.failing, view.last_error, view.attempt, view.held_streams), (None, None, 1, 0));
    assert_eq!((view.cursor, bench.dead_letters().len()), (1003, 1001));
    assert_eq!(bench.script().taken, [1002, 1003]);
}

/// A stream that always fails takes no memory, and holds up no other stream, however many of its events wait.
#[tokio::test]
async fn a_failing_stream_holds_no_other() {
    let mut bench = Bench::new(0..0).await;
    let key = || Some("d.com/live/bad".to_owned());
    let stream_of = |number: u32| if number % 20 == 7 { format!("s{}", number % 7) } else { "bad".to_owned() };
    let is_bad = |offset: &i64| stream_of(*offset as u32 - 1) == "bad";
    bench.script().failing_key = key();
    let mut taken = Vec::new();
    for round in 0..8 {
        let numbers = round * 2700..(round + 1) * 2700;
        bench.append(numbers.map(|number| event_of(&stream_of(number), number))).await;
        bench.work().await;
        let (pending, view) = (bench.worker.new_events.pending(), bench.status.view());
        assert!(pending.free_records() >= 500, "{}", pending.free_records());
        assert_eq!((view.held_streams, view.is_blocked, view.cursor), (1, false, 0));
        taken.append(&mut bench.script().taken);
        assert_eq!(taken.len() as u32, (round + 1) * 2700 / 20);
        if round % 3 == 1 {
            bench = bench.restart(0..0).await;
            bench.script().failing_key = key();
        }
    }
    assert!(!taken.iter().any(is_bad));
    // The stream recovers, and while it catches up, a new event of another stream has its turn.
    bench.script().failing_key = None;
    bench.pass(60_000);
    bench.step().await;
    bench.step().await;
    bench.append([event(21_600)]).await;
    bench.step().await;
    assert!(bench.script().taken.contains(&21_601) && bench.script().taken.len() < 2000);
    taken.append(&mut bench.script().taken);
    let mut bench = bench.restart(0..0).await;
    bench.settle().await;
    taken.append(&mut bench.script().taken);
    let bad: Vec<i64> = taken.iter().copied().filter(|offset| *offset < 21_601 && is_bad(offset)).collect();
    assert!(bad.is_sorted() && bad.len() == 8 * 2700 / 20 * 19);
    taken.sort_unstable();
    assert_eq!(taken, (1..=21_601).collect::<Vec<i64>>(), "each once");
    assert_eq!((bench.status.view().held_streams, bench.status.view().cursor), (0, 21_601));
}

#[tokio::test]
async fn filtered_events_move_the_cursor() {
    let mut bench = Setup::default().only("push").start(0..6).await;
    bench.settle().await;
    assert_eq!(bench.given(), [[2, 4, 6]]);
    assert_eq!(bench.status.view().cursor, 6);
    let mut bench = bench.restart(6..7).await;
    bench.settle().await;
    assert_eq!((bench.given().len(), bench.status.view().cursor), (0, 7));
}

#[tokio::test]
async fn a_neighbours_failure_repeats_nothing() {
    let mut bench = Bench::new(0..4).await;
    bench.answer(vec![(1, refused()), (3, refused())]);
    bench.answer(vec![(1, refused())]);
    assert_eq!(bench.work().await, Step::Idle, "unfinished events are paused");
    assert_eq!(bench.status.view().cursor, 1);
    bench.settle().await;
    assert_eq!(bench.given(), [vec![1, 2, 3, 4], vec![2, 4], vec![2]]);
    assert_eq!(bench.status.view().cursor, 4);
}

#[tokio::test]
async fn restarts_repeat_nothing() {
    let mut bench = Setup::default().attempts_max(4).start(0..4).await;
    for start in 0..3 {
        bench.answer(vec![(0, refused()), (1, Outcome::rejected("poison"))]);
        bench.work().await;
        let given = bench.given();
        let expected = [vec![vec![1, 2, 3, 4]], vec![vec![1, 5]], vec![vec![1, 6]]];
        assert_eq!(given, expected[start as usize], "{start}");
        assert_eq!(bench.dead_letters(), [(2, 1, "poison".to_owned())]);
        assert_eq!(bench.status.view().cursor, 0, "the cursor stops at the first unfinished record");
        // One more event comes before each of the next two starts, and none before the third.
        let next = 4 + start;
        bench = bench.restart(if next < 6 { next..next + 1 } else { 6..6 }).await;
    }
    bench.answer(vec![(0, refused())]);
    bench.settle().await;
    assert_eq!(bench.dead_letters()[1], (1, 4, "no room".to_owned()), "attempts count over starts");
    assert_eq!(bench.status.view().cursor, 6);
    let mut bench = bench.restart_as(Setup::default(), 6..7).await;
    bench.settle().await;
    assert_eq!(bench.given(), [[7]]);
}

#[tokio::test]
async fn unfinished_events_are_filtered_again() {
    let mut bench = Bench::new(0..3).await;
    bench.answer((0..3).map(|number| (number, refused())).collect());
    bench.work().await;
    let mut bench = bench.restart_as(Setup::default().only("push"), 3..3).await;
    bench.answer(vec![(1, refused())]);
    bench.work().await;
    assert_eq!(bench.given(), [[2]]);
    let mut bench = bench.restart_as(Setup::default(), 3..4).await;
    bench.script().resumes.push_back(Ok(3));
    bench.settle().await;
    assert_eq!(bench.given(), [[4]]);
}

#[tokio::test]
async fn a_paused_stream_lets_others_pass() {
    let mut bench = Bench::new(0..0).await;
    let append = async |stream, number| bench.append([event_of(stream, number)]).await;
    append("bad", 0).await;
    bench.answer(vec![(0, refused())]);
    bench.work().await;
    for (number, stream) in ["good", "bad", "other"].into_iter().enumerate() {
        let number = number as u32 + 1;
        bench.append([event_of(stream, number)]).await;
        assert_eq!(bench.work().await, Step::Idle);
    }
    assert_eq!(bench.given(), [[1], [2], [4]], "the second event of the stream is not tried");
    assert_eq!((bench.status.view().cursor, bench.status.view().last_error.as_deref()), (0, Some("no room")));
    assert!(bench.worker.wait().unwrap() <= Duration::from_millis(500));
    bench.pass(500);
    bench.work().await;
    assert_eq!(bench.given().last(), Some(&vec![1, 3]));
    assert_eq!((bench.status.view().cursor, bench.status.view().last_error), (4, None));
}

#[tokio::test]
async fn an_outage_holds_new_streams() {
    let mut bench = Bench::new(0..1).await;
    bench.answer(vec![(0, away())]);
    let Step::Wait(wait) = bench.work().await else { panic!("it failed") };
    for number in 1..4 {
        bench.append([event(number)]).await;
        assert_eq!(bench.work().await, Step::Wait(wait));
    }
    // Two were tried and the sink held the rest, so the second wait is longer than the wait of any stream.
    bench.pass(500);
    bench.answer(vec![(0, away()), (1, away()), (2, Outcome::Held), (3, Outcome::Held)]);
    let Step::Wait(wait) = bench.work().await else { panic!("it failed") };
    assert!(wait.as_millis() >= 500 && wait.as_millis() <= 1000, "{wait:?}");
    bench.settle().await;
    assert_eq!(bench.given().len(), 3);
    assert_eq!(bench.status.view().cursor, 4);
}

#[tokio::test]
async fn an_unanswered_event_holds_no_other() {
    let mut bench = Bench::new(0..1).await;
    for _ in 0..40 {
        bench.answer(vec![(0, away())]);
    }
    for number in 1..8 {
        bench.work().await;
        bench.append([event(number)]).await;
        bench.pass(1000);
        bench.work().await;
        assert_eq!(bench.script().taken.last(), Some(&(i64::from(number) + 1)));
    }
    assert_eq!(bench.status.view().cursor, 0);
}

#[tokio::test]
async fn an_ordered_sink_passes_no_failure() {
    let mut bench = Bench::new(0..3).await;
    bench.script().is_ordered = true;
    bench.answer((0..3).map(|number| (number, away())).collect());
    bench.answer((0..3).map(|number| (number, refused())).collect());
    assert!(matches!(bench.work().await, Step::Wait(_)));
    bench.append([event(3)]).await;
    bench.pass(500);
    assert!(matches!(bench.work().await, Step::Wait(_)));
    bench.settle().await;
    assert_eq!(bench.given(), [vec![1, 2, 3], vec![1, 2, 3], vec![1, 2, 3], vec![4]]);
}

#[tokio::test]
async fn each_stream_honours_retry_after() {
    let asked = |secs, is_outage| {
        let retry_after = Some(Duration::from_secs(secs));
        Outcome::Retry(Failure { retry_after, is_outage, ..Failure::outage("later") })
    };
    let mut bench = Bench::new(0..2).await;
    bench.answer(vec![(0, refused()), (1, asked(30, false))]);
    bench.work().await;
    bench.pass(500);
    bench.work().await;
    bench.pass(29_499);
    bench.work().await;
    assert_eq!(bench.given(), [vec![1, 2], vec![1]]);
    bench.pass(1);
    bench.work().await;
    assert_eq!(bench.given().last(), Some(&vec![2]));

    // The sink as a whole waits for the longest, even if an event was delivered before.
    let mut bench = Bench::new(0..3).await;
    bench.answer(vec![(1, asked(5, true)), (2, asked(30, true))]);
    assert_eq!(bench.work().await, Step::Wait(Duration::from_secs(30)));
}

#[tokio::test]
async fn a_given_up_event_is_a_failure() {
    let mut bench = Setup::default().attempts_max(1).start(0..1).await;
    bench.answer(vec![(0, away())]);
    assert!(matches!(bench.work().await, Step::Wait(_)), "the sink is paused all the same");
    let view = bench.status.view();
    assert_eq!((view.dead_letters, view.last_error.as_deref(), view.attempt), (1, Some("away"), 2));
    bench.append([event(1)]).await;
    bench.settle().await;
    assert_eq!((bench.status.view().last_error, bench.status.view().attempt), (None, 1));
}

#[tokio::test]
async fn a_rejected_event_becomes_a_dead_letter() {
    let mut bench = Bench::new(0..3).await;
    bench.answer(vec![(1, Outcome::rejected("poison"))]);
    bench.settle().await;
    assert_eq!(bench.given(), [[1, 2, 3]]);
    assert_eq!(bench.dead_letters(), [(2, 1, "poison".to_owned())]);
    assert_eq!((bench.status.view().cursor, bench.status.view().dead_letters), (3, 1));
}

#[tokio::test]
async fn a_failure_holds_its_own_stream_only() {
    let mut bench = Bench::new(0..0).await;
    for number in 0..7 {
        let stream = if number % 2 == 0 { "a" } else { "b" };
        bench.append([event_of(stream, number)]).await;
    }
    bench.answer(vec![(2, refused())]);
    bench.answer(vec![(2, refused())]);
    bench.answer(vec![(2, Outcome::rejected("poison"))]);
    bench.answer(vec![(4, refused())]);
    bench.settle().await;
    assert_eq!(bench.given(), [vec![1, 2, 3, 4, 5, 6, 7], vec![3, 5, 7], vec![3, 5, 7], vec![5, 7], vec![5, 7]]);
    // One stream has 1, 5, 7 without the poison, the other 2, 4, 6. Both are in order, and each event is there once.
    assert_eq!(bench.script().taken, [1, 2, 4, 6, 5, 7]);
    let dead_letters: Vec<_> = bench.dead_letters().into_iter().map(|(offset, _, reason)| (offset, reason)).collect();
    assert_eq!(dead_letters, [(3, "poison".to_owned())]);
    assert_eq!(bench.status.view().cursor, 7);
}

#[tokio::test]
async fn attempts_end_only_at_their_limit() {
    let mut bench = Setup::default().attempts_max(3).start(0..2).await;
    for _ in 0..3 {
        bench.answer(vec![(0, refused()), (1, refused())]);
    }
    bench.settle().await;
    assert_eq!(bench.given().len(), 3);
    assert_eq!(bench.dead_letters(), [(1, 3, "no room".to_owned()), (2, 3, "no room".to_owned())]);

    let mut bench = Bench::new(0..1).await;
    for _ in 0..100 {
        bench.answer(vec![(0, refused())]);
    }
    bench.settle().await;
    assert_eq!((bench.given().len(), bench.dead_letters().len()), (101, 0));
}

#[tokio::test]
async fn attempts_count_despite_successes() {
    let mut bench = Setup::default().attempts_max(3).start(0..3).await;
    bench.answer(vec![(1, refused()), (2, refused())]);
    bench.answer(vec![(1, refused())]);
    bench.answer(vec![(1, refused())]);
    bench.settle().await;
    assert_eq!(bench.given(), [vec![1, 2, 3], vec![2, 3], vec![2]]);
    assert_eq!(bench.dead_letters(), [(2, 3, "no room".to_owned())]);
}

#[tokio::test]
async fn a_held_event_loses_no_attempt() {
    let mut bench = Setup::default().attempts_max(2).start(0..0).await;
    for number in 0..3 {
        bench.append([event_of("one", number)]).await;
    }
    for _ in 0..2 {
        bench.answer(vec![(0, refused())]);
    }
    bench.answer(vec![(1, refused())]);
    bench.settle().await;
    assert_eq!(bench.given(), [vec![1, 2, 3], vec![1, 2, 3], vec![2, 3], vec![2, 3]]);
    assert_eq!(bench.dead_letters(), [(1, 2, "no room".to_owned())]);
}

#[tokio::test]
async fn an_old_event_is_given_up_once_tried() {
    let mut bench = Setup::default().age_secs_max(60).start(0..1).await;
    bench.answer(vec![(0, refused())]);
    bench.answer(vec![(0, refused())]);
    bench.work().await;
    assert_eq!(bench.dead_letters().len(), 0);
    bench.pass(60_000);
    bench.work().await;
    assert_eq!(bench.dead_letters(), [(1, 2, "no room".to_owned())]);
}

#[tokio::test]
async fn age_counts_at_the_end_of_an_own_attempt() {
    let mut bench = Setup::default().age_secs_max(60).start(0..3).await;
    bench.script().event_ms = 20_000;
    bench.answer(vec![(0, away()), (1, Outcome::Held), (2, Outcome::Held)]);
    bench.work().await;
    assert_eq!(bench.dead_letters(), [(1, 1, "away".to_owned())], "an untried event stays, whatever its age");
    let database = rusqlite::Connection::open(bench.directory.path().join("journal.db")).unwrap();
    let failed_ms: i64 = database.query_row("SELECT failed_ms FROM dead_letters", [], |row| row.get(0)).unwrap();
    assert_eq!(failed_ms, NOW_MS + 60_000, "the end of the attempt, not its beginning");
    bench.settle().await;
    assert_eq!((bench.dead_letters().len(), bench.status.view().cursor), (1, 3));
}

#[tokio::test]
async fn waits_grow_and_the_status_shows_why() {
    let mut bench = Setup::default().waits_ms(1000, 4000).start(0..1).await;
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
async fn a_failed_resume_delivers_nothing() {
    let mut bench = Bench::new(0..1).await;
    bench.script().resumes.push_back(Err(Failure::of_event("no room")));
    assert!(matches!(bench.work().await, Step::Wait(_)));
    assert_eq!((bench.given().len(), bench.status.view().attempt), (0, 2));
    assert_eq!(bench.status.view().oldest_pending_ms, Some(NOW_MS));
    bench.settle().await;
    assert_eq!(bench.given(), [[1]]);
}

#[tokio::test]
async fn a_resume_skips_delivered_events() {
    let mut bench = Bench::new(0..3).await;
    bench.script().resumes.push_back(Ok(2));
    bench.settle().await;
    assert_eq!(bench.given(), [[3]]);
}

#[tokio::test]
async fn a_stop_finishes_unless_the_sink_fails() {
    for is_failing in [true, false] {
        let bench = Bench::new(0..3).await;
        if is_failing {
            bench.answer((0..3).map(|number| (number, refused())).collect());
        }
        let (_stop, stopping) = watch::channel(Order::Drain);
        bench.worker.run(stopping).await.unwrap();
        assert_eq!(bench.status.view().cursor, if is_failing { 0 } else { 3 });
        assert_eq!(bench.status.requests.skip(SkipSelection::default()).await, None, "the worker has stopped");
    }
}

/// The next worker of the sink goes on with the rest.
#[tokio::test]
async fn an_ended_worker_keeps_its_progress() {
    let bench = Bench::new(0..3).await;
    let (_order, end) = watch::channel(Order::End);
    bench.worker.run(end).await.unwrap();
    assert_eq!(bench.status.view().cursor, 0, "it begins no delivery");

    let bench = Bench::new(0..3).await;
    let (order, ordered) = watch::channel(Order::Work);
    let status = Arc::clone(&bench.status);
    let worker = tokio::spawn(bench.worker.run(ordered));
    while status.view().cursor < 3 {
        tokio::task::yield_now().await;
    }
    order.send(Order::End).unwrap();
    worker.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_doubtful_event_ends_without_others() {
    let mut bench = Bench::new(0..2).await;
    let doubtful = || Outcome::Retry(Failure { is_doubtful: true, ..Failure::outage("404") });
    for _ in 0..21 {
        bench.answer(vec![(0, doubtful())]);
    }
    bench.settle().await;
    assert_eq!(bench.dead_letters(), [(1, 21, "404 (other events pass)".to_owned())]);
}

#[tokio::test]
async fn a_closed_journal_ends_the_worker() {
    let mut bench = Bench::new(0..3).await;
    bench.journal.close();
    bench.journal.join();
    let error = loop {
        if let Err(error) = bench.worker.step().await {
            break error;
        }
    };
    assert!(matches!(error, JournalError::Closed));
}
