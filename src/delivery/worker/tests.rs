//! The worker, one step at a time.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::callback::NamePattern;
use crate::delivery::testing::{Bench, NOW_MS, Setup, away, event, event_of, refused};
use crate::delivery::{FailingEvent, Order, SkipSelection};
use crate::journal::{Journal, Offset};
use crate::sink::{Failure, Outcome};

mod failures;

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

/// A sink that keeps up gets events together. One that is behind, or that stops, waits for none.
#[tokio::test]
async fn events_gather_after_a_delivery() {
    let mut bench = Bench::new(0..1).await;
    for (step, can_gather) in [(Step::More, false), (Step::More, true), (Step::Idle, false)] {
        assert_eq!(bench.step().await, step);
        assert_eq!(bench.worker.new_events.take_caught_up_at().is_some(), can_gather, "resumed, delivered, idle");
    }
    bench.append((1..1500).map(event)).await;
    for can_gather in [false, true] {
        assert_eq!(bench.step().await, Step::More);
        let caught_up_at = bench.worker.new_events.take_caught_up_at();
        assert_eq!(caught_up_at.is_some(), can_gather, "1000 are as many as it may read");
    }
    bench.append([event(1500)]).await;
    bench.worker.new_events.read_up_to(Offset(1501));
    assert_eq!(bench.step().await, Step::More);
    assert_eq!(bench.worker.gathering_wait(), None, "nothing comes after the last");
    assert_eq!(bench.given().iter().map(Vec::len).collect::<Vec<_>>(), [1, 1000, 499, 1]);
}

/// What can be done at once waits for no new event.
#[tokio::test]
async fn work_at_hand_ends_the_gathering() {
    let mut bench = Bench::new(0..2).await;
    bench.answer(vec![(0, refused())]);
    assert_eq!((bench.step().await, bench.step().await), (Step::More, Step::More), "resumed, delivered");
    bench.pass(60_000);
    assert_eq!(bench.worker.gathering_wait(), None, "the failed event is due");
    bench.step().await;
    // Not the wait, which can be over: progress that is not urgent is stored with the next event.
    let caught_up_at = [(); 2].map(|()| bench.worker.new_events.take_caught_up_at().is_some());
    assert_eq!(caught_up_at, [true, false], "once for each delivery");
}

/// A request or an order ends it, too.
#[tokio::test]
async fn a_rest_can_be_ended() {
    let mut bench = Bench::new(0..0).await;
    let (sender, mut order) = watch::channel(Order::Work);
    let hour = Duration::from_secs(3600);
    sender.send_replace(Order::Drain);
    bench.worker.rest(hour, &mut order).await;
    bench.status.requests.retry();
    bench.worker.rest(hour, &mut order).await;
    let began = Instant::now();
    bench.worker.rest(GATHERING, &mut order).await;
    assert!(began.elapsed() >= GATHERING);
}

#[tokio::test]
async fn a_running_worker_gathers() {
    let bench = Bench::new(0..0).await;
    let (script, journal) = (bench.shared_script(), Arc::clone(&bench.journal));
    let (_stop, order) = watch::channel(Order::Work);
    tokio::spawn(bench.worker.run(order));
    for number in 0..2 {
        journal.append(event(number)).await.unwrap();
        while script.lock().unwrap().called.len() <= number as usize {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let called = script.lock().unwrap().called.clone();
    assert!(called[1] - called[0] >= GATHERING, "{called:?}");
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
