//! Queries for sessions over real files: filters, orders, pages, and names that could do harm.

use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::callback::{ReasonCategory, StreamSelection};
use crate::index::BroadcastQuery;
use crate::index::reader::testing::{Index, STREAM, any_selection, assert_plans, of_stream, select};
use crate::index::testing::{NOW_MS, at, indexed_randomly, pushed, records_of};
use crate::journal::Offset;
use crate::moment::TimeRange;
use crate::session::StreamKey;
use crate::session::testing::{HISTORY_SECS, anomaly, history, push, screenshot, stop, with};

const SORTS: [Sort; 3] = [Sort::Started, Sort::Ended, Sort::Duration];
const ORDERS: [Order; 2] = [Order::Descending, Order::Ascending];

fn any_query() -> impl Strategy<Value = SessionQuery> {
    let states = prop::collection::vec(prop::sample::select(vec![State::Live, State::Ended, State::Stale]), 0..3);
    let categories = prop::collection::vec(prop::sample::select(ReasonCategory::ALL.to_vec()), 0..3);
    let time = || prop::option::of((0..HISTORY_SECS).prop_map(at));
    let (sort, order) = (prop::sample::select(SORTS.to_vec()), prop::sample::select(ORDERS.to_vec()));
    (any_selection(), states, categories, time(), time(), sort, order).prop_map(
        |(selection, states, categories, since_ms, until_ms, sort, order)| SessionQuery {
            selection,
            states,
            categories,
            started: TimeRange { since_ms, until_ms },
            sort,
            order,
            after: None,
            limit: usize::MAX,
        },
    )
}

fn is_wanted(query: &SessionQuery, view: &SessionView) -> bool {
    let category = view.reason.as_ref().map(|reason| reason.reason.category);
    query.selection.takes(&view.domain, &view.app_name, &view.stream)
        && (query.states.is_empty() || query.states.contains(&view.state))
        && (query.categories.is_empty() || category.is_some_and(|category| query.categories.contains(&category)))
        && query.started.contains(view.started.0)
}

fn sorted_by(query: &SessionQuery, view: &SessionView) -> i64 {
    match query.sort {
        Sort::Started => view.started.0,
        Sort::Ended => view.ended.map_or(i64::MAX, |ended| ended.0),
        Sort::Duration if view.state == State::Live => LONGEST - view.started.0,
        Sort::Duration => view.duration_ms.unwrap_or(-1),
    }
}

