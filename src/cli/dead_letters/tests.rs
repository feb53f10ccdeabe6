//! `dead-letters` over a real journal, without a service.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::cli::runtime::block_on;
use crate::cli::testing::{assert_usage_error, error_of, push, run, stdout_of};
use crate::journal::{Journal, NewDeadLetter, Opened, Options, Progress, SqliteJournal, Start};
use crate::storage::Lock;
use crate::telemetry::Metrics;

const FAILED_MS: i64 = 1_777_636_800_000;

/// A journal with two dead letters of the sink `archive`, and one of `gone`, which is no longer configured.
fn journal() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    block_on(async {
        for sinks in [&["archive", "gone"][..], &["archive"]] {
            let names: Vec<_> = sinks.iter().map(|sink| ((*sink).to_owned(), Start::Earliest)).collect();
            let options = Options { retention_days: 1_000_000, ..Options::default() };
            let Opened { journal, mut consumers, wakeups } = SqliteJournal::open(
                directory.path(),
                &options,
                &names,
                Arc::new(Metrics::default()),
                crate::clock::system_clock,
            )
            .unwrap();
            let wakeups = tokio::spawn(wakeups.run());
            for (sink, number) in [(0, 1), (0, 2), (1, 3)].into_iter().filter(|_| sinks.len() == 2) {
                journal.append(push("room\u{1b}[2J", number)).await.unwrap();
                let record = consumers[sink].read(journal.health().head.before(), 1).await.unwrap().remove(0);
                let failed_at_ms = FAILED_MS + number * 1000;
                let dead_letter = NewDeadLetter {
                    record,
                    attempts: 3,
                    failure: r"answered 400 C:\\ \n".to_owned() + "\u{1b}[31mno",
                    failed_at_ms,
                };
                let cursor = journal.health().head;
                let progress =
                    Progress { cursor, dead_letters: vec![dead_letter], urgent: true, ..Progress::default() };
                consumers[sink].advance(progress).await.unwrap();
            }
            drop(consumers);
            journal.close();
            wakeups.await.unwrap().unwrap();
            journal.join();
        }
    })
    .unwrap();
    directory
}

fn printed(directory: &Path, line: &[&str]) -> String {
    stdout_of(&in_directory(directory, line))
}

fn in_directory<'a>(directory: &'a Path, line: &[&'a str]) -> Vec<&'a str> {
    [&["dead-letters"], line, &["--data-dir", directory.to_str().unwrap()]].concat()
}

// The stream and the reason have control characters; no format may print them.
#[test]
fn dead_letters_in_each_format() {
    let directory = journal();
    insta::assert_snapshot!("table", printed(directory.path(), &["list"]));
    insta::assert_snapshot!("json", printed(directory.path(), &["list", "--output", "json", "--sink", "archive"]));
    insta::assert_snapshot!("csv", printed(directory.path(), &["list", "--output", "csv", "--id", "3"]));
    insta::assert_snapshot!("details", printed(directory.path(), &["show", "1"]));
}

#[test]
fn dead_letter_by_number_or_event_id() {
    let directory = journal();
    let object: Value = serde_json::from_str(&printed(directory.path(), &["show", "2", "--output", "json"])).unwrap();
    assert_eq!((&object["number"], &object["event"]["type"]), (&json!(2), &json!("tencent.css.push")));
    let id = object["id"].as_str().unwrap();
    assert_eq!(object["event"]["id"], id);
    let text = printed(directory.path(), &["show", id]);
    assert!(text.contains("number    2\n") && text.contains("\n{\"specversion\""), "{text}");
    let error = error_of(&in_directory(directory.path(), &["show", "99"])).to_string();
    assert!(error.contains("no such dead letter"), "{error}");
}

#[test]
fn change_without_a_service() {
    let directory = journal();
    printed(directory.path(), &["redrive", "--id", "1"]);
    let object: Value = serde_json::from_str(&printed(directory.path(), &["show", "1", "--output", "json"])).unwrap();
    assert!(object["redriven"].is_string());
    let (result, _) = run(&in_directory(directory.path(), &["redrive", "--sink", "gone"]));
    assert_eq!(result.unwrap(), ExitCode::FAILURE, "it has no sink");
    printed(directory.path(), &["drop", "--since", "2026-05-01T12:00:02Z"]);
    assert_eq!(printed(directory.path(), &["list", "--output", "json"]).lines().count(), 1);
    printed(directory.path(), &["drop", "--all"]);
    assert_eq!(printed(directory.path(), &["list"]), "");
}

// The lock says that a service runs. No service listens, so the request fails, and this proves that it was sent.
#[test]
fn change_left_to_the_service() {
    let directory = journal();
    let _lock = Lock::take(directory.path()).unwrap();
    error_of(&in_directory(directory.path(), &["drop", "--all"]));
    assert_eq!(printed(directory.path(), &["list", "--output", "json"]).lines().count(), 3);
}

#[test]
fn wrong_selection_refused() {
    let directory = journal();
    for line in [
        &["drop"][..],
        &["redrive"],
        &["drop", "--all", "--sink", "archive"],
        &["list", "--since", "1h", "--until", "2h"],
        &["list", "--id", "x"],
        &["list", "--limit", "0"],
        &["show"],
        &[],
    ] {
        assert_usage_error(&in_directory(directory.path(), line));
    }
}
