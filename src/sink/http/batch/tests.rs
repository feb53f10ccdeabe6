//! Batches, sent to a scripted receiver over real connections.

use std::collections::HashSet;
use std::time::Duration;

use super::*;
use crate::sink::Sink;
use crate::sink::http::http_sink::HttpSink;
use crate::sink::http::testing::{Receiver, Reply, headed, status};
use crate::sink::testing::{all_delivered, names, reason, records_of_streams};

#[tokio::test]
async fn a_list_keeps_its_limits() {
    let receiver = Receiver::start(|_| status(200));
    let batch = records_of_streams(&["a"; 7]);
    assert!(all_delivered(&receiver.sink("batch_events_max = 3").deliver(&batch).await, &batch));
    assert_eq!(receiver.numbers(), [vec![0, 1, 2], vec![3, 4, 5], vec![6]]);

    let narrow = Receiver::start(|_| status(200));
    let limited =
        |bytes_max| narrow.sink_with("batch_events_max = 1000", |options| options.batch_bytes_max = bytes_max);
    let bytes_max = batch[0].event.line().len() * 5 / 2;
    let mut sink = limited(bytes_max);
    assert!(all_delivered(&sink.deliver(&batch).await, &batch));
    assert!(narrow.requests().iter().all(|request| request.body.len() <= bytes_max));
    assert_eq!(narrow.numbers(), [vec![0, 1], vec![2, 3], vec![4, 5], vec![6]]);
    assert!(all_delivered(&limited(10).deliver(&batch).await, &batch));
    assert_eq!(narrow.numbers()[4..].concat(), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(narrow.numbers().len(), 4 + 7, "events that exceed the limit are sent alone");
}

#[tokio::test]
async fn a_limit_counts_what_is_sent() {
    let receiver = Receiver::start(|_| status(200));
    let batch = records_of_streams(&["a"; 6]);
    // Three events, two commas and the brackets.
    let bytes_max = 3 * batch[0].event.data().len() + 4;
    let mut sink = receiver.sink_with("batch_events_max = 1000\nformat = \"data\"", |options| {
        options.batch_bytes_max = bytes_max;
    });
    assert!(all_delivered(&sink.deliver(&batch).await, &batch));
    let lengths: Vec<usize> = receiver.requests().iter().map(|request| request.body.len()).collect();
    assert_eq!(lengths, [bytes_max, bytes_max]);
}

#[tokio::test]
async fn a_failure_holds_its_own_stream_only() {
    for concurrency in [1, 4] {
        let receiver = Receiver::start(|request| if request.numbers() == [1] { status(500) } else { status(200) });
        let batch = records_of_streams(&["a", "b", "a", "b", "c", "b"]);
        let outcomes = receiver.sink(&format!("concurrency = {concurrency}")).deliver(&batch).await;
        assert_eq!(names(&outcomes), ["delivered", "retry", "delivered", "held", "delivered", "held"]);
        let refused = Receiver::start(|request| if request.numbers() == [1] { status(422) } else { status(200) });
        let outcomes = refused.sink(&format!("concurrency = {concurrency}")).deliver(&batch).await;
        assert_eq!(names(&outcomes), ["delivered", "rejected", "delivered", "delivered", "delivered", "delivered"]);
    }
}

#[tokio::test]
async fn a_refused_list_is_split() {
    for (refusal, expected) in [(400, "rejected"), (404, "retry"), (500, "retry")] {
        let receiver =
            Receiver::start(move |request| if request.numbers().contains(&2) { status(refusal) } else { status(200) });
        let batch = records_of_streams(&["a", "b", "poison", "c", "a", "poison", "d"]);
        let mut sink = receiver.sink("batch_events_max = 100\nconcurrency = 1");
        let outcomes = sink.deliver(&batch).await;
        let after = if expected == "rejected" { "delivered" } else { "held" };
        assert_eq!(
            names(&outcomes),
            ["delivered", "delivered", expected, "delivered", "delivered", after, "delivered"]
        );
        assert!(receiver.requests().len() <= 8, "{:?}", receiver.numbers());
    }
}

/// Delivers a batch like a worker with `attempts_max = 3`. Returns the number of failed attempts of each event, and the number
/// of requests of the largest step.
async fn attempts(receiver: &Receiver, sink: &mut HttpSink, batch: &[Record]) -> (Vec<usize>, usize) {
    let mut attempts = vec![0; batch.len()];
    let mut pending: Vec<usize> = (0..batch.len()).collect();
    let (mut steps, mut requests_most) = (0, 0);
    while !pending.is_empty() {
        steps += 1;
        assert!(steps < 50, "{pending:?} is never done: {attempts:?}");
        let before = receiver.requests().len();
        let records: Vec<Record> = pending.iter().map(|position| batch[*position].clone()).collect();
        let outcomes = sink.deliver(&records).await;
        requests_most = requests_most.max(receiver.requests().len() - before);
        let mut left = Vec::new();
        for (position, outcome) in pending.into_iter().zip(outcomes) {
            attempts[position] += usize::from(matches!(outcome, Outcome::Retry(_)));
            if outcome != Outcome::Delivered && attempts[position] < 3 {
                left.push(position);
            }
        }
        pending = left;
    }
    (attempts, requests_most)
}

#[tokio::test]
async fn an_unanswered_event_fails_alone() {
    let streams: Vec<String> = (0..16).map(|number| format!("s{number}")).collect();
    let batch = records_of_streams(&streams);
    for (poison, concurrency) in (0..16).flat_map(|poison| [(poison, 1), (poison, 4)]) {
        let reply = if poison % 2 == 0 { Reply::HangUp } else { status(502) };
        let receiver = Receiver::start(move |request| match request.numbers().contains(&poison) {
            true => reply.clone(),
            false => status(200),
        });
        let mut sink = receiver.sink(&format!("batch_events_max = 16\nconcurrency = {concurrency}"));
        let (attempts, _) = attempts(&receiver, &mut sink, &batch).await;
        assert_eq!(attempts[poison], 3, "it is tried three times");
        let innocent = attempts.iter().enumerate().filter(|(position, _)| *position != poison);
        assert!(innocent.map(|(_, attempts)| *attempts).max() <= Some(1), "{poison}: {attempts:?}");
        let arrived = receiver.numbers().into_iter().filter(|numbers| !numbers.contains(&poison)).flatten();
        assert_eq!(arrived.collect::<HashSet<usize>>().len(), 15, "the others pass");
        assert!(all_delivered(&sink.deliver(&batch[..poison]).await, &batch[..poison]));
        let again = receiver.requests().len();
        sink.deliver(&batch[..poison]).await;
        assert!(receiver.requests().len() - again <= concurrency, "lists are whole again");
    }
}

#[tokio::test]
async fn an_unanswered_event_lets_others_pass() {
    let receiver = Receiver::start(|request| if request.numbers() == [0] { Reply::HangUp } else { status(200) });
    let batch = records_of_streams(&["poison", "a", "b"]);
    let outcomes = receiver.sink("concurrency = 1").deliver(&batch).await;
    assert_eq!(names(&outcomes), ["retry", "delivered", "delivered"]);
}

#[tokio::test]
async fn an_outage_gets_few_requests_per_step() {
    let streams: Vec<String> = (0..500).map(|number| format!("s{}", number % 50)).collect();
    let many = records_of_streams(&streams);
    let one = records_of_streams(&["a"; 500]);
    for (reply, batch) in [
        (status(401), &many),
        (status(404), &one),
        (status(500), &many),
        (status(500), &one),
        (status(503), &many),
        (Reply::HangUp, &one),
    ] {
        for more in ["concurrency = 1", "", "batch_events_max = 500\nconcurrency = 1", "batch_events_max = 100"] {
            let reply = reply.clone();
            let receiver = Receiver::start(move |_| reply.clone());
            let mut sink = receiver.sink(more);
            let mut before = 0;
            // Only the first step splits refused lists down to single events.
            for requests_most in [50, 10, 10] {
                let outcomes = sink.deliver(batch).await;
                let requests = receiver.requests().len();
                assert!(requests - before <= requests_most, "{more}: {} requests", requests - before);
                assert!(outcomes.iter().filter(|outcome| **outcome != Outcome::Held).count() <= 8);
                before = requests;
            }
        }
    }
}

#[tokio::test]
async fn an_outage_costs_few_attempts() {
    let away = Receiver::away();
    let batch = records_of_streams(&["a", "b", "c", "d", "e"]);
    let outcomes = away.sink("concurrency = 2").deliver(&batch).await;
    assert_eq!(names(&outcomes), ["retry", "retry", "held", "held", "held"]);
    let reason = reason(&outcomes[0]);
    assert!(reason.starts_with(&format!("http://{}: no connection: Connection refused", away.address)), "{reason}");
    assert!(reason.ends_with("does the receiver run, and does it listen at `url`?"), "{reason}");

    for (headers, tried) in [("", 2), ("Retry-After: 30\r\n", 1)] {
        let busy = Receiver::start(move |_| headed(503, headers));
        let outcomes = busy.sink("concurrency = 1").deliver(&batch).await;
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Held).count(), 5 - tried);
        let retry_after = (tried == 1).then_some(Duration::from_secs(30));
        let Outcome::Retry(failure) = &outcomes[0] else { panic!("{outcomes:?}") };
        assert_eq!(failure.retry_after, retry_after);
    }
}

