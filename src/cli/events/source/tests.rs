//! What the index finds is what a search of the whole journal finds, in the same order.

use clap::Parser;

use super::*;
use crate::callback::{Event, NamePattern};
use crate::cli::render::output::Output;
use crate::cli::testing::{EPOCH_SECS, Journal, event, push, stop};
use crate::cli::{Arguments as All, Command, events};

/// Events of many streams, two domains and several types; `rounds` of twelve, a minute apart.
fn many(rounds: std::ops::Range<i64>) -> impl Iterator<Item = Event> {
    rounds.flat_map(|round| {
        (0..12).map(move |number| {
            let secs = EPOCH_SECS + round * 60 + number;
            let body = format!(
                r#"{{"event_type":{},"app":"{domain}","domain":"{domain}","stream_id":"room-{}","event_time":{secs},"sequence":"{round}"}}"#,
                [1, 0, 321, 777][number as usize % 4],
                number % 7,
                domain = format_args!("d{}.example.com", round % 2),
            );
            event(&body, secs)
        })
    })
}

fn listed(data_dir: &Path, line: &[&str]) -> (bool, String) {
    let data_dir = data_dir.to_str().unwrap();
    let all = All::try_parse_from([&["livehook", "events", "--output", "json", "--data-dir", data_dir], line].concat());
    let Command::Events(arguments) = all.unwrap().command else { panic!("not events") };
    let mut written = Vec::new();
    let is_found = events::run(arguments, &mut Output::to(&mut written)).is_ok();
    (is_found, String::from_utf8(written).unwrap())
}

fn is_indexed(data_dir: &Path) -> bool {
    let filter = Filter { streams: vec![NamePattern::new("room-1").unwrap()], ..Filter::default() };
    let source = Source::open(data_dir, &filter).unwrap();
    source.index.is_some() && source.streams.is_some()
}

#[test]
fn a_stream_has_the_same_events_with_and_without_an_index() {
    let directory = tempfile::tempdir().unwrap();
    let (plain, indexed) = (directory.path().join("plain"), directory.path().join("indexed"));
    Journal::write(&plain, many(0..40));
    // Some come again later, and stand twice in the journal.
    Journal::write(&plain, many(5..9));
    std::fs::create_dir(&indexed).unwrap();
    std::fs::copy(plain.join("journal.db"), indexed.join("journal.db")).unwrap();
    index::rebuild(&indexed, &index::Options::default(), |_, _| {}).unwrap();
    // And some that are not in the index yet.
    for data_dir in [&plain, &indexed] {
        Journal::write(data_dir, many(40..45));
        Journal::write(data_dir, many(3..4));
    }
    assert!(is_indexed(&indexed) && !is_indexed(&plain));
    assert_eq!(listed(&plain, &[]).1.lines().count(), 50 * 12, "those that came again stand there twice");

    let at = |round: i64| (EPOCH_SECS + round * 60).to_string();
    let (early, middle, late) = (at(2), at(20), at(43));
    let streams: [&[&str]; 6] = [
        &["--stream", "room-1"],
        &["--stream", "room-1", "--stream", "room-5"],
        &["--stream", "room-1", "--domain", "D1.example.com"],
        &["--stream", "room-6", "--domain", "*.example.com"],
        &["--stream", "room-*"],
        &["--stream", "nowhere"],
    ];
    let rest: [&[&str]; 14] = [
        &[],
        &["--limit", "1"],
        &["--limit", "7"],
        &["--limit", "100"],
        &["--limit", "100000"],
        &["--type", "stop"],
        &["--type", "stop", "--type", "777", "--limit", "5"],
        &["--since", &middle],
        &["--since", &middle, "--limit", "3"],
        &["--since", &late],
        &["--until", &early],
        &["--until", &middle, "--limit", "4"],
        &["--since", &early, "--until", &middle],
        &["--since", &early, "--limit", "2", "--follow"],
    ];
    let mut count = 0;
    for streams in streams {
        for rest in rest {
            let line = [streams, rest].concat();
            if line.contains(&"nowhere") && line.contains(&"--follow") {
                continue;
            }
            let expected = listed(&plain, &line);
            count += expected.1.lines().count();
            assert_eq!(listed(&indexed, &line), expected, "{line:?}");
        }
    }
    assert!(count > 1000, "{count} lines were compared");
}

