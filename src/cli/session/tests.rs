//! `session` over a real index.

use std::path::Path;

use serde_json::Value;

use crate::callback::Event;
use crate::cli::testing::{EPOCH_SECS, Journal, error_of, event, push, stdout_of, stop};
use crate::index;
use crate::journal::Offset;

fn printed(data_dir: &Path, line: &[&str]) -> String {
    stdout_of(&[&["session", "--data-dir", data_dir.to_str().unwrap()], line].concat())
}

fn error(data_dir: &Path, id: &str) -> String {
    error_of(&["session", "--data-dir", data_dir.to_str().unwrap(), id]).to_string()
}

fn json(data_dir: &Path, id: &str) -> Value {
    let printed = printed(data_dir, &[id, "--output", "json"]);
    assert_eq!(printed.lines().count(), 1);
    serde_json::from_str(&printed).unwrap()
}

/// An event of stream `a`; its domain and app name have two names, because types differ in them.
fn other(event_type: i64, members: &str, secs: i64) -> Event {
    let body = format!(
        r#"{{"event_type":{event_type},"app":"push.example.com","domain":"push.example.com","appname":"live","path":"live","stream_id":"a",{members}}}"#
    );
    event(&body, secs)
}

/// One session of stream `a` that ended with a network error, its events out of order. Streams `b` and `c` share the
/// sequence 7.
fn setup() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let anomaly_ms = (EPOCH_SECS + 20) * 1000;
    let anomaly = format!(
        r#""sequence":"10","data_time":{anomaly_ms},"abnormal_event":[{{"count":2,"type_desc_en":"No data\u001b[2J"}}]"#
    );
    let recording = format!(
        r#""start_time":{},"end_time":{},"video_url":"http://v.example.com/1.mp4""#,
        EPOCH_SECS + 11,
        EPOCH_SECS + 59
    );
    let screenshot = format!(r#""create_time":{},"pic_full_url":"http://p.example.com/1.jpg""#, EPOCH_SECS + 30);
    let events = [
        stop("a", 10, 50, 12),
        other(100, &recording, EPOCH_SECS + 70),
        push("a", 10),
        other(321, &anomaly, EPOCH_SECS + 21),
        other(200, &screenshot, EPOCH_SECS + 31),
        push("b", 7),
        push("c", 7),
    ];
    Journal::write(directory.path(), events);
    index::rebuild(directory.path(), &index::Options::default(), |_, _| {}).unwrap();
    directory
}

// One event has a hostile text.
#[test]
fn session_with_events() {
    let directory = setup();
    insta::assert_snapshot!("table", printed(directory.path(), &["10"]));
    insta::assert_snapshot!("json", printed(directory.path(), &["10", "--output", "json"]));
}

#[test]
fn json_and_csv() {
    let directory = setup();
    let session = json(directory.path(), "10");
    assert_eq!((&session["state"], &session["reason"]["category"]), (&"ended".into(), &"network".into()));
    assert_eq!(session["events_gone"], 0);
    let events = session["events"].as_array().unwrap();
    assert_eq!((events.len(), &events[0]["type"]), (5, &"tencent.css.push".into()));
    assert_eq!(events[0]["data"]["sequence"], "10");
    assert_eq!(json(directory.path(), session["id"].as_str().unwrap()), session, "by its id it is the same");

    let csv = printed(directory.path(), &["10", "--output", "csv"]);
    assert_eq!(csv.lines().count(), 2);
}

#[test]
fn shared_or_unknown_sequence() {
    let directory = setup();
    let message = error(directory.path(), "7");
    assert!(message.contains("2 streams") && message.contains("live/b") && message.contains("live/c"), "{message}");
    let id = message.lines().nth(1).unwrap().split_whitespace().next().unwrap();
    assert_eq!(json(directory.path(), id)["stream"], "b");
    for text in ["8", "10-00000000", "", "a\u{1b}[2J", "7 "] {
        let message = error(directory.path(), text);
        assert!(message.contains("no session `") && !message.contains('\u{1b}'), "{message}");
    }
}

#[test]
fn events_gone_from_the_journal() {
    let directory = setup();
    let data_dir = directory.path();
    // Pruning removes records first from the journal, later from the index.
    let journal = rusqlite::Connection::open(data_dir.join("journal.db")).unwrap();
    journal.execute("DELETE FROM records WHERE offset IN (2, 3, 4)", []).unwrap();
    let text = printed(data_dir, &["10"]);
    assert!(text.ends_with("\nGone from the journal: 1 push, 1 push-anomaly, 1 recording\n"), "{text}");
    let session = json(data_dir, "10");
    assert_eq!((session["events"].as_array().unwrap().len(), &session["events_gone"]), (2, &3.into()));

    journal.execute("DELETE FROM records WHERE offset < 7", []).unwrap();
    let mut store = index::Store::open(data_dir, &index::Options::default()).unwrap();
    while store.prune(Offset(7), 0).unwrap() {}
    drop(store);
    let text = printed(data_dir, &["10"]);
    assert!(
        text.ends_with("Events:\nGone from the journal: 1 push, 1 stop, 1 push-anomaly, 1 recording, 1 screenshot\n"),
        "{text}"
    );
}
