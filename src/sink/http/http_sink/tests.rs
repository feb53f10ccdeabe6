//! The sink over several batches, against a scripted receiver.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use super::*;
use crate::callback::testing::RECEIVED_MS;
use crate::clock::testing::{advance_test_clock, set_test_clock};
use crate::sink::http::testing::{PATIENCE, Receiver, Reply, status};
use crate::sink::testing::{Stored, all_delivered, names, reason, records_of_streams};

const DIGEST: &str = "template = '{\"text\": \"{{ count }} {{ event.stream }} {{ more }}\"}'\nmin_interval_secs = 60\n";

#[tokio::test]
async fn connections_are_kept() {
    let receiver = Receiver::start(|_| status(200));
    let mut sink = receiver.sink("concurrency = 1");
    let batch = records_of_streams(&["a", "b", "c"]);
    sink.deliver(&batch).await;
    sink.deliver(&batch).await;
    assert_eq!(receiver.requests().len(), 6);
    assert!(receiver.requests().iter().all(|request| request.header("connection").is_none()));
}

#[tokio::test]
async fn a_dropped_delivery_is_sent_again() {
    let is_dropped = AtomicBool::new(false);
    let shared = Arc::new((is_dropped, Notify::new()));
    let of_receiver = Arc::clone(&shared);
    let receiver = Receiver::start(move |_| {
        let (is_dropped, arrived) = &*of_receiver;
        arrived.notify_one();
        if is_dropped.load(Ordering::Relaxed) { status(200) } else { Reply::Slow(200, PATIENCE) }
    });
    let mut sink = receiver.sink("concurrency = 1");
    let batch = records_of_streams(&["a", "b"]);
    let (is_dropped, arrived) = &*shared;
    tokio::select! {
        _ = sink.deliver(&batch) => panic!("it has no answer"),
        () = arrived.notified() => is_dropped.store(true, Ordering::Relaxed),
    }
    assert!(all_delivered(&sink.deliver(&batch).await, &batch));
    assert_eq!(receiver.numbers(), [[0], [0], [1]]);
    assert!(sink.deliver(&[]).await.is_empty());
}

#[tokio::test]
async fn a_batch_is_one_digest() {
    let receiver = Receiver::start(|_| status(200));
    let mut sink = receiver.sink(DIGEST);
    set_test_clock(RECEIVED_MS);
    assert_eq!(sink.digest_wait(), Some(Duration::ZERO));
    let streams: Vec<String> = (0..1000).map(|number| format!("s{number}")).collect();
    let batch = records_of_streams(&streams);
    assert!(all_delivered(&sink.deliver(&batch).await, &batch));
    let bodies: Vec<String> = receiver.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies, [r#"{"text": "1000 s0 980"}"#]);
    advance_test_clock(1500);
    assert_eq!(sink.digest_wait(), Some(Duration::from_millis(58_500)));
    // A restart doesn't end the interval.
    let mut next = receiver.sink(DIGEST);
    next.resume(Offset(0), sink.state().as_deref(), &Stored(Vec::new())).await.unwrap();
    assert_eq!(next.digest_wait(), sink.digest_wait());
    advance_test_clock(-5000);
    assert_eq!(sink.digest_wait(), Some(Duration::ZERO), "the clock was set back");
}

#[tokio::test]
async fn events_share_the_fate_of_their_digest() {
    let batch = records_of_streams(&["a", "b", "c"]);
    for (reply, expected, secs) in [
        (Reply::HangUp, ["retry", "held", "held"], 0),
        (status(500), ["retry", "held", "held"], 0),
        (status(400), ["rejected"; 3], 60),
        (status(204), ["delivered"; 3], 60),
    ] {
        let receiver = Receiver::start(move |_| reply.clone());
        let mut sink = receiver.sink(DIGEST);
        assert_eq!(names(&sink.deliver(&batch).await), expected);
        assert_eq!((receiver.requests().len(), sink.digest_wait()), (1, Some(Duration::from_secs(secs))));
    }
}

#[tokio::test]
async fn a_digest_rejects_what_its_template_cannot_take() {
    let receiver = Receiver::start(|_| status(200));
    let keys = "template = \"{{ events[-1].stream[1] }}\"\ncontent_type = 'text/plain'\nmin_interval_secs = 60";
    let mut sink = receiver.sink(keys);
    let outcomes = sink.deliver(&records_of_streams(&["a-1", "b"])).await;
    assert_eq!((names(&outcomes), receiver.requests().len()), (vec!["held", "rejected"], 0));
    assert!(reason(&outcomes[1]).starts_with("the template fails for this event: line 1, column "), "{outcomes:?}");
}

#[tokio::test]
async fn an_answer_proves_a_success() {
    for (answer, name) in [
        (r#"{"errcode":0}"#, "delivered"),
        (r#"{"errcode":45009}"#, "retry"),
        (r#"{"errcode":7}"#, "rejected"),
        (r#"{"errcode":93000}"#, "retry"),
        ("<html>", "retry"),
    ] {
        let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{answer}", answer.len());
        let receiver = Receiver::start(move |_| Reply::Text(reply.clone()));
        let keys = "answer = { member = \"/errcode\", delivered = [0], retry = [45009], rejected = [7] }";
        let outcomes = receiver.sink(keys).deliver(&records_of_streams(&["a"])).await;
        assert_eq!(names(&outcomes), [name], "{answer}");
    }
}

#[tokio::test]
async fn messages_carry_the_chat_signature() {
    set_test_clock(RECEIVED_MS);
    let batch = records_of_streams(&["a"]);
    for (sign, in_body) in [("dingtalk", false), ("feishu", true)] {
        let receiver = Receiver::start(|_| status(200));
        let keys = format!("template = '{{\"a\": 1}}'\nsign = '{sign}'");
        let secret = crate::sink::http::ChatSecret::new("hunter2");
        let mut sink = receiver.sink_with(&keys, |options| options.sign_secret = Some(secret));
        assert!(all_delivered(&sink.deliver(&batch).await, &batch));
        let request = receiver.requests().remove(0);
        assert_eq!(request.body.starts_with("{\"timestamp\":\"1700000000\",\"sign\":\""), in_body, "{request:?}");
        assert_eq!(request.head.contains("key=hunter2&timestamp=1700000000000&sign="), !in_body, "{request:?}");
    }
}