#[test]
fn pages_of_one_stream_join_without_a_gap_in_both_directions() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path();
    Journal::write(data_dir, (0..2300).map(|number| push(if number % 10 == 0 { "other" } else { "room-1" }, number)));
    index::rebuild(data_dir, &index::Options::default(), |_, _| {}).unwrap();
    Journal::write(data_dir, (2300..2310).map(|number| push("room-1", number)));
    let wanted: Vec<i64> = (0..2310).filter(|number| number % 10 != 0 || *number >= 2300).collect();
    let filter = Filter { streams: vec![NamePattern::new("room-1").unwrap()], ..Filter::default() };
    let source = Source::open(data_dir, &filter).unwrap();
    let number = |record: &Record| record.event.sequence().unwrap().parse::<i64>().unwrap();
    let (mut after, mut forth) = (Offset::default(), Vec::new());
    loop {
        let page = source.read(after).unwrap();
        let Some(last) = page.last() else { break };
        after = last.offset;
        forth.extend(page.iter().map(number));
    }
    let (mut before, mut back) = (Offset(i64::MAX), Vec::new());
    loop {
        let page = source.read_back(before).unwrap();
        let Some(last) = page.last() else { break };
        before = last.offset;
        back.extend(page.iter().map(number));
    }
    back.reverse();
    assert!(forth == wanted && back == wanted);
}

#[test]
fn an_event_is_found_by_its_id_with_and_without_an_index_and_beyond_it() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path();
    Journal::write(data_dir, (0..1500).map(|number| push("a", number)));
    let find = |event: &Event| listed(data_dir, &["--id", &event.id().to_string()]);
    let found = |event: &Event| (true, format!("{}\n", event.line()));
    let (early, late, later) = (push("a", 3), push("a", 1400), stop("a", 3, 5, 1));
    assert_eq!((find(&early), find(&late)), (found(&early), found(&late)));
    assert_eq!(find(&later), (false, String::new()));

    index::rebuild(data_dir, &index::Options::default(), |_, _| {}).unwrap();
    assert!(is_indexed(data_dir));
    assert_eq!((find(&early), find(&late)), (found(&early), found(&late)));
    assert_eq!(find(&later), (false, String::new()));
    Journal::write(data_dir, [later.clone()]);
    assert_eq!(find(&later), found(&later));
}

#[test]
fn an_index_of_another_journal_or_none_at_all_leads_nobody_astray() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (directory.path().join("one"), directory.path().join("other"));
    Journal::write(&one, (0..9).map(|number| push("room-1", number)));
    index::rebuild(&one, &index::Options::default(), |_, _| {}).unwrap();
    Journal::write(&other, (20..24).map(|number| push("room-1", number)));
    std::fs::copy(one.join("index.db"), other.join("index.db")).unwrap();
    assert!(is_indexed(&one) && !is_indexed(&other));
    assert_eq!(listed(&other, &["--stream", "room-1"]).1.lines().count(), 4);
    assert_eq!(listed(&other, &["--id", &push("room-1", 21).id().to_string()]).1.lines().count(), 1);

    // The same journal, but an earlier state of it that went on in another way.
    std::fs::copy(one.join("journal.db"), other.join("journal.db")).unwrap();
    assert!(is_indexed(&other));
    Journal::write(&one, [push("room-1", 50), push("room-1", 51)]);
    index::rebuild(&one, &index::Options::default(), |_, _| {}).unwrap();
    std::fs::copy(one.join("index.db"), other.join("index.db")).unwrap();
    assert!(!is_indexed(&other), "the index is ahead");
    Journal::write(&other, (60..69).map(|number| push("room-1", number)));
    assert!(!is_indexed(&other), "other events stand there");
    assert_eq!(listed(&other, &["--stream", "room-1"]).1.lines().count(), 18);

    std::fs::write(other.join("index.db"), "no index").unwrap();
    assert_eq!(listed(&other, &["--stream", "room-1"]).1.lines().count(), 18);
}
