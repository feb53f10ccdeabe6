//! Failures of single events: which others they hold, how often they are tried, and when they are given up.

use super::*;

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
async fn a_doubtful_event_ends_without_others() {
    let mut bench = Bench::new(0..2).await;
    let doubtful = || Outcome::Retry(Failure { is_doubtful: true, ..Failure::outage("404") });
    for _ in 0..21 {
        bench.answer(vec![(0, doubtful())]);
    }
    bench.settle().await;
    assert_eq!(bench.dead_letters(), [(1, 21, "404 (other events pass)".to_owned())]);
}
