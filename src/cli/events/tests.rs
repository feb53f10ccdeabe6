//! `events` over a real journal.

use std::path::Path;
use std::sync::Arc;

use clap::Parser;

use super::super::{Arguments as All, Command};
use super::*;
use crate::callback::{Callback, Options as VerifierOptions, Verifier};
use crate::journal::{Journal, Options, SqliteJournal};
use crate::telemetry::Metrics;

/// Adds `count` events to a journal: number n of stream `room-<n>`, n minutes after the Unix epoch, each third a stop.
fn journal(data_dir: &Path, count: i64) {
    crate::cli::runtime::block_on(async {
        let metrics = Arc::new(Metrics::default());
        // The times are long ago, and must not be pruned for it.
        let options = Options { retention_days: 1_000_000, ..Options::default() };
        let opened = SqliteJournal::open(data_dir, &options, &[], metrics, crate::clock::system_clock).unwrap();
        let wakeups = tokio::spawn(opened.wakeups.run());
        let mut appending = Vec::new();
        let verifier = Verifier::new(VerifierOptions { allow_unsigned: true, ..Default::default() }).unwrap();
        for number in 0..count {
            let event_type = i64::from(number % 3 != 0);
            let body = format!(
                r#"{{"event_type":{event_type},"app":"d{}.example.com","stream_id":"room-{number}"}}"#,
                number % 2
            );
            let event = verifier.verify(&Callback::parse(body.as_bytes()).unwrap(), number * 60_000).unwrap();
            // On one thread tasks begin in the order of their making, so the journal has the events in this order.
            let journal = Arc::clone(&opened.journal);
            appending.push(tokio::spawn(async move { journal.append(event).await.unwrap() }));
        }
        for append in appending {
            append.await.unwrap();
        }
        opened.journal.close();
        wakeups.await.unwrap().unwrap();
        opened.journal.join();
    })
    .unwrap();
}

/// The numbers of the streams that are listed.
fn listed(data_dir: &Path, line: &[&str]) -> Vec<i64> {
    let data_dir = data_dir.to_str().unwrap();
    let all = All::try_parse_from([&["livehook", "events", "--output", "json", "--data-dir", data_dir], line].concat());
    let Command::Events(arguments) = all.unwrap().command else { panic!("not events") };
    let mut written = Vec::new();
    run(arguments, &mut Output::to(&mut written)).unwrap();
    let subject = |line: &str| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        event["subject"].as_str().unwrap().strip_prefix("room-").unwrap().parse().unwrap()
    };
    String::from_utf8(written).unwrap().lines().map(subject).collect()
}

#[test]
fn filters_and_limits_choose_and_the_oldest_comes_first() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path();
    journal(data_dir, 12);
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
        assert_eq!(listed(data_dir, line), expected, "{line:?}");
    }
}

#[test]
fn pages_join_without_a_gap() {
    let directory = tempfile::tempdir().unwrap();
    journal(directory.path(), 2100);
    assert_eq!(listed(directory.path(), &[]), (0..2100).collect::<Vec<_>>());
    assert_eq!(listed(directory.path(), &["--limit", "2050"]), (50..2100).collect::<Vec<_>>());
}

#[test]
fn damaged_index_is_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    journal(directory.path(), 3);
    std::fs::write(directory.path().join("index.db"), "no index").unwrap();
    assert_eq!(listed(directory.path(), &["--stream", "room-1"]), [1]);
}

#[test]
fn following_shows_what_comes_later_once() {
    let directory = tempfile::tempdir().unwrap();
    journal(directory.path(), 3);
    let journal_reader = journal::Reader::open(directory.path()).unwrap();
    let source = EventSource::new(&journal_reader, None);
    let mut query = EventQuery { order: Order::Ascending, limit: usize::MAX, ..EventQuery::default() };
    query.after = place_before_newest(source, &query, 1).unwrap();
    let mut listing = Listing::new(query, Form::Json);
    let mut show = |limit| {
        let mut written = Vec::new();
        listing.show(source, limit, &mut Output::to(&mut written)).unwrap();
        String::from_utf8(written).unwrap().lines().count()
    };
    assert_eq!((show(Some(1)), show(None)), (1, 0));
    // The first three of these are duplicates of those that are there.
    journal(directory.path(), 5);
    assert_eq!((show(None), show(None)), (2, 0));
}

#[test]
fn the_first_n_since_a_moment_are_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path();
    journal(data_dir, 3);
    let line = ["--since", "60", "--limit", "4", "--follow"];
    let listed = std::thread::scope(|scope| {
        let listing = scope.spawn(|| listed(data_dir, &line));
        std::thread::sleep(Duration::from_millis(200));
        assert!(!listing.is_finished());
        journal(data_dir, 9);
        listing.join().unwrap()
    });
    assert_eq!(listed, [1, 2, 3, 4]);
}

#[test]
fn a_missing_journal_and_an_empty_span_of_time_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let parse = |line: &[&str]| {
        let path = directory.path().to_str().unwrap();
        match All::try_parse_from([&["livehook", "events", "--data-dir", path], line].concat()).unwrap().command {
            Command::Events(arguments) => run(arguments, &mut Output::to(&mut Vec::new())).unwrap_err(),
            other => panic!("{other:?}"),
        }
    };
    assert!(parse(&[]).to_string().contains("there is no journal here"));
    assert!(crate::cli::testing::is_usage_error(&parse(&["--since", "5", "--until", "5"])));
}

#[test]
fn a_limit_of_nothing_is_refused_in_words() {
    let told = All::try_parse_from(["livehook", "events", "--limit", "0"]).unwrap_err().to_string();
    assert!(told.contains("give a number from 1; without --limit all are shown"), "{told}");
}
