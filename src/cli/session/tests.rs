//! `session` over a real index.

use std::path::Path;

use clap::Parser;
use serde_json::Value;

use super::super::testing::{EPOCH_SECS, Journal, event, push, stop};
use super::super::{Arguments as All, Command};
use super::*;
use crate::index;
use crate::journal::Offset;

fn written(data_dir: &Path, line: &[&str]) -> anyhow::Result<String> {
    let command = [&["livehook", "session", "--data-dir", data_dir.to_str().unwrap()], line].concat();
    let Command::Session(arguments) = All::try_parse_from(command).unwrap().command else { panic!("not session") };
    let mut written = Vec::new();
    run(&arguments, &mut Output::to(&mut written))?;
    Ok(String::from_utf8(written).unwrap())
}

fn json(data_dir: &Path, id: &str) -> Value {
    let written = written(data_dir, &[id, "--output", "json"]).unwrap();
    assert_eq!(written.lines().count(), 1);
    serde_json::from_str(&written).unwrap()
}

/// A member of another event, of stream `a`.
fn other(event_type: i64, members: &str, secs: i64) -> Event {
    let body = format!(
        r#"{{"event_type":{event_type},"app":"push.example.com","domain":"push.example.com","appname":"live","path":"live","stream_id":"a",{members}}}"#
    );
    event(&body, secs)
}

/// A session of stream `a` with a stop for a network error, in an order that is not that of time; and two streams that
/// share the sequence 7.
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

#[test]
fn all_that_is_known_is_told_to_people_and_hostile_texts_are_harmless() {
    let directory = setup();
    let text = written(directory.path(), &["10"]).unwrap();
    for expected in [
        "stream       push.example.com/live/a\n",
        "state        ended\n",
        "started      2026-05-01T12:00:10Z\n",
        "lasted       50s\n",
        "reason       network 12\n",
        "\nmeaning      ",
        "\nwho acts     ",
        "\nwhat to do   ",
        "size         1920x1080\n",
        "anomalies    1\n",
        "recordings   1\n",
        "screenshots  1\n",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let events: Vec<&str> = text.split("\nEvents:\n").nth(1).unwrap().lines().collect();
    assert_eq!(
        events,
        [
            "2026-05-01T12:00:10Z  push              from 203.0.113.7",
            "2026-05-01T12:00:20Z  push-anomaly      2 x No data\\u{1b}[2J",
            "2026-05-01T12:00:30Z  screenshot        http://p.example.com/1.jpg",
            "2026-05-01T12:00:59Z  recording         http://v.example.com/1.mp4",
            "2026-05-01T12:01:00Z  stop              after 50s, errcode 12",
        ]
    );
}

#[test]
fn json_is_one_object_with_the_events_in_full_and_csv_one_row() {
    let directory = setup();
    let session = json(directory.path(), "10");
    assert_eq!((&session["state"], &session["reason"]["category"]), (&"ended".into(), &"network".into()));
    assert_eq!(session["events_gone"], 0);
    let events = session["events"].as_array().unwrap();
    assert_eq!((events.len(), &events[0]["type"]), (5, &"tencent.css.push".into()));
    assert_eq!(events[0]["data"]["sequence"], "10");
    assert_eq!(json(directory.path(), session["id"].as_str().unwrap()), session, "by its id it is the same");

    let csv = written(directory.path(), &["10", "--output", "csv"]).unwrap();
    assert_eq!(csv.lines().count(), 2);
}

#[test]
fn a_shared_sequence_lists_the_sessions_and_another_text_is_named() {
    let directory = setup();
    let told = written(directory.path(), &["7"]).unwrap_err().to_string();
    assert!(told.contains("2 streams") && told.contains("live/b") && told.contains("live/c"), "{told}");
    let id = told.lines().nth(1).unwrap().split_whitespace().next().unwrap();
    assert_eq!(json(directory.path(), id)["stream"], "b");
    for text in ["8", "10-00000000", "", "a\u{1b}[2J", "7 "] {
        let told = written(directory.path(), &[text]).unwrap_err().to_string();
        assert!(told.contains("there is no session") && !told.contains('\u{1b}'), "{told}");
    }
}

#[test]
fn what_the_journal_no_longer_has_is_told() {
    let directory = setup();
    let data_dir = directory.path();
    // As pruning leaves it: first the records are gone, and the index knows of them still, then it does not.
    let journal = rusqlite::Connection::open(data_dir.join("journal.db")).unwrap();
    journal.execute("DELETE FROM records WHERE offset IN (2, 3, 4)", []).unwrap();
    let text = written(data_dir, &["10"]).unwrap();
    assert!(text.ends_with("\nGone from the journal: 1 push, 1 push-anomaly, 1 recording\n"), "{text}");
    let session = json(data_dir, "10");
    assert_eq!((session["events"].as_array().unwrap().len(), &session["events_gone"]), (2, &3.into()));

    journal.execute("DELETE FROM records WHERE offset < 7", []).unwrap();
    let mut store = index::Store::open(data_dir, &index::Options::default()).unwrap();
    while store.prune(Offset(7), 0).unwrap() {}
    drop(store);
    let text = written(data_dir, &["10"]).unwrap();
    assert!(
        text.ends_with("Events:\nGone from the journal: 1 push, 1 stop, 1 push-anomaly, 1 recording, 1 screenshot\n"),
        "{text}"
    );
}