#[tokio::test]
async fn streams_run_at_once_and_in_order() {
    let receiver = Receiver::start(|request| Reply::Slow(200, Duration::from_millis(request.numbers()[0] as u64 % 7)));
    let streams: Vec<String> = (0..60).map(|number| format!("s{}", number % 6)).collect();
    let batch = records_of_streams(&streams);
    assert!(all_delivered(&receiver.sink("concurrency = 3").deliver(&batch).await, &batch));
    assert_eq!(receiver.running_most(), 3);
    let arrived: Vec<usize> = receiver.numbers().concat();
    for stream in 0..6 {
        let of_stream: Vec<&usize> = arrived.iter().filter(|number| *number % 6 == stream).collect();
        assert!(of_stream.len() == 10 && of_stream.is_sorted(), "{of_stream:?}");
    }
}

#[tokio::test]
async fn events_of_concurrency_1_keep_their_order() {
    let batch = records_of_streams(&["a", "b", "a", "c", "b", "a"]);
    for (more, expected) in [
        ("", vec![vec![0], vec![1], vec![2], vec![3], vec![4], vec![5]]),
        ("batch_events_max = 4", vec![vec![0, 1, 2, 3], vec![4, 5]]),
    ] {
        let receiver = Receiver::start(|_| status(200));
        let mut sink = receiver.sink(&format!("concurrency = 1\n{more}"));
        assert!(all_delivered(&sink.deliver(&batch).await, &batch));
        assert_eq!(receiver.numbers(), expected);
    }
}
