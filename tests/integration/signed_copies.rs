//! An event of a type that CSS may send unsigned is stored without a signature, and its signed copy comes later: the event becomes
//! verified once, for good, and for every reader.

use std::process::Command;

use serde_json::Value;

use super::client::{Client, id_of, now_secs, sign};
use super::process::{FILE_SINK, Livehook, PROGRAM};

const MEMBERS: &str = r#""event_type":314,"appid":12345678,"stream_id":"s1","task_id":"t1","event_time":"1703731478""#;

/// Kills the program and starts it again.
async fn restart(livehook: &mut Livehook) {
    livehook.kill();
    livehook.start();
    livehook.ready().await;
}

async fn post(livehook: &Livehook, body: &str) {
    let answer = Client::connect(livehook.receiver).await.unwrap().post(body).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// The only event, as every reader shows it.
async fn event(livehook: &Livehook) -> Value {
    let answer = Client::connect(livehook.admin).await.unwrap().get("/api/v1/events", "").await.unwrap();
    let shown: Value = serde_json::from_str(&answer.body).unwrap();
    let items = shown["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{answer:?}");
    let command = ["events", "--data-dir", "data", "--output", "json"];
    let output = Command::new(PROGRAM).args(command).current_dir(&livehook.directory).output().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), items[0]);
    assert_eq!(serde_json::from_str::<Value>(&livehook.journal().concat()).unwrap(), items[0]);
    items[0].clone()
}

#[tokio::test]
async fn signed_copy_confirms_for_every_reader() {
    let mut livehook = Livehook::configured("", FILE_SINK);
    let path = livehook.path("config.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replace("[receiver]", "[receiver]\nunsigned_event_types = [\"relay\"]")).unwrap();
    livehook.start();
    livehook.ready().await;

    post(&livehook, &format!("{{{MEMBERS}}}")).await;
    let unsigned = event(&livehook).await;
    assert_eq!(unsigned["verified"], false);
    restart(&mut livehook).await;
    post(&livehook, &sign(MEMBERS, now_secs() + 600)).await;
    // The 200 means that it is durable.
    restart(&mut livehook).await;
    let mut expected = unsigned.clone();
    expected["verified"] = true.into();
    assert_eq!(event(&livehook).await, expected, "all else stays, also the id and the time");

    for body in [sign(MEMBERS, now_secs() + 601), format!("{{{MEMBERS}}}")] {
        post(&livehook, &body).await;
    }
    restart(&mut livehook).await;
    assert_eq!(event(&livehook).await, expected);
    livehook.stop().await;
    let rebuild = ["rebuild-index", "--data-dir", "data"];
    let status = Command::new(PROGRAM).args(rebuild).current_dir(&livehook.directory).status().unwrap();
    assert!(status.success());
    livehook.start();
    livehook.ready().await;
    assert_eq!(event(&livehook).await, expected);
    livehook.stop().await;

    let ids: Vec<String> = livehook.lines("events.jsonl").iter().map(|line| id_of(line).to_string()).collect();
    assert_eq!(ids, [expected["id"].as_str().unwrap()], "the sink gets no second event");
}
