//! A person ends a session whose stop was lost, with the real program, with and without a running service.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{Client, now_secs, sign};
use super::process::{FILE_SINK, Livehook, PROGRAM};

const TOKEN: &str = "a-token-for-the-tests-only";

/// A service with a file sink.
struct Service {
    livehook: Livehook,
    /// When the test began, in Unix seconds.
    began_secs: i64,
}

impl Service {
    async fn start() -> Service {
        let more = format!("token = \"{TOKEN}\"\n{FILE_SINK}");
        Service { livehook: Livehook::running("name = \"eu-1\"", &more).await, began_secs: now_secs() }
    }

    /// Posts a push (event type 1) or a stop (0) of a stream, which happened so many seconds before the test. The stream is the sequence too.
    async fn post(&self, event_type: u8, stream: u32, secs_ago: i64) {
        let members = format!(
            r#""app":"Push.example.com","appname":"live","stream_id":"{stream}","sequence":"{stream}","event_type":{event_type},
            "event_time":{},"errcode":12,"errmsg":"network""#,
            self.began_secs - secs_ago
        );
        let mut client = Client::connect(self.livehook.receiver).await.unwrap();
        assert_eq!(client.post(&sign(&members, now_secs() + 600)).await.unwrap().status, 200);
    }

    fn command(&self, line: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.args(line).current_dir(&self.livehook.directory).env_remove("LIVEHOOK_DATA_DIR");
        command.env_remove("LIVEHOOK_CONFIG").env_remove("LIVEHOOK_ADMIN_TOKEN");
        command.output().unwrap()
    }

    /// Runs `sessions end` with the service's configuration. Returns its exit code and its stderr.
    fn end(&self, id: &str, more: &[&str]) -> (Option<i32>, String) {
        let output = self.command(&[&["sessions", "end", id, "--config", "config.toml"], more].concat());
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    /// The session of a stream.
    fn session(&self, stream: u32) -> Value {
        let stream = stream.to_string();
        let line = ["sessions", "--config", "config.toml", "--stream", &stream, "--output", "json"];
        serde_json::from_slice(&self.command(&line).stdout).unwrap()
    }

    fn id(&self, stream: u32) -> String {
        self.session(stream)["id"].as_str().unwrap().to_owned()
    }

    /// Waits for the manual end of a stream in the sink's file, which must have it once.
    async fn delivered(&self, stream: u32) -> Value {
        let name = stream.to_string();
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let events = self.livehook.lines("events.jsonl");
            let events = events.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
            let is_wanted = |event: &Value| event["type"] == "livehook.session.ended" && event["subject"] == *name;
            let found: Vec<Value> = events.filter(is_wanted).collect();
            if let [event] = &found[..] {
                return event.clone();
            }
            assert!(found.is_empty() && Instant::now() < deadline, "{found:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn manual_end_reaches_every_reader() {
    let mut service = Service::start().await;
    service.post(1, 1, 3600).await;
    let id = service.id(1);
    let at = jiff::Timestamp::from_second(now_secs() - 600).unwrap().to_string();
    let (code, said) = service.end(&id, &["--at", &at, "--why", "power"]);
    assert_eq!(code, Some(0), "{said}");
    let event = service.delivered(1).await;
    assert!(
        said.starts_with(&format!("ended the session {id}; its event is {}", event["id"].as_str().unwrap())),
        "{said}"
    );
    assert_eq!((&event["source"], &event["time"]), (&json!("/livehook/eu-1"), &json!(at)));
    assert_eq!(event["partitionkey"], "Push.example.com/live/1", "as in the push, so that sinks keep the order");

    let session = service.session(1);
    assert_eq!((&session["state"], &session["ended"]), (&json!("ended"), &json!(at)));
    let reason = &session["reason"];
    assert_eq!((&reason["category"], &reason["errmsg"]), (&json!("manual"), &json!("power")));
    assert_eq!((&session["manual_end_event_id"], &session["stop_event_id"]), (&event["id"], &Value::Null));
    let listed = service.command(&["events", "--config", "config.toml", "--type", "session-ended", "--output", "json"]);
    assert_eq!(serde_json::from_slice::<Value>(&listed.stdout).unwrap(), event);

    // Once more is no error, and another end is one.
    let (code, said) = service.end(&id, &["--at", &at, "--why", "power"]);
    assert!(code == Some(0) && said.contains("the same command ended the session"), "{said}");
    for (id, more, expected) in [
        (&*id, &["--why", "camera"][..], "answered 409"),
        (&*id, &["--why", "camera", "--at", "2h"], "is before the start of the session"),
        (&*id, &["--why", "camera", "--at", "2099-01-01"], "is in the future"),
        ("1-00000000", &["--why", "camera"], "answered 404"),
    ] {
        let (code, said) = service.end(id, more);
        assert!(code == Some(1) && said.contains(expected), "{said}");
    }
    for more in [&[][..], &["--why", ""], &["--why", "a\nb"], &["--why", "x", "--at", "soon"]] {
        assert_eq!(service.end(&id, more).0, Some(2));
    }

    // The stop comes late. It replaces the end, also in a rebuilt index.
    service.post(0, 1, 1200).await;
    let session = service.session(1);
    assert_eq!(session["reason"]["category"], "network", "{session}");
    assert_eq!(session["duration_ms"], 2_400_000, "{session}");
    let rebuilt = service.command(&["rebuild-index", "--config", "config.toml"]);
    assert!(rebuilt.status.success());
    assert_eq!(service.session(1), session);
    service.livehook.stop().await;
}

#[tokio::test]
async fn session_ends_without_a_service() {
    let mut service = Service::start().await;
    service.post(1, 1, 60).await;
    let id = service.id(1);
    service.livehook.stop().await;
    let (code, said) = service.end(&id, &["--at", "30s", "--why", "power"]);
    assert!(code == Some(0) && said.contains("the next start of the service"), "{said}");

    service.livehook.start();
    service.livehook.ready().await;
    let event = service.delivered(1).await;
    assert_eq!((&event["source"], &event["data"]["why"]), (&json!("/livehook/eu-1"), &json!("power")));
    let session = service.session(1);
    assert_eq!((&session["state"], &session["ended"]), (&json!("ended"), &event["time"]));
    let (code, said) = service.end(&id, &["--why", "camera"]);
    assert!(code == Some(1) && said.contains("was ended by a person"), "{said}");
    service.livehook.stop().await;
}

/// A forger who has the key can't make the event, because no callback can have its type.
#[tokio::test]
async fn callback_is_no_manual_end() {
    let mut service = Service::start().await;
    for event_type in ["-1", "\"-1\"", "\"session-ended\"", "\"livehook.session.ended\""] {
        let body = sign(&format!(r#""event_type":{event_type},"sequence":"1","stream_id":"1""#), now_secs() + 600);
        let mut client = Client::connect(service.livehook.receiver).await.unwrap();
        assert_eq!(client.post(&body).await.unwrap().status, 400, "{event_type}");
    }
    service.livehook.stop().await;
}
