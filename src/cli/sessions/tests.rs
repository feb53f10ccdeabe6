//! `sessions` and `streams` over a real index.

use std::path::Path;

use clap::Parser;
use serde_json::Value;

use super::super::testing::{EPOCH_SECS, Journal, push, stop};
use super::super::{Arguments as All, Command, streams};
use super::*;
use crate::index;

/// Runs a command, and gives what it writes.
fn written(data_dir: &Path, line: &[&str]) -> String {
    let command = [&["livehook"], line, &["--data-dir", data_dir.to_str().unwrap()]].concat();
    let mut written = Vec::new();
    let mut output = Output::to(&mut written);
    let code = match All::try_parse_from(command).unwrap().command {
        Command::Sessions(arguments) => run(*arguments, &mut output).unwrap(),
        Command::Streams(arguments) => streams::run(&arguments, &mut output).unwrap(),
        other => panic!("{other:?}"),
    };
    drop(output);
    assert_eq!(code, ExitCode::SUCCESS);
    String::from_utf8(written).unwrap()
}

/// A member of every object that a command gives.
fn members(data_dir: &Path, line: &[&str], member: &str) -> Vec<String> {
    let json = written(data_dir, &[line, &["--output", "json"]].concat());
    let member = |line: &str| serde_json::from_str::<Value>(line).unwrap()[member].to_string().replace('"', "");
    json.lines().map(member).collect()
}

/// A data directory with the sessions 10 (ended after 50 s, network), 100 (ended after 5 s, by the client), both of stream
/// `a`, 120 (of `b`, live) and 130 (of `c`, live). The clock is long past them, and never stale is what the index knows.
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
fn filters_choose_and_an_order_is_kept() {
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
fn broadcasts_bridge_gaps_and_live_streams_are_those_that_have_not_stopped() {
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
fn tables_are_for_people_and_csv_has_a_head() {
    let directory = setup();
    let table = written(directory.path(), &["sessions", "--stream", "a"]);
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(
        table.contains("2026-05-01T12:00:10Z  50s     ended  push.example.com/live/a  network 12  203.0.113.7"),
        "{table}"
    );
    let csv = written(directory.path(), &["streams", "--stream", "b", "--output", "csv"]);
    assert!(
        csv.starts_with("domain,app_name,stream,live_since,")
            && csv.contains("\r\npush.example.com,live,b,2026-05-01T12:02:00Z,1,120-"),
        "{csv}"
    );
}

#[test]
fn what_does_not_go_together_is_wrong_usage() {
    let directory = setup();
    let data_dir = directory.path().to_str().unwrap();
    for line in [
        &["--broadcasts", "--reason", "idle"][..],
        &["--broadcasts", "--sort", "ended"],
        &["--broadcasts", "--reverse"],
        &["--rebuild", "--stream", "a"],
        &["--rebuild", "--limit", "5"],
        &["--rebuild", "--broadcasts"],
        &["--config", "x"],
        &["--url", "http://127.0.0.1:9090"],
        &["--state", "gone"],
        &["--reason", "bad"],
        &["--limit", "0"],
        &["--since", "5", "--until", "5"],
    ] {
        let parsed = All::try_parse_from([&["livehook", "sessions", "--data-dir", data_dir], line].concat());
        let error = match parsed {
            Err(error) => error.into(),
            Ok(All { command: Command::Sessions(arguments) }) => {
                run(*arguments, &mut Output::to(&mut Vec::new())).unwrap_err()
            }
            Ok(other) => panic!("{other:?}"),
        };
        assert!(crate::cli::testing::is_usage_error(&error), "{line:?}");
    }
}

#[test]
fn a_rebuild_here_keeps_what_the_service_has_configured() {
    let directory = setup();
    let before = index::Reader::open(directory.path()).unwrap().settings();
    assert_eq!(before.stale_after_ms, None);
    assert_eq!(written(directory.path(), &["sessions", "--rebuild"]), "");
    assert_eq!(index::Reader::open(directory.path()).unwrap().settings(), before);
    assert_eq!(members(directory.path(), &["sessions", "--state", "live"], "sequence"), ["130", "120"]);
}

#[test]
fn a_rebuild_keeps_sessions_that_the_journal_no_longer_has() {
    let directory = setup();
    let journal = rusqlite::Connection::open(directory.path().join("journal.db")).unwrap();
    for gone in ["offset <= 2", "offset > 0"] {
        journal.execute(&format!("DELETE FROM records WHERE {gone}"), []).unwrap();
        written(directory.path(), &["sessions", "--rebuild"]);
        assert_eq!(members(directory.path(), &["sessions"], "sequence"), ["130", "120", "100", "10"], "{gone}");
    }
}
