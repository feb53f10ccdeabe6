//! The feed of the real service: a subscriber gets every committed event once and in order, also after it reconnects.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::client::{Client, now_secs, sign, signed};
use super::process::{FILE_SINK, Livehook};
use super::subscriber::{Message, Subscriber};
use super::test_app::TestApp;

/// A signed push or stop of a stream.
fn event(is_push: bool, stream: &str, sequence: u64) -> String {
    let members = format!(
        r#""event_type":{},"app":"Push.example.com","appname":"live","stream_id":"{stream}","event_time":{},"sequence":"{sequence}","errcode":1,"errmsg":"The push client actively stopped the push""#,
        u8::from(is_push),
        now_secs() + i64::from(!is_push),
    );
    sign(&members, now_secs() + 600)
}

/// An event of about 100 kB.
fn large(number: u64) -> String {
    let padding = "x".repeat(100_000);
    let members = format!(
        r#""event_type":1,"app":"d.com","appname":"live","stream_id":"s{number}","event_time":1703731606,"padding":"{padding}""#
    );
    sign(&members, now_secs() + 600)
}

async fn post(receiver: std::net::SocketAddr, body: &str) {
    let answer = Client::connect(receiver).await.unwrap().post(body).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// A message as a short text, for comparison.
fn summary(message: &Message) -> String {
    let data = &message.data;
    match message.kind.as_str() {
        "event" => format!("event {} {}", data["type"].as_str().unwrap(), data["subject"].as_str().unwrap()),
        "session" => format!("session {} {}", data["stream"].as_str().unwrap(), data["state"].as_str().unwrap()),
        kind => format!("{kind} {}", data["reason"].as_str().unwrap()),
    }
}

async fn next_summaries(subscriber: &mut Subscriber, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(summary(&subscriber.next().await));
    }
    all
}

#[tokio::test]
async fn feed_sends_events_and_session_changes() {
    let app = TestApp::start("").await;
    post(app.receiver, &event(true, "before", 1)).await;
    let mut subscriber = Subscriber::connect(app.admin, "", "").await;
    for header in ["content-type: text/event-stream", "cache-control: no-store", "x-accel-buffering: no"] {
        assert!(subscriber.head.lines().any(|line| line == header), "{}", subscriber.head);
    }
    assert_eq!(subscriber.retry_ms, Some(3000));
    post(app.receiver, &event(true, "room", 2)).await;
    assert_eq!(next_summaries(&mut subscriber, 2).await, ["event tencent.css.push room", "session room live"]);
    post(app.receiver, &event(false, "room", 2)).await;
    let stop = subscriber.next().await;
    assert_eq!(stop.text, app.events()[2], "as every sink gets it");
    assert_eq!(stop.id, None);
    let session = subscriber.next().await;
    assert_eq!(summary(&session), "session room ended");
    assert_eq!(session.data["reason"]["category"], "client");
    let path = format!("/api/v1/sessions/{}", session.data["id"].as_str().unwrap());
    let whole = Client::connect(app.admin).await.unwrap().get(&path, "").await.unwrap().body;
    let mut whole: serde_json::Value = serde_json::from_str(&whole).unwrap();
    whole.as_object_mut().unwrap().retain(|name, _| !name.starts_with("events"));
    assert_eq!(session.data, whole, "as the rest of the API tells it");
    assert!(subscriber.is_silent().await);
    let metrics = app.metrics().await;
    assert!(metrics.contains("livehook_feed_subscribers 1\n"), "{metrics}");
    app.stop().await;
}

