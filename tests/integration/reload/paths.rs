//! The paths of the receiver, the access log and the index: other rules for requests on connections that stay open.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::running::{PATIENCE, counts, running};
use crate::client::{Client, members, now_secs, sign, signed};

/// Each callback is accepted at exactly one of two paths: first at the old one, and from the reload on at the new one.
#[tokio::test]
async fn callbacks_move_to_another_path() {
    let mut livehook = running("").await;
    let (is_over, sent) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let (is_over, sent, receiver) = (Arc::clone(&is_over), Arc::clone(&sent), livehook.receiver);
            tokio::spawn(async move {
                let mut client = Client::connect(receiver).await.unwrap();
                let mut path = "/callback";
                while !is_over.load(Ordering::SeqCst) {
                    let body = signed(sent.fetch_add(1, Ordering::SeqCst), now_secs());
                    let mut status = client.post_to(path, &body).await.unwrap().status;
                    if status == 404 && path == "/callback" {
                        // A refusal of an unread body ends its connection.
                        (client, path) = (Client::connect(receiver).await.unwrap(), "/other");
                        status = client.post_to(path, &body).await.unwrap().status;
                    }
                    assert_eq!(status, 200, "{path}");
                }
                path
            })
        })
        .collect();
    let more = async |count: u64| {
        let (wanted, deadline) = (sent.load(Ordering::SeqCst) + count, Instant::now() + PATIENCE);
        while sent.load(Ordering::SeqCst) < wanted {
            assert!(Instant::now() < deadline, "the load has stopped");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    more(50).await;
    // A request that began before the reload.
    let begun = sign(&members(1_000_000), now_secs() + 600);
    let mut late = Client::connect(livehook.receiver).await.unwrap();
    let head = format!("POST /callback HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", begun.len());
    late.raw(format!("{head}{}", &begun[..9]).as_bytes()).await.unwrap();
    more(50).await;

    livehook.edit("keys = [", "path = \"/other\"\nhealth_path = \"/health\"\nkeys = [");
    let changes = "receiver.path: /callback -> /other\nreceiver.health_path: not set -> /health\n";
    let risk = "warning: receiver.path: after this change livehook takes no callbacks at /callback; ";
    let compared = livehook.command(&["check-config", "--against-running"]);
    assert!(String::from_utf8(compared.stdout).unwrap().ends_with(&format!("a reload would change:\n{changes}")));
    assert!(String::from_utf8(compared.stderr).unwrap().contains(risk));
    let output = livehook.command(&["reload"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), changes);
    assert!(String::from_utf8(output.stderr).unwrap().contains(risk));
    livehook.logs("WARN receiver.path: after this change livehook takes no callbacks at /callback", 1).await;
    more(50).await;
    is_over.store(true, Ordering::SeqCst);
    for sender in senders {
        assert_eq!(sender.await.unwrap(), "/other");
    }
    late.raw(&begun.as_bytes()[9..]).await.unwrap();
    assert_eq!(late.receive().await.unwrap().status, 200, "a request keeps the rules of its beginning");
    assert_eq!(late.post_to("/other", &begun).await.unwrap().status, 200);
    assert_eq!(late.get("/health", "").await.unwrap().body, "ready\n", "an open connection has the new paths");

    livehook.edit("health_path = \"/health\"", "health_path = \"/up\"");
    assert_eq!(livehook.reload(), "receiver.health_path: /health -> /up\n");
    assert_eq!(late.get("/up", "").await.unwrap().body, "ready\n");
    assert_eq!(late.get("/health", "").await.unwrap().status, 404);
    let old = late.post(&begun).await.unwrap();
    assert_eq!((old.status, old.error().as_str()), (404, "not_found"));
    livehook.stop().await;
    let sent = sent.load(Ordering::SeqCst) + 1;
    assert_eq!(livehook.journal().len() as u64, sent);
    assert!(counts(&livehook.lines("events.jsonl")).values().all(|count| *count == 1));
}

#[tokio::test]
async fn access_log_comes_and_goes() {
    let mut livehook = running("[log]\nformat = \"json\"").await;
    let mut client = Client::connect(livehook.receiver).await.unwrap();
    assert_eq!(client.post(&signed(0, now_secs())).await.unwrap().status, 200);
    livehook.edit("format = \"json\"", "format = \"json\"\naccess = { sample = 1 }");
    assert_eq!(livehook.reload(), "log.access: not set -> 1\n");
    assert_eq!(client.post(&signed(1, now_secs())).await.unwrap().status, 200);
    livehook.edit("access = { sample = 1 }", "access = { sample = 0 }");
    assert_eq!(livehook.reload(), "log.access: 1 -> 0\n");
    assert_eq!(client.post(&signed(2, now_secs())).await.unwrap().status, 200);
    assert_eq!(client.post("{}").await.unwrap().status, 400);
    livehook.edit("\naccess = { sample = 0 }", "");
    assert_eq!(livehook.reload(), "log.access: 0 -> not set\n");
    assert_eq!(client.post("{}").await.unwrap().status, 400);
    livehook.stop().await;
    let log = livehook.log();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let requests = lines.filter(|line| line["listener"] == "receiver");
    let found: Vec<_> = requests.map(|line| (line["status"].as_u64(), line["event.id"].is_string())).collect();
    assert_eq!(found, [(Some(200), true), (Some(400), false)]);
}

/// Queries follow the new limits, and the worker of the index doesn't wait for an event.
#[tokio::test]
async fn limits_of_the_index_change() {
    let mut livehook = running("[index]\nstale_after_secs = 0").await;
    let hour_ago = members(0).replace("\"event_time\":1703731478", &format!("\"event_time\":{}", now_secs() - 3600));
    let posted = Client::connect(livehook.receiver).await.unwrap().post(&sign(&hour_ago, now_secs() + 600)).await;
    assert_eq!(posted.unwrap().status, 200);
    let becomes = async |state: &str| {
        let deadline = Instant::now() + PATIENCE;
        let mut client = Client::connect(livehook.admin).await.unwrap();
        loop {
            let body = client.get("/api/v1/sessions", "").await.unwrap().body;
            if body.contains(&format!("\"state\":\"{state}\"")) {
                return;
            }
            assert!(Instant::now() < deadline, "{state}: {body}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    becomes("live").await;
    livehook.edit("stale_after_secs = 0", "stale_after_secs = 60\nretention_days = 7\nbridge_gap_secs = 5");
    let began = Instant::now();
    assert_eq!(
        livehook.reload(),
        "index.retention_days: 365 -> 7\nindex.stale_after_secs: 0 -> 60\nindex.bridge_gap_secs: 70 -> 5\n"
    );
    becomes("stale").await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let listed = livehook.command(&["sessions"]);
    assert!(String::from_utf8(listed.stdout).unwrap().contains("stale"), "commands see it too");
    livehook.stop().await;
}