/// Every page, one after the other.
fn pages(mut page: impl FnMut(Option<(i64, i64)>) -> Vec<SessionView>) -> Vec<SessionView> {
    let mut all: Vec<SessionView> = Vec::new();
    loop {
        let next = page(all.last().map(|view| view.place));
        if next.is_empty() {
            return all;
        }
        all.extend(next);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn sessions_match_the_query(
        history in history(), seed in any::<u64>(), queries in prop::collection::vec((any_query(), 1..5usize), 8),
    ) {
        let random = &mut fastrand::Rng::with_seed(seed);
        let (directory, _) = indexed_randomly(&history, random);
        let reader = Reader::open(directory.path()).unwrap();
        let everything = SessionQuery { limit: usize::MAX, ..SessionQuery::default() };
        let all = reader.sessions(&everything, NOW_MS).unwrap();
        for (query, limit) in queries {
            let found = reader.sessions(&query, NOW_MS).unwrap();
            let wanted: HashSet<&SessionId> =
                all.iter().filter(|view| is_wanted(&query, view)).map(|view| &view.id).collect();
            prop_assert_eq!(found.iter().map(|view| &view.id).collect::<HashSet<_>>(), wanted);
            prop_assert!(found.iter().all(|view| view.place.0 == sorted_by(&query, view)));
            let is_sorted = match query.order {
                Order::Descending => found.is_sorted_by(|one, next| one.place > next.place),
                Order::Ascending => found.is_sorted_by(|one, next| one.place < next.place),
            };
            prop_assert!(is_sorted);
            let paged = pages(|after| {
                let page = reader.sessions(&SessionQuery { after, limit, ..query.clone() }, NOW_MS).unwrap();
                assert!(page.len() <= limit);
                page
            });
            prop_assert_eq!(paged, found);
        }
        for view in &all {
            prop_assert_eq!(reader.session(&view.id, NOW_MS).unwrap().map(|found| found.id), Some(view.id.clone()));
            let of_sequence = reader.sessions_of_sequence(&view.sequence, NOW_MS).unwrap();
            let count = all.iter().filter(|other| other.sequence == view.sequence).count();
            prop_assert_eq!(of_sequence.len(), count);
        }
    }
}

#[test]
fn pages_fit_while_sessions_arrive() {
    for (sort, order) in SORTS.into_iter().flat_map(|sort| ORDERS.map(|order| (sort, order))) {
        let mut index = Index::new();
        for number in 0..20 {
            // Many equal times and durations, and some without an end.
            let (sequence, secs) = (format!("old-{number}"), number / 4);
            index.add(&[push(STREAM, &sequence, secs)]);
            if number % 3 > 0 {
                index.add(&[stop(STREAM, &sequence, secs + 10 + number % 2)]);
            }
        }
        let mut news = 0;
        let reader = index.reader();
        let seen = pages(|after| {
            let query = SessionQuery { sort, order, after, limit: 3, ..SessionQuery::default() };
            let page = reader.sessions(&query, NOW_MS).unwrap();
            // Between two pages a session starts and another one ends, before and after the place.
            for secs in [news, 9 - news] {
                let sequence = format!("new-{news}-{secs}");
                index.add(&[push(STREAM, &sequence, secs), anomaly(STREAM, "old-7", 1)]);
                if secs % 2 == 0 {
                    index.add(&[stop(STREAM, &sequence, 10 + secs)]);
                }
            }
            news += 1;
            // New sessions could arrive at the end for ever.
            if news > 15 { Vec::new() } else { page }
        });
        let ids: HashSet<&SessionId> = seen.iter().map(|view| &view.id).collect();
        assert_eq!(ids.len(), seen.len(), "{sort:?} {order:?}: one came twice");
        let old = seen.iter().filter(|view| view.sequence.starts_with("old")).count();
        assert_eq!(old, 20, "{sort:?} {order:?}: one is missing");
    }
}

#[test]
fn live_sessions_sort_as_latest_and_longest() {
    let alone = stop(STREAM, "unknown length", 50);
    let mut index = Index::of(&[push(STREAM, "live", 645), push(STREAM, "early", 600), push(STREAM, "stale", 4)]);
    index.add(&pushed(STREAM, "short", 0..10));
    index.add(&pushed(STREAM, "long", 5..30));
    index.add(&[with(alone, json!({"sequence": "alone"}))]);
    let by = |sort, order| index.sequences(&SessionQuery { sort, order, ..SessionQuery::default() });
    assert_eq!(by(Sort::Started, Order::Ascending), ["short", "stale", "long", "alone", "early", "live"]);
    assert_eq!(by(Sort::Ended, Order::Descending), ["stale", "early", "live", "alone", "long", "short"]);
    assert_eq!(by(Sort::Duration, Order::Descending), ["early", "live", "long", "short", "alone", "stale"]);
}

#[test]
fn pages_by_duration_fit_while_time_passes() {
    let mut index = Index::new();
    for number in 0..10 {
        index.add(&[push(STREAM, &number.to_string(), 500 + number)]);
    }
    index.add(&pushed(STREAM, "over", 0..300));
    for order in ORDERS {
        let query = SessionQuery { sort: Sort::Duration, order, ..SessionQuery::default() };
        let mut now_ms = NOW_MS;
        let seen = pages(|after| {
            now_ms += 5000;
            index.reader().sessions(&SessionQuery { after, limit: 2, ..query.clone() }, now_ms).unwrap()
        });
        let mut sequences: Vec<&str> = seen.iter().map(|view| view.sequence.as_str()).collect();
        if order == Order::Ascending {
            sequences.reverse();
        }
        assert_eq!(sequences, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "over"]);
    }
}