#[tokio::test]
async fn feed_filters_and_starts_in_the_past() {
    let app = TestApp::start("").await;
    for (stream, sequence) in [("a", 1), ("b", 2)] {
        post(app.receiver, &event(true, stream, sequence)).await;
    }
    for (query, expected) in [
        ("?since=1h&kind=event", &["event tencent.css.push a", "event tencent.css.push b"][..]),
        ("?since=0&kind=session", &["session a live", "session b live"]),
        ("?since=2020-01-01&stream=b", &["event tencent.css.push b", "session b live"]),
        ("?since=1h&stream=b&domain=*.EXAMPLE.com&app_name=live&kind=session", &["session b live"]),
        ("?since=1h&domain=other.example.com", &[]),
        ("?since=1h&type=stop&kind=event", &[]),
    ] {
        let mut subscriber = Subscriber::connect(app.admin, query, "").await;
        assert_eq!(next_summaries(&mut subscriber, expected.len()).await, expected, "{query}");
        assert!(subscriber.is_silent().await, "{query}");
    }
    let mut live = Subscriber::connect(app.admin, "?stream=b&type=stop", "").await;
    post(app.receiver, &event(false, "a", 1)).await;
    post(app.receiver, &event(false, "b", 2)).await;
    assert_eq!(next_summaries(&mut live, 2).await, ["event tencent.css.stop b", "session b ended"]);
    let last_id = live.last_id.clone().unwrap();
    post(app.receiver, &event(true, "b", 3)).await;
    assert_eq!(next_summaries(&mut live, 1).await, ["session b live"]);
    let query = format!("?stream=b&last_event_id={last_id}");
    let mut back = Subscriber::try_connect(app.admin, &query, "").await.unwrap();
    assert_eq!(
        next_summaries(&mut back, 2).await,
        ["event tencent.css.push b", "session b live"],
        "the id can be a parameter"
    );

    let headers = "Last-Event-ID: 4711\r\n";
    let answer = Client::connect(app.admin).await.unwrap().get("/api/v1/feed", headers).await.unwrap();
    let problem: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, &problem["parameter"]), (400, &"Last-Event-ID".into()));
    app.stop().await;
}

/// Follows the feed, reconnects whenever the connection breaks, and sometimes breaks it on purpose. Returns all messages.
async fn follow(admin: std::net::SocketAddr, mut last_id: String, done: Arc<AtomicBool>) -> Vec<Message> {
    let mut got = Vec::new();
    let mut random = fastrand::Rng::with_seed(7);
    loop {
        let Ok(mut subscriber) = Subscriber::resume(admin, "", &last_id).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let most = random.usize(1..400);
        for _ in 0..most {
            let message = tokio::time::timeout(Duration::from_millis(500), subscriber.try_next());
            match message.await {
                Ok(Ok(message)) => got.push(message),
                Ok(Err(_)) => break,
                Err(_) if done.load(Ordering::SeqCst) => return got,
                Err(_) => {}
            }
        }
        // A message without an id belongs to the same record as the next message. Both come again after a reconnect.
        while got.last().is_some_and(|message| message.id.is_none()) {
            got.pop();
        }
        last_id = subscriber.last_id.unwrap();
    }
}

