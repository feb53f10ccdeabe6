//! The usage and the report of `replay`.

use jiff::tz::TimeZone;
use serde_json::json;

use super::*;
use crate::cli::testing::{assert_usage_error, error_of};

/// A replay of 9 events that has ended.
fn replay(failed: u64, missed: u64, state: &str) -> Replay {
    serde_json::from_value(json!({
        "id": 1,
        "sink": "a",
        "state": state,
        "has_sink": true,
        "selection": null,
        "counted": 9,
        "done": 9 - failed - missed,
        "failed": failed,
        "missed": missed,
        "last_reason": r"answered 400 \u{1b}[31mno",
        "created": "2026-05-01T12:00:00Z",
        "ended": "2026-05-01T12:00:09Z",
    }))
    .unwrap()
}

#[test]
fn one_action_at_a_time() {
    for line in [
        &[][..],
        &["--sink", "a", "--list"],
        &["--watch", "7", "--cancel", "7"],
        &["--list", "--since", "2h"],
        &["--since", "2h"],
        &["--watch", "x"],
        &["--watch", "7", "--output", "json"],
        &["--cancel", "7", "--output", "json"],
        &["--sink", "a", "--output", "table"],
        &["--sink", "a", "--type", "pushed"],
        &["--sink", "a", "--dry-run", "--no-wait"],
        &["--sink", "a", "--since", "5", "--until", "5"],
    ] {
        assert_usage_error(&[&["replay"], line].concat());
    }
    // These are right, so they fail only because no service runs.
    for line in [&["--sink", "a", "--since", "2h", "--dry-run"][..], &["--list", "--output", "json"], &["--watch", "7"]]
    {
        let error = error_of(&[&["replay", "--url", "http://127.0.0.1:9"], line].concat()).to_string();
        assert!(error.contains("http://127.0.0.1:9"), "{error}");
    }
}

// The service has escaped the reason of the failure. The table must not escape it again.
#[test]
fn table_of_replays() {
    let mut printed = Vec::new();
    let mut uncounted = replay(0, 0, "running");
    (uncounted.counted, uncounted.last_reason) = (None, None);
    let rows = [replay(1, 0, "done"), uncounted];
    let mut output = Output::to(&mut printed);
    print_rows(&rows[..1], OutputFormat::Table, &mut output).unwrap();
    output.set_zone(TimeZone::fixed(jiff::tz::offset(8)));
    print_rows(&rows[1..], OutputFormat::Table, &mut output).unwrap();
    drop(output);
    insta::assert_snapshot!(String::from_utf8(printed).unwrap());
}

#[test]
fn incomplete_replay_fails() {
    assert_eq!(report(&replay(0, 0, "done")).unwrap(), ExitCode::SUCCESS);
    assert_eq!(report(&replay(1, 0, "done")).unwrap(), ExitCode::FAILURE);
    assert_eq!(report(&replay(0, 1, "done")).unwrap(), ExitCode::FAILURE);
    let mut uncounted = replay(0, 0, "done");
    (uncounted.counted, uncounted.missed) = (None, None);
    assert_eq!(report(&uncounted).unwrap(), ExitCode::SUCCESS);
    assert!(report(&replay(0, 0, "cancelled")).is_err());
}