#[test]
fn unknown_names_find_nothing() {
    let index = Index::of(&[push(STREAM, "1", 0)]);
    let reader = index.reader();
    let id = StreamKey::from_text("other.com/live/s").session("1");
    assert_eq!(reader.session(&id, NOW_MS).unwrap(), None, "the sequence is of another stream");
    assert_eq!(reader.session_events(&id, NOW_MS).unwrap(), []);
    assert_eq!(reader.sessions_of_sequence("2", NOW_MS).unwrap(), []);
    for selection in [select("a.com", "none", ""), select("none", "s", ""), select("", "s", "none")] {
        let query = SessionQuery { selection: selection.clone(), ..SessionQuery::default() };
        assert_eq!(reader.sessions(&query, NOW_MS).unwrap(), []);
        assert_eq!(reader.streams(&selection, None, 10, NOW_MS).unwrap(), []);
        assert_eq!(reader.events_of_streams(&selection, Offset(0), Order::Ascending, 10).unwrap(), Some(vec![]));
    }
    assert_eq!(index.sequences(&SessionQuery { limit: 0, ..SessionQuery::default() }), [""; 0]);
    let empty = tempfile::tempdir().unwrap();
    assert!(Reader::open(empty.path()).unwrap_err().to_string().contains("there is no index here"));
}

#[test]
fn hostile_names_are_only_names() {
    let names = [
        "'; DROP TABLE sessions; --",
        "\" OR 1=1",
        "%",
        "_",
        "*",
        "a/b",
        "..",
        "\u{0}",
        "a\u{0}b",
        "\u{1b}[2J\n",
        "直播",
        "?1",
        "%2F",
        "\u{202e}abc",
        " ",
        "NULL",
    ];
    let mut index = Index::new();
    for name in names {
        let members = json!({"stream_id": name, "appname": name, "app": format!("{name}.COM"), "node": name,
            "errmsg": name});
        index.add(&[with(push(STREAM, "1", 0), members.clone()), with(stop(STREAM, "1", 9), members)]);
    }
    let reader = index.reader();
    let everything = SessionQuery { limit: 1000, ..SessionQuery::default() };
    assert_eq!(reader.sessions(&everything, NOW_MS).unwrap().len(), names.len());
    for name in names {
        let selection = StreamSelection { apps: vec![name.to_owned()], ..select("", name, "") };
        let query = SessionQuery { selection: selection.clone(), ..SessionQuery::default() };
        let found = reader.sessions(&query, NOW_MS).unwrap();
        let [view] = &found[..] else { panic!("{name:?}: {found:?}") };
        // No member of an event has U+0000.
        let member = name.replace('\0', "\u{fffd}");
        assert_eq!((&*view.stream, &*view.app_name, view.node.as_deref()), (name, name, Some(&*member)));
        assert_eq!(view.domain, format!("{}.com", name.to_ascii_lowercase()));
        assert_eq!(view.reason.as_ref().unwrap().errmsg.as_deref(), Some(&*member));
        let offsets = reader.session_events(&view.id, NOW_MS).unwrap();
        assert_eq!(offsets.len(), 2, "{name:?}");
        let of_stream = reader.events_of_streams(&selection, Offset(0), Order::Ascending, 10).unwrap();
        assert_eq!(of_stream, (name != "*").then_some(offsets), "{name:?}");
    }
    // Neither a very long stream name does harm, nor many streams of one name.
    let long = "x".repeat(100_000);
    index.add(&[with(push(STREAM, "1", 0), json!({"stream_id": long}))]);
    assert_eq!(index.sequences(&SessionQuery { selection: select("", &long, ""), ..SessionQuery::default() }), ["1"]);
    let many: Vec<_> = (0..600).map(|number| push(&format!("d{number}.com/live/many"), "9", number)).collect();
    index.add(&many);
    let query = SessionQuery { selection: select("", "many", ""), limit: 1000, ..SessionQuery::default() };
    assert_eq!(index.sequences(&query).len(), 600);
    assert_eq!(index.reader().sessions_of_sequence("9", NOW_MS).unwrap().len(), 600);
}

