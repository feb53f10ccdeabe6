//! `events` over a real journal.

use std::io::{BufRead, BufReader};
use std::path::Path;

use super::*;
use crate::callback::Event;
use crate::cli::command_line::run_with_output;
use crate::cli::testing::{Journal, assert_usage_error, error_of, event, stdout_of};

/// Event `number` of stream `room-<number>`, received this many minutes after the Unix epoch. Every third one is a stop.
fn numbered(number: i64) -> Event {
    let event_type = i64::from(number % 3 != 0);
    let domain = number % 2;
    let body = format!(r#"{{"event_type":{event_type},"app":"d{domain}.example.com","stream_id":"room-{number}"}}"#);
    event(&body, number * 60)
}

/// The number of a printed event.
fn number(line: &str) -> i64 {
    let event: serde_json::Value = serde_json::from_str(line).unwrap();
    event["subject"].as_str().unwrap().strip_prefix("room-").unwrap().parse().unwrap()
}

/// The numbers of the events that a command prints.
fn numbers(data_dir: &Path, line: &[&str]) -> Vec<i64> {
    let data_dir = data_dir.to_str().unwrap();
    let printed = stdout_of(&[&["events", "--output", "json", "--data-dir", data_dir], line].concat());
    printed.lines().map(number).collect()
}

#[test]
fn events_filtered_and_limited() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path();
    Journal::write(data_dir, (0..12).map(numbered));
    for (line, expected) in [
        (&[][..], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11][..]),
        (&["--type", "stop"], &[0, 3, 6, 9]),
        (&["--type", "stop", "--type", "1", "--stream", "room-1*", "--stream", "room-3"], &[1, 3, 10, 11]),
        (&["--domain", "D1.example.com", "--type", "stop"], &[3, 9]),
        (&["--limit", "3"], &[9, 10, 11]),
        (&["--limit", "3", "--type", "stop"], &[3, 6, 9]),
        (&["--limit", "99", "--type", "stop"], &[0, 3, 6, 9]),
        (&["--since", "300"], &[5, 6, 7, 8, 9, 10, 11]),
        (&["--since", "300", "--limit", "2"], &[5, 6]),
        (&["--until", "120"], &[0, 1]),
        (&["--until", "480", "--limit", "2"], &[6, 7]),
        (&["--since", "1970-01-01T00:03:00Z", "--until", "1970-01-01T00:05:00Z"], &[3, 4]),
        (&["--since", "1h"], &[]),
        (&["--since", "300", "--limit", "2", "--follow"], &[5, 6]),
    ] {
        assert_eq!(numbers(data_dir, line), expected, "{line:?}");
    }
}

#[test]
fn pages_join_without_a_gap() {
    let directory = tempfile::tempdir().unwrap();
    Journal::write(directory.path(), (0..2100).map(numbered));
    assert_eq!(numbers(directory.path(), &[]), (0..2100).collect::<Vec<_>>());
    assert_eq!(numbers(directory.path(), &["--limit", "2050"]), (50..2100).collect::<Vec<_>>());
}

#[test]
fn damaged_index_is_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    Journal::write(directory.path(), (0..3).map(numbered));
    std::fs::write(directory.path().join("index.db"), "no index").unwrap();
    assert_eq!(numbers(directory.path(), &["--stream", "room-1"]), [1]);
}

#[test]
fn new_events_printed_once() {
    let directory = tempfile::tempdir().unwrap();
    Journal::write(directory.path(), (0..3).map(numbered));
    let journal = journal::Reader::open(directory.path()).unwrap();
    let source = EventSource::new(&journal, None);
    let query = EventQuery { order: Order::Ascending, limit: usize::MAX, ..EventQuery::default() };
    let mut listing = Listing::start(source, query, Some(1), EventFormat::Json).unwrap();
    let mut count = |limit| {
        let mut printed = Vec::new();
        listing.print_new(source, limit, &mut Output::to(&mut printed)).unwrap();
        String::from_utf8(printed).unwrap().lines().count()
    };
    assert_eq!((count(Some(1)), count(None)), (1, 0));
    Journal::write(directory.path(), (3..5).map(numbered));
    assert_eq!((count(None), count(None)), (2, 0));
}

#[test]
fn follow_waits_for_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path();
    Journal::write(data_dir, (0..3).map(numbered));
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut printed = BufReader::new(reader).lines().map(|line| number(&line.unwrap()));
    std::thread::scope(|scope| {
        let following = scope.spawn(move || {
            let line = ["livehook", "events", "--output", "json", "--since", "60", "--limit", "4", "--follow"];
            let line = line.into_iter().chain(["--data-dir", data_dir.to_str().unwrap()]);
            run_with_output(line, &mut Output::to(&mut writer)).unwrap()
        });
        assert_eq!(printed.by_ref().take(2).collect::<Vec<_>>(), [1, 2]);
        assert!(!following.is_finished());
        Journal::write(data_dir, (3..9).map(numbered));
        assert_eq!(printed.collect::<Vec<_>>(), [3, 4]);
        assert_eq!(following.join().unwrap(), ExitCode::SUCCESS);
    });
}

/// As after a restore: the files are other ones, and the service has received new events since.
#[test]
fn follow_goes_on_after_a_restore() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path();
    Journal::write(data_dir, (0..3).map(numbered));
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut printed = BufReader::new(reader).lines().map(|line| number(&line.unwrap()));
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let line = ["livehook", "events", "--output", "json", "--since", "60", "--limit", "4", "--follow"];
            let line = line.into_iter().chain(["--data-dir", data_dir.to_str().unwrap()]);
            run_with_output(line, &mut Output::to(&mut writer)).unwrap()
        });
        assert_eq!(printed.by_ref().take(2).collect::<Vec<_>>(), [1, 2]);
        let minutes = system_clock() / 60_000;
        let restored = tempfile::tempdir().unwrap();
        Journal::write(restored.path(), [1, 2, minutes + 10, minutes + 11].map(numbered));
        for file in std::fs::read_dir(data_dir).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
        std::fs::copy(restored.path().join("journal.db"), data_dir.join("journal.db")).unwrap();
        assert_eq!(printed.collect::<Vec<_>>(), [minutes + 10, minutes + 11]);
    });
}

#[test]
fn configuration_names_the_data() {
    let directory = tempfile::tempdir().unwrap();
    let (data_dir, config) = (directory.path().join("data"), directory.path().join("config.toml"));
    Journal::write(&data_dir, (0..3).map(numbered));
    // A mistake in another part doesn't matter here.
    std::fs::write(&config, format!("data_dir = {data_dir:?}\n[receiver]\nlisten = 5\n")).unwrap();
    let line = ["events", "--output", "json", "--config", config.to_str().unwrap()];
    assert_eq!(stdout_of(&line).lines().count(), 3);
    let printed =
        stdout_of(&["events", "--config", config.to_str().unwrap(), "--data-dir", data_dir.to_str().unwrap()]);
    assert_eq!(printed.lines().count(), 4);
}

#[test]
fn missing_journal() {
    let directory = tempfile::tempdir().unwrap();
    let error = error_of(&["events", "--data-dir", directory.path().to_str().unwrap()]).to_string();
    assert!(error.contains("there is no journal here"), "{error}");
}

#[test]
fn wrong_usage() {
    assert_usage_error(&["events", "--since", "5", "--until", "5"]);
    assert_usage_error(&["events", "--limit", "0"]);
    let error = error_of(&["events", "--limit", "0"]).to_string();
    assert!(error.contains("must be a number from 1; without --limit, all events are shown"), "{error}");
}
