//! `sessions` and `streams` over a real index.

use std::path::Path;

use serde_json::Value;

use crate::cli::testing::{EPOCH_SECS, Journal, assert_usage_error, push, stdout_of, stop};
use crate::index;

/// Returns the output of a command.
fn printed(data_dir: &Path, line: &[&str]) -> String {
    stdout_of(&[line, &["--data-dir", data_dir.to_str().unwrap()]].concat())
}

/// A member of every object that a command prints.
fn members(data_dir: &Path, line: &[&str], member: &str) -> Vec<String> {
    let json = printed(data_dir, &[line, &["--output", "json"]].concat());
    let member = |line: &str| serde_json::from_str::<Value>(line).unwrap()[member].to_string().replace('"', "");
    json.lines().map(member).collect()
}

/// A data directory with four sessions: 10 (ended after 50 s, network) and 100 (ended after 5 s, client) of stream `a`,
/// 120 (live) of `b`, and 130 (live) of `c`. They are long ago, so the index never counts a session as stale.
fn setup() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let events =
        [push("a", 10), stop("a", 10, 50, 12), push("a", 100), stop("a", 100, 5, 1), push("b", 120), push("c", 130)];
    Journal::write(directory.path(), events);
    let never_stale = index::Options { stale_after_secs: 0, ..index::Options::default() };
    index::rebuild(directory.path(), &never_stale, |_, _| {}).unwrap();
    directory
}

#[test]
fn sessions_filtered_and_sorted() {
    let directory = setup();
    let sequences = |line: &[&str]| members(directory.path(), &[&["sessions"], line].concat(), "sequence").join(" ");
    let at = |number: i64| (EPOCH_SECS + number).to_string();
    for (line, expected) in [
        (&[][..], "130 120 100 10"),
        (&["--reverse"], "10 100 120 130"),
        (&["--sort", "duration"], "120 130 10 100"),
        (&["--sort", "duration", "--reverse"], "100 10 130 120"),
        (&["--sort", "duration", "--state", "live"], "120 130"),
        (&["--sort", "ended"], "130 120 100 10"),
        (&["--limit", "2"], "130 120"),
        (&["--stream", "a"], "100 10"),
        (&["--stream", "a", "--stream", "c*"], "130 100 10"),
        (&["--domain", "PUSH.example.com"], "130 120 100 10"),
        (&["--domain", "*.push.example.com"], ""),
        (&["--state", "live"], "130 120"),
        (&["--state", "ended"], "100 10"),
        (&["--state", "stale", "--state", "ended"], "100 10"),
        (&["--reason", "network"], "10"),
        (&["--reason", "network", "--reason", "client"], "100 10"),
        (&["--since", &at(100)], "130 120 100"),
        (&["--since", &at(100), "--until", &at(120)], "100"),
    ] {
        assert_eq!(sequences(line), expected, "{line:?}");
    }
}

#[test]
fn broadcasts_and_live_streams() {
    let directory = setup();
    let data_dir = directory.path();
    let counts =
        |line: &[&str]| members(data_dir, &[&["sessions", "--broadcasts"], line].concat(), "sessions").join(" ");
    assert_eq!(counts(&[]), "1 1 2");
    assert_eq!(counts(&["--stream", "a"]), "2");
    assert_eq!((counts(&["--state", "live"]), counts(&["--state", "ended"])), ("1 1".to_owned(), "2".to_owned()));
    assert_eq!(counts(&["--state", "live", "--state", "ended"]), "1 1 2");
    assert_eq!(counts(&["--state", "stale"]), "");
    assert_eq!(members(data_dir, &["streams"], "stream"), ["c", "b"]);
    assert_eq!(members(data_dir, &["streams", "--limit", "1"], "stream"), ["c"]);
    assert_eq!(members(data_dir, &["streams", "--stream", "b"], "user_address"), ["203.0.113.7"]);
    assert_eq!(members(data_dir, &["streams", "--stream", "a"], "stream"), Vec::<String>::new());
}

#[test]
fn output_formats() {
    let directory = setup();
    let printed = |line: &[&str]| printed(directory.path(), line);
    insta::assert_snapshot!("sessions_table", printed(&["sessions", "--state", "ended"]));
    insta::assert_snapshot!("sessions_csv", printed(&["sessions", "--stream", "b", "--output", "csv"]));
    insta::assert_snapshot!("sessions_json", printed(&["sessions", "--stream", "b", "--output", "json"]));
    insta::assert_snapshot!("broadcasts_table", printed(&["sessions", "--broadcasts", "--stream", "a"]));
    insta::assert_snapshot!("streams_csv", printed(&["streams", "--output", "csv"]));
}

#[test]
fn conflicting_flags_refused() {
    let directory = setup();
    let data_dir = directory.path().to_str().unwrap();
    for line in [
        &["--broadcasts", "--reason", "idle"][..],
        &["--broadcasts", "--sort", "ended"],
        &["--broadcasts", "--reverse"],
        &["--rebuild", "--stream", "a"],
        &["--rebuild", "--limit", "5"],
        &["--rebuild", "--broadcasts"],
        &["--url", "http://127.0.0.1:9090"],
        &["--state", "gone"],
        &["--reason", "bad"],
        &["--limit", "0"],
        &["--since", "5", "--until", "5"],
    ] {
        assert_usage_error(&[&["sessions", "--data-dir", data_dir], line].concat());
    }
}

#[test]
fn rebuild_keeps_settings() {
    let directory = setup();
    let before = index::Reader::open(directory.path()).unwrap().settings();
    assert_eq!(before.stale_after_ms, None);
    for line in [&["rebuild-index"][..], &["sessions", "--rebuild"]] {
        assert_eq!(printed(directory.path(), line), "");
        assert_eq!(index::Reader::open(directory.path()).unwrap().settings(), before);
        assert_eq!(members(directory.path(), &["sessions", "--state", "live"], "sequence"), ["130", "120"]);
    }
}

#[test]
fn rebuild_keeps_old_sessions() {
    let directory = setup();
    let journal = rusqlite::Connection::open(directory.path().join("journal.db")).unwrap();
    for gone in ["offset <= 2", "offset > 0"] {
        journal.execute(&format!("DELETE FROM records WHERE {gone}"), []).unwrap();
        printed(directory.path(), &["rebuild-index"]);
        assert_eq!(members(directory.path(), &["sessions"], "sequence"), ["130", "120", "100", "10"], "{gone}");
    }
}