#[test]
fn reader_sees_whole_batches() {
    let callbacks = [push(STREAM, "1", 0), anomaly(STREAM, "1", 1), stop(STREAM, "1", 9), screenshot(STREAM, 5)];
    let index = Index::of(&callbacks);
    let Index { directory, mut store, .. } = index;
    let reader = Reader::open(directory.path()).unwrap();
    let id = StreamKey::from_text(STREAM).session("1");
    let whole = reader.session(&id, NOW_MS).unwrap();
    let journal = records_of(&callbacks);
    let writer = std::thread::spawn(move || {
        for _ in 0..300 {
            store.begin_rebuild(Offset(1), Offset(i64::MAX)).unwrap();
            store.apply(&journal).unwrap();
        }
    });
    while !writer.is_finished() {
        assert_eq!(reader.session(&id, NOW_MS).unwrap(), whole);
        assert_eq!(reader.session_events(&id, NOW_MS).unwrap().len(), 4);
        let of_stream = reader.events_of_streams(&select("", "s", ""), Offset(0), Order::Ascending, 9).unwrap();
        assert_eq!(of_stream.map(|offsets| offsets.len()), Some(4));
        reader.streams(&StreamSelection::default(), None, 9, NOW_MS).unwrap();
        reader.broadcasts(&BroadcastQuery::default(), NOW_MS).unwrap();
    }
    writer.join().unwrap();
}

#[test]
fn plan_of_sessions_of_a_stream() {
    // The places of one page, whose rows are read then.
    assert_plans(&["(subquery-1)"], |reader| {
        for states in [vec![], vec![State::Live], vec![State::Ended]] {
            let query = SessionQuery { selection: of_stream(), states, ..SessionQuery::default() };
            assert!(!reader.sessions(&query, NOW_MS).unwrap().is_empty());
        }
    });
}

#[test]
fn plan_of_sessions_of_a_time() {
    for order in [Order::Descending, Order::Ascending] {
        for (since_ms, until_ms) in [(Some(at(0)), None), (None, Some(at(700))), (Some(at(0)), Some(at(700)))] {
            let ask = |reader: &Reader| {
                let started = TimeRange { since_ms, until_ms };
                let query = SessionQuery { started, order, ..SessionQuery::default() };
                let first = reader.sessions(&query, NOW_MS).unwrap();
                assert_eq!(first.len(), 2);
                let after = Some(first[0].place);
                assert_eq!(reader.sessions(&SessionQuery { after, ..query }, NOW_MS).unwrap().len(), 1);
            };
            assert_plans(&[], ask);
        }
    }
}

#[test]
fn plan_of_newest_sessions() {
    let ask = |reader: &Reader| {
        assert_eq!(reader.sessions(&SessionQuery::default(), NOW_MS).unwrap().len(), 2);
        assert_eq!(reader.broadcasts(&BroadcastQuery::default(), NOW_MS).unwrap().len(), 2);
    };
    assert_plans(&["INDEX sessions_by_start"], ask);
}

#[test]
fn plan_of_live_sessions() {
    assert_plans(&["INDEX open_sessions"], |reader| {
        for states in [vec![State::Live], vec![State::Stale], vec![State::Live, State::Stale]] {
            reader.sessions(&SessionQuery { states, ..SessionQuery::default() }, NOW_MS).unwrap();
        }
    });
}

#[test]
fn recently_ended_sessions_come_by_their_end() {
    let index = Index::of(&[
        push(STREAM, "1", 0),
        push("b.com/live/s", "2", 1),
        stop("b.com/live/s", "2", 50),
        stop(STREAM, "1", 40),
        push(STREAM, "3", 60),
    ]);
    let sequences = |limit| {
        let ended = index.reader().recently_ended(limit, NOW_MS).unwrap();
        ended.into_iter().map(|session| session.sequence).collect::<Vec<_>>()
    };
    assert_eq!(sequences(10), ["2", "1"]);
    // The stop that came last is chosen, although another one says a later time.
    assert_eq!(sequences(1), ["1"]);
    assert_plans(&["SCAN events"], |reader| drop(reader.recently_ended(10, NOW_MS).unwrap()));
}
