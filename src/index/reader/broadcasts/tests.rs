//! Queries for broadcasts.

use super::*;
use crate::index::reader::testing::{Index, STREAM, select};
use crate::index::testing::{NOW_MS, at, pushed};
use crate::moment::TimeRange;
use crate::session;
use crate::session::testing::{anomaly, push};

fn broadcasts(index: &Index, query: BroadcastQuery) -> Vec<BroadcastView> {
    index.reader().broadcasts(&query, NOW_MS).unwrap()
}

#[test]
fn broadcast_ends_ignore_arrival() {
    for sequences in [["1", "2"], ["2", "1"]] {
        let index = Index::of(&sequences.map(|sequence| push(STREAM, sequence, 500)));
        let found = broadcasts(&index, BroadcastQuery::default());
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].first_session.sequence(), found[0].last_session.sequence()), ("1", "2"));
    }
}

/// The sessions of two streams alternate, and only one of them is remembered at a time.
#[test]
fn few_broadcasts_are_remembered() {
    let mut known = KnownBroadcasts::default();
    let broadcast = session::broadcasts(&[Span { started_ms: 0, until_ms: 1, state: State::Ended }], 0)[0];
    let one = |number: i64| StreamBroadcasts::from_iter([(number, (broadcast, number))]);
    for stream in 0..10 {
        known.add(stream, one(stream));
        assert!(known.count <= KNOWN_MAX && known.streams.contains_key(&stream), "{stream}");
        assert_eq!(known.count, 2 * known.streams.len());
    }
    let mut index = Index::new();
    let streams = [STREAM, "b.com/live/s"];
    for number in 0..4i64 {
        let second = number * 90;
        let pushes = streams.map(|stream| pushed(stream, &number.to_string(), second..second + 1));
        index.add(&pushes.concat());
    }
    assert_eq!(broadcasts(&index, BroadcastQuery::default()).len(), 8);
}

#[test]
fn broadcasts_bridge_short_gaps() {
    let mut index = Index::of(&[pushed(STREAM, "1", 0..100), pushed(STREAM, "2", 170..200)].concat());
    index.add(&[push(STREAM, "3", 271), anomaly(STREAM, "3", 500)]);
    index.add(&pushed("b.com/live/s", "4", 280..290));
    index.add(&[push("b.com/live/s", "5", 300), push("a.com/live/stale", "6", 1)]);
    // The duration of a live broadcast is unknown, and so is the end of a stale one.
    let found = broadcasts(&index, BroadcastQuery::default());
    insta::assert_snapshot!(serde_json::to_string_pretty(&found).unwrap());

    let firsts = |query| -> Vec<String> {
        broadcasts(&index, query).iter().map(|view| view.first_session.sequence().to_owned()).collect()
    };
    for (states, expected) in [
        (vec![State::Live], &["4", "3"][..]),
        (vec![State::Ended], &["1"]),
        (vec![State::Stale], &["6"]),
        (vec![State::Live, State::Stale], &["4", "3", "6"]),
    ] {
        assert_eq!(firsts(BroadcastQuery { states, ..BroadcastQuery::default() }), expected);
    }
    assert_eq!(firsts(BroadcastQuery { selection: select("a.com", "s", ""), ..BroadcastQuery::default() }), ["3", "1"]);
    assert_eq!(
        firsts(BroadcastQuery { selection: select("a.com", "s*", ""), ..BroadcastQuery::default() }),
        ["3", "6", "1"]
    );
    assert_eq!(firsts(BroadcastQuery { selection: select("a.com", "none", ""), ..BroadcastQuery::default() }), [""; 0]);
    let middle = BroadcastQuery {
        started: TimeRange { since_ms: Some(at(1)), until_ms: Some(at(280)) },
        ..BroadcastQuery::default()
    };
    assert_eq!(firsts(middle), ["3", "6"], "a broadcast that began before is left out, though a session did not");
    let mut paged = Vec::new();
    let mut after = None;
    while let [view] = &broadcasts(&index, BroadcastQuery { after, limit: 1, ..BroadcastQuery::default() })[..] {
        after = Some(view.place);
        paged.push(view.clone());
    }
    assert_eq!(paged, found);
}
