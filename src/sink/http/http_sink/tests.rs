//! The sink over several batches, against a scripted receiver.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use super::*;
use crate::sink::http::testing::{PATIENCE, Receiver, Reply, status};
use crate::sink::testing::{all_delivered, records_of_streams};

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
