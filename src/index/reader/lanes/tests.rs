use super::*;
use crate::callback::ReasonCategory;
use crate::index::StreamFilter;
use crate::index::reader::testing::{Index, assert_plans};
use crate::index::testing::{NOW_MS, at, pushed};
use crate::session::testing::{anomaly, push};

fn query(from_secs: i64, until_secs: i64) -> LaneQuery {
    LaneQuery { from_ms: at(from_secs), until_ms: at(until_secs), limit: 10, ..LaneQuery::default() }
}

/// The stream and the sequences of each lane.
fn lanes(index: &Index, query: &LaneQuery) -> Vec<(String, Vec<String>)> {
    let page = index.reader().lanes(query, NOW_MS).unwrap();
    let sequences = |lane: &Lane| lane.sessions.iter().map(|session| session.id.sequence().to_owned()).collect();
    page.lanes.iter().map(|lane| (lane.stream.clone(), sequences(lane))).collect()
}

fn streams(index: &Index, query: &LaneQuery) -> Vec<String> {
    lanes(index, query).into_iter().map(|(stream, _)| stream).collect()
}

/// One stream before the time, one that reaches into it, one around it, one in it, and one that is live.
fn mixed() -> Index {
    let mut index = Index::of(&[push("a.com/live/live", "5", 540)]);
    for (stream, sequence, secs) in [
        ("a.com/live/before", "1", 0..50),
        ("a.com/live/into", "2", 0..150),
        ("b.com/show/Around", "3", 0..400),
        ("a.com/live/in", "4", 120..130),
        ("a.com/live/in", "6", 140..160),
    ] {
        index.add(&pushed(stream, sequence, secs));
    }
    index
}

#[test]
fn lanes_overlap_the_time() {
    let index = mixed();
    let lane =
        |stream: &str, sequences: &[&str]| (stream.to_owned(), sequences.iter().map(|s| (*s).to_owned()).collect());
    let found = lanes(&index, &query(100, 200));
    assert_eq!(found[0], lane("in", &["4", "6"]));
    let mut rest = found[1..].to_vec();
    rest.sort();
    assert_eq!(rest, [lane("Around", &["3"]), lane("into", &["2"])]);
    assert_eq!(streams(&index, &query(550, 560)), ["live"]);
    assert_eq!(streams(&index, &query(500, 520)), [""; 0]);
}

#[test]
fn lanes_are_filtered() {
    let index = mixed();
    let all = query(0, 600);
    let with = |change: &dyn Fn(&mut LaneQuery)| {
        let mut query = all.clone();
        change(&mut query);
        let mut streams = streams(&index, &query);
        streams.sort();
        streams
    };
    assert_eq!(with(&|_| ()), ["Around", "before", "in", "into", "live"]);
    assert_eq!(with(&|query| query.streams.domain = "B.com".to_owned()), ["Around"]);
    assert_eq!(with(&|query| query.streams.app_name = "show".to_owned()), ["Around"]);
    assert_eq!(with(&|query| query.streams.text = "aroUND".to_owned()), ["Around"]);
    assert_eq!(with(&|query| query.streams.text = "%".to_owned()), [""; 0]);
    assert_eq!(with(&|query| query.category = Some(ReasonCategory::Replaced)), [""; 0]);
    assert_eq!(with(&|query| query.errcode = Some(-7)), [""; 0]);
    assert_eq!(with(&|query| query.node = Some("none".to_owned())), [""; 0]);
}

#[test]
fn pages_of_lanes_do_not_overlap() {
    let index = mixed();
    let all = streams(&index, &query(0, 600));
    for (skip, has_more) in [(0, true), (2, true), (4, false), (6, false)] {
        let page = index.reader().lanes(&LaneQuery { skip, limit: 2, ..query(0, 600) }, NOW_MS).unwrap();
        let streams: Vec<_> = page.lanes.into_iter().map(|lane| lane.stream).collect();
        assert_eq!(streams, all.iter().skip(skip).take(2).cloned().collect::<Vec<_>>());
        assert_eq!(page.has_more, has_more, "{skip}");
    }
}

/// A backup push comes and goes many times while the main push is on, before the time or within it.
#[test]
fn long_push_is_shown_behind_many_newer() {
    let stream = "a.com/live/s";
    let backups = |from: i64| {
        let backup = move |n: i64| pushed("a.com/live/s", &format!("backup-{from}-{n}"), from + n..from + n + 1);
        (0..60).flat_map(backup).collect::<Vec<_>>()
    };
    let mut index = Index::of(&[&[push(stream, "live", 540)], &pushed(stream, "ended", 0..290)[..]].concat());
    index.add(&backups(1));
    let in_time = |index: &Index, from_secs, until_secs| {
        let of_stream = StreamFilter { text: "live/s".to_owned(), ..StreamFilter::default() };
        for streams in [StreamFilter::default(), of_stream] {
            let query = LaneQuery { streams, ..query(from_secs, until_secs) };
            let found = lanes(index, &query);
            assert_eq!(found.len(), 1);
            let key = StreamKey::from_text(stream);
            let alone = index.reader().lane_of(&key, (query.from_ms, query.until_ms), NOW_MS).unwrap();
            let alone = alone.lanes[0].sessions.iter().map(|session| session.id.sequence().to_owned());
            assert_eq!(alone.collect::<Vec<_>>(), found[0].1);
            assert!(found[0].1.iter().any(|sequence| !sequence.starts_with("backup")), "{found:?}");
        }
    };
    in_time(&index, 200, 300);
    index.add(&backups(541));
    in_time(&index, 605, 620);
}

/// A lane without room for all sessions says from when on it is complete. A live one is on it nevertheless.
#[test]
fn crowded_lane_keeps_live_and_newest() {
    let mut index = Index::of(&[push("a.com/live/s", "live", 0), anomaly("a.com/live/s", "live", 500)]);
    for number in 0..1100 {
        let second = number / 4;
        index.add(&pushed("a.com/live/s", &number.to_string(), second..second + 1));
    }
    let page = index.reader().lanes(&query(0, 600), NOW_MS).unwrap();
    let lane = &page.lanes[0];
    let (live, newest) = lane.sessions.split_first().unwrap();
    assert_eq!((live.id.sequence(), newest.len()), ("live", LANE_SESSIONS_MAX));
    assert_eq!(lane.complete_from_ms, newest.first().map(|session| session.started_ms));
}

#[test]
fn plan_of_lanes() {
    assert_plans(&["SCAN streams"], |reader| {
        for (category, text) in [(None, ""), (Some(ReasonCategory::Client), ""), (None, "a.com")] {
            let streams = StreamFilter { text: text.to_owned(), ..StreamFilter::default() };
            let query = LaneQuery { category, streams, ..query(0, 600) };
            reader.lanes(&query, NOW_MS).unwrap();
            reader.lanes(&LaneQuery { node: Some("n".to_owned()), ..query }, NOW_MS).unwrap();
        }
    });
}
