//! The log of the real program: mistakes at the start, refusals with their fields, and the access log.

use std::os::unix::fs::MetadataExt;
use std::process::Command;

use serde_json::Value;

use super::client::{Client, now_secs, sign, signed};
use super::process::{FILE_SINK, Livehook, PROGRAM};

/// Runs `serve` with two mistakes in its configuration. Returns its stderr.
fn mistaken(livehook: &Livehook, format: &str, is_journald: bool) -> String {
    livehook.configure_again("data_dir_ = 1", &format!("subscribers_max = 0\n[log]\nformat = \"{format}\""));
    let log = std::fs::File::create(livehook.path("stderr.log")).unwrap();
    let metadata = log.metadata().unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--config", "config.toml"]).current_dir(&livehook.directory).stderr(log);
    command.env_remove("LIVEHOOK_LOG_FORMAT").env_remove("JOURNAL_STREAM");
    if is_journald {
        command.env("JOURNAL_STREAM", format!("{}:{}", metadata.dev(), metadata.ino()));
    }
    assert_eq!(command.status().unwrap().code(), Some(1));
    livehook.log()
}

#[test]
fn mistakes_have_the_format_of_the_log() {
    let livehook = Livehook::configured("", "");
    let people = mistaken(&livehook, "text", false);
    assert!(people.starts_with("error: the configuration has 2 mistakes:\n"), "{people}");

    let json = mistaken(&livehook, "json", false);
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines.iter().map(|line| line["key"].as_str().unwrap()).collect::<Vec<_>>(),
        ["data_dir_", "admin.subscribers_max"]
    );
    assert!(lines.iter().all(|line| line["level"] == "ERROR" && line["line"].is_u64()), "{json}");
    assert!(lines[1]["message"].as_str().unwrap().contains("must be from 1 to 100000"), "{json}");

    let journald = mistaken(&livehook, "text", true);
    assert_eq!(journald.lines().count(), 2, "{journald}");
    assert!(journald.lines().all(|line| line.starts_with("<3>") && !line.contains("<3>error")), "{journald}");
}

/// The lines of the log that have this message.
fn lines(livehook: &Livehook, message: &str) -> Vec<Value> {
    let lines = livehook.log().lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>();
    lines.into_iter().filter(|line| line["message"].as_str().unwrap().starts_with(message)).collect()
}

#[tokio::test]
async fn requests_are_in_the_access_log() {
    let more = format!("[log]\nformat = \"json\"\naccess = {{ sample = 1 }}\n{FILE_SINK}");
    let mut livehook = Livehook::running("", &more).await;
    let mut client = Client::connect(livehook.receiver).await.unwrap();
    assert_eq!(client.post(&signed(1, now_secs())).await.unwrap().status, 200);
    assert_eq!(
        client.post(&sign("\"event_type\":1,\"stream_id\":\"s\\n1\"", now_secs() - 5)).await.unwrap().status,
        401
    );
    assert_eq!(client.get("/other?token=secret", "").await.unwrap().status, 404);
    livehook.stop().await;

    let requests: Vec<Value> =
        lines(&livehook, "request").into_iter().filter(|line| line["listener"] == "receiver").collect();
    let statuses: Vec<_> = requests.iter().map(|line| line["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 401, 404]);
    let stored = &requests[0];
    let id = super::client::id_of(&livehook.journal()[0]).to_string();
    assert_eq!((stored["event.id"].as_str(), stored["path"].as_str()), (Some(&*id), Some("/callback")), "{stored}");
    assert_eq!((stored["method"].as_str(), stored["bytes"].as_u64()), (Some("POST"), Some(10)), "{stored}");
    assert_eq!(stored["client"], "127.0.0.1");
    assert!(stored["duration_ms"].as_f64().unwrap() > 0.0, "{stored}");
    assert!(!livehook.log().contains("secret"), "{}", livehook.log());
    let admin = lines(&livehook, "request").into_iter().find(|line| line["listener"] == "admin").unwrap();
    assert_eq!(admin["path"], "/readyz");

    let refused = lines(&livehook, "a callback was refused");
    assert_eq!((&refused[0]["error"], &refused[0]["client"]), (&"signature_expired".into(), &"127.0.0.1".into()));
    assert_eq!(refused[0]["stream"], "s\\n1", "the name of a sender is escaped");
}
