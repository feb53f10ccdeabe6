//! A storm of stops and a sink that sends one message about all of them: few messages, and each stop is in one of them.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::http::Http;
use super::{Subject, callback, metric, nothing_is_pending, started};
use crate::client::{Client, post_all};
use crate::kills::seeded;
use crate::process::Livehook;

const STOPS: u64 = 10_000;

/// The most events of a message.
const EVENTS_MAX: u64 = 1000;

/// How often the test kills livehook during the storm.
const KILLS: usize = 8;

/// A receiver of messages. Each says how many events it is about, and names the stream of the first one.
fn receiver(directory: &Path) -> Http {
    Http::new(
        directory,
        "min_interval_secs = 1\ntemplate = '{\"count\": {{ count }}, \"stream\": \"{{ event.stream }}\"}'",
    )
}

/// A stop of a stream of its own.
fn stop(number: u64) -> String {
    callback(&format!("room-{number}"), 2 * number + 1)
}

/// Sends the stops with these numbers, each until it has its 200, as CSS does.
async fn send_patiently(receiver: SocketAddr, numbers: impl Iterator<Item = u64>) {
    let mut client = None;
    for number in numbers {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(connected) = &mut client {
                match Client::post(connected, &stop(number)).await {
                    Ok(answer) if answer.status == 200 => break,
                    Ok(answer) => panic!("{answer:?}"),
                    Err(_) => client = None,
                }
            } else {
                client = Client::connect(receiver).await.ok();
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert!(Instant::now() < deadline, "stop {number} gets no 200");
        }
    }
}

/// The messages in their order: the place of the first event in the journal, and the number of events.
fn messages(http: &Http, livehook: &Livehook) -> Vec<(u64, u64)> {
    let subject = |line: &String| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        event["subject"].as_str().unwrap().to_owned()
    };
    let journal: Vec<String> = livehook.journal().iter().map(subject).collect();
    assert_eq!(journal.len() as u64, STOPS);
    let place = |body: &String| {
        let message: serde_json::Value = serde_json::from_str(body).unwrap();
        let first = journal.iter().position(|stream| message["stream"] == stream.as_str()).unwrap();
        (first as u64, message["count"].as_u64().unwrap())
    };
    http.bodies().iter().map(place).collect()
}

/// Each stop is in one message, also over a restart in the middle.
#[tokio::test]
#[ignore = "takes half a minute: run by tests/run"]
async fn a_storm_makes_few_messages() {
    let directory = tempfile::tempdir().unwrap();
    let http = receiver(directory.path());
    let mut livehook = started(directory.path(), &http.configure()).await;
    let began = Instant::now();
    post_all(livehook.receiver, 0..STOPS / 2, stop).await;
    assert!(metric(&livehook, "livehook_delivery_lag_records").await > 0, "the storm is over too early");
    livehook.stop().await;
    livehook.start();
    livehook.ready().await;
    post_all(livehook.receiver, STOPS / 2..STOPS, stop).await;
    nothing_is_pending(&livehook).await;
    let most = began.elapsed().as_secs() as usize + 1;

    let messages = messages(&http, &livehook);
    assert!(messages.len() <= most, "{messages:?} within {most} s");
    // The messages follow each other in the journal: each begins after the events of the one before.
    let mut next = 0;
    for (first, count) in &messages {
        assert!(*first == next && *count <= EVENTS_MAX, "{messages:?}");
        next += count;
    }
    assert_eq!(next, STOPS, "{messages:?}");
    assert_eq!(metric(&livehook, "livehook_dead_letters").await, 0);
    livehook.stop().await;
}

/// SIGKILL right after a message has arrived: no stop is lost, and at most that message goes out again, maybe with more stops.
#[tokio::test]
#[ignore = "takes half a minute: run by tests/run"]
async fn a_storm_survives_kills() {
    let mut random = seeded();
    let directory = tempfile::tempdir().unwrap();
    let http = receiver(directory.path());
    let mut livehook = started(directory.path(), &http.configure()).await;
    let began = Instant::now();
    let mut senders = JoinSet::new();
    for sender in 0..8 {
        senders.spawn(send_patiently(livehook.receiver, (0..STOPS).filter(move |number| number % 8 == sender)));
    }
    // The number of messages that had arrived at each kill.
    let mut at_kills = Vec::new();
    for _ in 0..KILLS {
        let before = http.bodies().len();
        let deadline = Instant::now() + Duration::from_secs(20);
        while http.bodies().len() == before {
            assert!(Instant::now() < deadline, "no message within 20 s: {}", livehook.log());
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        tokio::time::sleep(Duration::from_micros(random.u64(0..3000))).await;
        livehook.kill();
        at_kills.push(http.bodies().len());
        livehook.start();
    }
    senders.join_all().await;
    livehook.ready().await;
    nothing_is_pending(&livehook).await;
    let most = began.elapsed().as_secs() as usize + 1;

    let messages = messages(&http, &livehook);
    let (mut before, mut next, mut repeated) = (0, 0, 0);
    for (number, (first, count)) in messages.iter().enumerate() {
        let is_repeated = *first == before && number > 0;
        assert!(*first == next || is_repeated && at_kills.contains(&number), "message {number}: {messages:?}");
        assert!(first + count >= next && *count <= EVENTS_MAX, "message {number}: {messages:?}");
        repeated += usize::from(is_repeated);
        (before, next) = (*first, first + count);
    }
    println!("{} messages, {repeated} of them again after one of {KILLS} kills", messages.len());
    assert_eq!(next, STOPS, "{messages:?}");
    assert!(messages.len() - repeated <= most, "{messages:?} within {most} s");
    assert_eq!(metric(&livehook, "livehook_dead_letters").await, 0);
    livehook.stop().await;
}
