use std::sync::Arc;

use clap::Parser;

use super::*;
use crate::cli::testing::push;
use crate::journal::{Journal, NewDeadLetter, Opened, Options, Progress, SqliteJournal, Start};
use crate::storage::Lock;
use crate::telemetry::Metrics;

const FAILED_MS: i64 = 1_777_636_800_000;

/// A journal with two dead letters of `archive`, and one of `gone`, which is no longer configured.
fn journal() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    crate::cli::runtime::block_on(async {
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
                journal.append(push("room\\u001b[2J", number)).await.unwrap();
                let record = consumers[sink].read(journal.health().head.before(), 1).await.unwrap().remove(0);
                let failed_at_ms = FAILED_MS + number * 1000;
                let letter = NewDeadLetter {
                    record,
                    attempts: 3,
                    failure: r"answered 400 C:\\ \n".to_owned() + "\u{1b}[31mno",
                    failed_at_ms,
                };
                let cursor = journal.health().head;
                let progress = Progress { cursor, dead_letters: vec![letter], urgent: true, ..Progress::default() };
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

fn run_in(directory: &Path, line: &[&str]) -> (anyhow::Result<ExitCode>, String) {
    let data_dir = directory.to_str().unwrap();
    let line = [&["livehook", "dead-letters"], line, &["--data-dir", data_dir]].concat();
    let mut written = Vec::new();
    let result = super::super::Arguments::try_parse_from(line)
        .map_err(anyhow::Error::from)
        .and_then(|arguments| arguments.command.run(&mut Output::to(&mut written)));
    (result, String::from_utf8(written).unwrap())
}

fn shown(directory: &Path, line: &[&str]) -> String {
    let (result, written) = run_in(directory, line);
    assert_eq!(result.unwrap(), ExitCode::SUCCESS, "{line:?}");
    written
}

#[test]
fn every_form_shows_them_and_no_text_of_others_reaches_the_terminal() {
    let directory = journal();
    let table = shown(directory.path(), &["list"]);
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(
        table.contains("NUMBER  SINK     FAILED") && table.contains(r"answered 400 C:\\ \n\u{1b}[31mno"),
        "{table}"
    );
    let json = shown(directory.path(), &["list", "--output", "json", "--sink", "archive"]);
    let letters: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(letters.len(), 2);
    assert_eq!((&letters[0]["number"], &letters[0]["attempts"]), (&json!(1), &json!(3)));
    assert_eq!(letters[0]["failed"], "2026-05-01T12:00:01Z");
    let csv = shown(directory.path(), &["list", "--output", "csv", "--id", "3"]);
    assert!(csv.starts_with("number,sink,attempts,") && csv.contains("\r\n3,gone,3,"), "{csv}");
    let shown = shown(directory.path(), &["show", "1"]);
    assert!(shown.contains("reason    answered 400 C:\\\\ \\n\\u{1b}[31mno\n"), "{shown}");
    for text in [table, json, csv] {
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}

#[test]
fn one_is_shown_with_its_event_by_number_or_by_id() {
    let directory = journal();
    let object: Value = serde_json::from_str(&shown(directory.path(), &["show", "2", "--output", "json"])).unwrap();
    assert_eq!((&object["number"], &object["event"]["type"]), (&json!(2), &json!("tencent.css.push")));
    let id = object["id"].as_str().unwrap();
    assert_eq!(object["event"]["id"], id);
    let text = shown(directory.path(), &["show", id]);
    assert!(text.contains("number    2\n") && text.contains("\n{\"specversion\""), "{text}");
    assert!(run_in(directory.path(), &["show", "99"]).0.unwrap_err().to_string().contains("no such dead letter"));
}

#[test]
fn without_a_service_they_are_put_back_and_dropped_here() {
    let directory = journal();
    shown(directory.path(), &["redrive", "--id", "1"]);
    let object: Value = serde_json::from_str(&shown(directory.path(), &["show", "1", "--output", "json"])).unwrap();
    assert!(object["redriven"].is_string());
    let (result, _) = run_in(directory.path(), &["redrive", "--sink", "gone"]);
    assert_eq!(result.unwrap(), ExitCode::FAILURE, "it has no sink");
    shown(directory.path(), &["drop", "--since", "2026-05-01T12:00:02Z"]);
    assert_eq!(shown(directory.path(), &["list", "--output", "json"]).lines().count(), 1);
    shown(directory.path(), &["drop", "--all"]);
    assert_eq!(shown(directory.path(), &["list"]), "");
}

#[test]
fn beside_a_service_nothing_is_written_here() {
    let directory = journal();
    let _lock = Lock::take(directory.path()).unwrap();
    // Nobody answers at the port: that it is asked for is the proof.
    let (result, _) = run_in(directory.path(), &["drop", "--all"]);
    assert!(result.is_err());
    assert_eq!(shown(directory.path(), &["list", "--output", "json"]).lines().count(), 3);
}

#[test]
fn what_selects_nothing_or_too_much_is_wrong_usage() {
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
        let error = run_in(directory.path(), line).0.unwrap_err();
        assert!(crate::cli::testing::is_usage_error(&error), "{line:?} {error}");
    }
}

#[test]
fn the_api_is_asked_for_what_was_selected() {
    let selection =
        DeadLetterSelection { numbers: vec![7], since_ms: Some(FAILED_MS), ..DeadLetterSelection::default() };
    let expected = json!({"sink": null, "numbers": [7], "ids": [], "since": "2026-05-01T12:00:00Z", "until": null});
    assert_eq!(body(&selection), expected);
    assert_eq!(body(&DeadLetterSelection::default()), json!({"all": true}));
}
