//! A sender that behaves like CSS: twelve retries a minute apart, with a new or an old `t` and `sign`, late answers, stops
//! that overtake their push, and many events of one second under one signature.

use std::collections::{HashMap, HashSet};

use super::client::{Client, expected_id, id_of, now_secs, sign, signed};
use super::test_app::TestApp;

/// Posts and hangs up before the answer can arrive, like a sender that has waited too long.
async fn post_and_hang_up(app: &TestApp, body: &str) {
    let mut client = Client::connect(app.receiver).await.unwrap();
    client.send(body).await.unwrap();
}

#[tokio::test]
async fn retries_count_once() {
    let app = TestApp::start("").await;
    let now = now_secs();
    // The sender misses the first answer. It then retries eleven times, a minute apart, with a new `t` and `sign` each time.
    post_and_hang_up(&app, &signed(7, now)).await;
    app.wait_for_events(1).await;
    for minute in 1..=11 {
        let mut client = Client::connect(app.receiver).await.unwrap();
        assert_eq!(client.post(&signed(7, now + minute * 60)).await.unwrap().status, 200, "minute {minute}");
    }
    // The same with the old `t` and `sign`.
    for _ in 0..3 {
        let mut client = Client::connect(app.receiver).await.unwrap();
        assert_eq!(client.post(&signed(7, now)).await.unwrap().status, 200);
    }
    assert_eq!(app.events().len(), 1);
    let metrics = app.metrics().await;
    assert!(metrics.contains(r#"livehook_callbacks_total{event_type="stop",outcome="stored"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"livehook_callbacks_total{event_type="stop",outcome="duplicate"} 14"#), "{metrics}");
    let events = app.events();
    assert_eq!(app.stop().await, events, "and the file has it once");
}

#[tokio::test]
async fn old_signatures_expire_after_the_leeway() {
    let now = now_secs();
    // Sent twelve minutes ago, with `t` ten minutes ahead of that: two minutes too late.
    let late = signed(8, now - 720);
    let strict = TestApp::start("").await;
    let mut client = Client::connect(strict.receiver).await.unwrap();
    let answer = client.post(&late).await.unwrap();
    assert_eq!((answer.status, answer.error().as_str()), (401, "signature_expired"));
    let metrics = strict.metrics().await;
    assert!(metrics.contains("livehook_expired_by_seconds_count 1"), "{metrics}");
    let lenient = TestApp::start("[receiver]\nleeway_secs = 600\n").await;
    let mut client = Client::connect(lenient.receiver).await.unwrap();
    assert_eq!(client.post(&late).await.unwrap().status, 200);
}

#[tokio::test]
async fn stop_before_its_push_is_kept() {
    let app = TestApp::start("").await;
    let mut client = Client::connect(app.receiver).await.unwrap();
    let event = |event_type: u8| {
        let members = format!(
            r#""app":"d.com","appname":"live","stream_id":"s","event_type":{event_type},"event_time":1703731606,"sequence":"2210464508206756938""#
        );
        sign(&members, now_secs() + 600)
    };
    for event_type in [0, 1, 0] {
        assert_eq!(client.post(&event(event_type)).await.unwrap().status, 200);
    }
    let types: Vec<String> = app
        .events()
        .iter()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(types, ["tencent.css.stop", "tencent.css.push"]);
}

#[tokio::test]
async fn one_signature_may_cover_many_events() {
    let app = TestApp::start("").await;
    let now = now_secs();
    let sends: Vec<_> = (0..200u64)
        .map(|number| {
            let (address, body) = (app.receiver, signed(number, now));
            tokio::spawn(async move { Client::connect(address).await.unwrap().post(&body).await.unwrap().status })
        })
        .collect();
    for send in sends {
        assert_eq!(send.await.unwrap(), 200);
    }
    let mut counts = HashMap::new();
    for line in app.events() {
        *counts.entry(id_of(&line)).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 200);
    assert!(counts.values().all(|count| *count == 1));
}

#[tokio::test]
async fn hanging_up_loses_no_complete_event() {
    let app = TestApp::start("").await;
    for number in 0..50 {
        post_and_hang_up(&app, &signed(number, now_secs())).await;
    }
    app.wait_for_events(50).await;
    let ids: HashSet<_> = app.events().iter().map(|line| id_of(line)).collect();
    let sent: HashSet<_> = (0..50).map(|number| expected_id(&signed(number, now_secs()))).collect();
    assert_eq!((app.events().len(), ids), (50, sent));
    // The sender saw no 200 and retries. That changes nothing.
    for number in 0..50 {
        let mut client = Client::connect(app.receiver).await.unwrap();
        assert_eq!(client.post(&signed(number, now_secs())).await.unwrap().status, 200);
    }
    assert_eq!(app.events().len(), 50);
}