#[tokio::test]
#[ignore = "takes some seconds: run by tests/run"]
async fn reconnect_misses_and_repeats_nothing() {
    let mut livehook = Livehook::running("", "[log]\nlevel = \"warn\"\n").await;
    let first = Subscriber::connect(livehook.admin, "", "").await;
    let done = Arc::new(AtomicBool::new(false));
    let followers: Vec<_> = (0..3)
        .map(|_| tokio::spawn(follow(livehook.admin, first.last_id.clone().unwrap(), Arc::clone(&done))))
        .collect();
    drop(first);
    let next = Arc::new(AtomicU64::new(0));
    for round in 0..4 {
        let senders: Vec<_> = (0..8)
            .map(|_| {
                let (receiver, next) = (livehook.receiver, Arc::clone(&next));
                tokio::spawn(async move {
                    let Ok(mut client) = Client::connect(receiver).await else { return };
                    loop {
                        // A stop follows each push.
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let stream = format!("s{}", number % 50);
                        for is_push in [true, false] {
                            if client.post(&event(is_push, &stream, number)).await.is_err() {
                                return;
                            }
                        }
                    }
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(700 + 100 * round)).await;
        livehook.kill();
        for sender in senders {
            sender.await.unwrap();
        }
        livehook.start();
        livehook.ready().await;
    }
    post(livehook.receiver, &event(true, "the-last", 1_000_000_000)).await;
    done.store(true, Ordering::SeqCst);
    let journal = livehook.journal();
    for follower in followers {
        let got = follower.await.unwrap();
        let events: Vec<&str> =
            got.iter().filter(|message| message.kind == "event").map(|message| message.text.as_str()).collect();
        assert_eq!(events.len(), journal.len());
        assert!(events.iter().zip(&journal).all(|(got, stored)| got == stored), "the events differ, or their order");
        assert!(got.iter().all(|message| message.kind != "gap"));
        // Only the last message about a session counts: it shows the final state.
        let mut sessions = HashMap::new();
        for message in got.iter().filter(|message| message.kind == "session") {
            sessions.insert(message.data["sequence"].as_str().unwrap().to_owned(), message.data["state"].clone());
        }
        let mut known = HashMap::new();
        for line in &journal {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            let state = if event["type"] == "tencent.css.stop" { "ended" } else { "live" };
            let known = known.entry(event["pushsequence"].as_str().unwrap().to_owned()).or_insert(state);
            *known = if *known == "ended" { "ended" } else { state };
        }
        assert!(known.len() > 100, "{}", known.len());
        for (sequence, state) in known {
            assert_eq!(sessions.remove(&sequence).unwrap(), state, "{sequence}");
        }
    }
    livehook.stop().await;
}

#[tokio::test]
async fn pruned_events_show_as_a_gap() {
    let app = TestApp::start("[index]\nenabled = false\n[journal]\nsize_bytes_max = 16777216\n").await;
    let mut subscriber = Subscriber::connect(app.admin, "", "").await;
    post(app.receiver, &large(0)).await;
    assert_eq!(next_summaries(&mut subscriber, 1).await, ["event tencent.css.push s0"]);
    let id = subscriber.last_id.clone().unwrap();
    let (mark, _) = id.split_once('-').unwrap();
    let first_offset = || {
        let reader = livehook::journal::Reader::open(&app.data_dir()).unwrap();
        reader.read(livehook::journal::Offset(0), 1).unwrap()[0].offset.0
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut number = 0;
    let mut client = Client::connect(app.receiver).await.unwrap();
    while first_offset() < 3 {
        assert!(Instant::now() < deadline, "nothing is pruned");
        number += 1;
        // The journal can be full for a moment, until delivered records are pruned.
        client.post(&large(number)).await.unwrap();
    }
    let mut back = Subscriber::resume(app.admin, "", &id).await.unwrap();
    let mut next = back.next().await;
    assert_eq!(next.kind, "gap");
    let mut end = 1;
    // The journal may prune more while the feed reads: then several gaps follow each other.
    while next.kind == "gap" {
        let from = format!("{mark}-{end}");
        assert_eq!((next.data["reason"].as_str(), next.data["from"].as_str()), (Some("pruned"), Some(from.as_str())));
        end = next.data["to"].as_str().unwrap().strip_prefix(&format!("{mark}-")).unwrap().parse().unwrap();
        next = back.next().await;
    }
    assert!(end >= 2);
    assert_eq!((next.kind, next.id), ("event".to_owned(), Some(format!("{mark}-{}", end + 1))));

    for (id, reason) in [("0123456789abcdef-1".to_owned(), "other_journal"), (format!("{mark}-99999"), "beyond_end")] {
        let mut back = Subscriber::resume(app.admin, "", &id).await.unwrap();
        let gap = back.next().await;
        assert_eq!((gap.data["reason"].as_str(), gap.data["from"].as_str()), (Some(reason), Some(id.as_str())));
        assert_eq!(gap.data["to"].as_str(), gap.id.as_deref());
        assert!(back.is_silent().await, "it goes on from now");
        number += 1;
        post(app.receiver, &signed(1_000_000 + number, now_secs())).await;
        assert_eq!(back.next().await.kind, "event");
    }
    let answer = Client::connect(app.admin).await.unwrap().get("/api/v1/feed?kind=session", "").await.unwrap();
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("index.enabled"), "{answer:?}");
}

#[tokio::test]
async fn subscribers_are_capped() {
    let app = TestApp::start("[admin]\nsubscribers_max = 2\n").await;
    let mut subscribers =
        [Subscriber::connect(app.admin, "", "").await, Subscriber::connect(app.admin, "?stream=none", "").await];
    let answer = Client::connect(app.admin).await.unwrap().get("/api/v1/feed", "").await.unwrap();
    assert_eq!(answer.status, 503);
    assert!(answer.head.to_ascii_lowercase().contains("retry-after: 10"), "{answer:?}");
    assert!(answer.body.contains("`admin.subscribers_max`"), "{answer:?}");
    assert!(app.metrics().await.contains("livehook_feed_subscribers 2\n"));
    post(app.receiver, &event(true, "a", 1)).await;
    assert_eq!(next_summaries(&mut subscribers[0], 2).await, ["event tencent.css.push a", "session a live"]);
    drop(subscribers);
    let deadline = Instant::now() + Duration::from_secs(10);
    while !app.metrics().await.contains("livehook_feed_subscribers 0\n") {
        assert!(Instant::now() < deadline, "those that are gone keep their places");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The feed wakes up again for the next subscriber.
    let mut next = Subscriber::connect(app.admin, "", "").await;
    post(app.receiver, &event(false, "a", 1)).await;
    assert_eq!(next_summaries(&mut next, 2).await, ["event tencent.css.stop a", "session a ended"]);
    app.stop().await;
}

/// Sends more than a subscriber that does not read can buffer. Readers and senders never wait for it.
async fn flood(receiver: std::net::SocketAddr, reading: &mut Subscriber) {
    for number in 0..300 {
        let sent = Instant::now();
        post(receiver, &large(number)).await;
        assert!(sent.elapsed() < Duration::from_secs(5), "a sender waits for a subscriber");
        assert_eq!(summary(&reading.next().await), format!("event tencent.css.push s{number}"));
    }
}

#[tokio::test]
#[ignore = "takes ten seconds: run by tests/run"]
async fn slow_subscriber_is_cut_off() {
    let mut livehook = Livehook::running("", FILE_SINK).await;
    let mut stuck = Subscriber::connect(livehook.admin, "", "").await;
    let mut reading = Subscriber::connect(livehook.admin, "", "").await;
    flood(livehook.receiver, &mut reading).await;
    let mut count = 0;
    while stuck.try_next().await.is_ok() {
        count += 1;
    }
    assert!(count < 300, "it was kept everything for");
    assert!(livehook.log().contains("a subscriber of the feed was disconnected"), "{}", livehook.log());
    let last_id = stuck.last_id.clone().unwrap();
    let mut back = Subscriber::resume(livehook.admin, "", &last_id).await.unwrap();
    for number in count..300 {
        assert_eq!(summary(&back.next().await), format!("event tencent.css.push s{number}"));
    }
    livehook.stop().await;
}

#[tokio::test]
#[ignore = "takes half a minute: run by tests/run"]
async fn silent_subscriber_is_cut_off() {
    let mut livehook = Livehook::running("", FILE_SINK).await;
    let _stuck = Subscriber::connect(livehook.admin, "", "").await;
    let mut reading = Subscriber::connect(livehook.admin, "", "").await;
    flood(livehook.receiver, &mut reading).await;
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let metrics = Client::connect(livehook.admin).await.unwrap().get("/metrics", "").await.unwrap().body;
        if metrics.contains("livehook_feed_subscribers 1\n") {
            break;
        }
        assert!(Instant::now() < deadline, "it keeps its place");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(livehook.log().contains("it does not read its answer"), "{}", livehook.log());
    livehook.stop().await;
}

#[tokio::test]
async fn drain_does_not_wait_for_subscribers() {
    let mut livehook = Livehook::running("", FILE_SINK).await;
    let mut subscribers = Vec::new();
    for query in ["", "?stream=none", "?kind=session"] {
        subscribers.push(Subscriber::connect(livehook.admin, query, "").await);
    }
    post(livehook.receiver, &event(true, "a", 1)).await;
    assert_eq!(subscribers[0].next().await.kind, "event");
    let began = Instant::now();
    livehook.signal("TERM");
    assert!(livehook.ended(Duration::from_secs(8)).await.success());
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    for mut subscriber in subscribers {
        while subscriber.try_next().await.is_ok() {}
    }
}
