//! A restored backup: clients with positions from before the restore notice it, and skip nothing.

use std::process::Command;

use super::client::{Client, now_secs, sign};
use super::process::{Livehook, PROGRAM};
use super::subscriber::Subscriber;

/// Posts one push for each sequence.
async fn post(livehook: &Livehook, numbers: std::ops::Range<u64>) {
    let mut client = Client::connect(livehook.receiver).await.unwrap();
    for number in numbers {
        let now_secs = now_secs();
        let members = format!(
            r#""event_type":1,"app":"d.com","appname":"live","stream_id":"s{number}","sequence":"{number}","event_time":{now_secs}"#
        );
        assert_eq!(client.post(&sign(&members, now_secs + 600)).await.unwrap().status, 200);
    }
}

/// The status and the body of an API answer.
async fn get(livehook: &Livehook, path: &str) -> (u16, serde_json::Value) {
    let answer = Client::connect(livehook.admin).await.unwrap().get(&format!("/api/v1/{path}"), "").await.unwrap();
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}

#[tokio::test]
async fn restore_invalidates_old_positions() {
    let mut livehook = Livehook::running("", "").await;
    post(&livehook, 0..3).await;
    let path = livehook.directory.clone();
    let backup = || {
        let mut command = Command::new(PROGRAM);
        command.args(["backup", "--data-dir", "data", "copy"]).current_dir(&path);
        assert!(command.status().unwrap().success());
    };
    backup();
    let mut before = Subscriber::connect(livehook.admin, "?since=1h&kind=event", "").await;
    post(&livehook, 3..8).await;
    for _ in 0..8 {
        before.next().await;
    }
    let last_id = before.last_id.clone().unwrap();
    drop(before);
    let (_, page) = get(&livehook, "events?limit=2").await;
    let next = format!("events?limit=2&page={}", page["next"].as_str().unwrap());
    assert_eq!(get(&livehook, &next).await.0, 200);
    livehook.stop().await;

    let [data, copy, away] = ["data", "copy", "away"].map(|name| livehook.path(name));
    std::fs::rename(&data, &away).unwrap();
    std::fs::rename(&copy, &data).unwrap();
    livehook.start();
    livehook.ready().await;
    post(&livehook, 100..108).await;
    let mut back = Subscriber::resume(livehook.admin, "?kind=event", &last_id).await.unwrap();
    let gap = back.next().await;
    assert_eq!((gap.kind.as_str(), gap.data["reason"].as_str()), ("gap", Some("other_journal")), "{gap:?}");
    let (status, problem) = get(&livehook, &next).await;
    assert_eq!((status, problem["parameter"].as_str()), (400, Some("page")), "{problem}");
    let mut anew = Subscriber::connect(livehook.admin, "?since=1h&kind=event", "").await;
    for _ in 0..11 {
        assert_eq!(anew.next().await.kind, "event");
    }
    assert_eq!(get(&livehook, "sessions").await.1["items"].as_array().unwrap().len(), 11);
    assert!(!livehook.log().contains("another journal"), "the index is of this journal still: {}", livehook.log());

    // Positions of one restored copy are not valid in the next one either.
    let last_id = anew.last_id.clone().unwrap();
    backup();
    livehook.stop().await;
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&copy, &data).unwrap();
    livehook.start();
    livehook.ready().await;
    let mut back = Subscriber::resume(livehook.admin, "", &last_id).await.unwrap();
    assert_eq!(back.next().await.kind, "gap");
    livehook.stop().await;
}
