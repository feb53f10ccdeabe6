//! Questions of every kind, over real files: filters, orders, pages, and names that mean harm.

use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::json;

use super::Reader;
use super::past::LONGEST;
use crate::callback::{DomainPattern, Event, EventId, EventType, NamePattern, ReasonCategory, StreamSelection};
use crate::index::testing::{NOW_MS, apply_by_chance, at, open, records};
use crate::index::{BroadcastQuery, BroadcastView, Order, SessionQuery, SessionView, Sort, Store, StreamView};
use crate::journal::{Offset, Record};
use crate::session::testing::{
    HISTORY_SECS, anomaly, event, history, push, recording, screenshot, shuffled, stop, with,
};
use crate::session::{SessionId, State, StreamKey};

const STREAM: &str = "a.com/live/s";
const SORTS: [Sort; 3] = [Sort::Started, Sort::Ended, Sort::Duration];
const ORDERS: [Order; 2] = [Order::Descending, Order::Ascending];

/// An index of callbacks, in the order in which they came.
struct Index {
    directory: tempfile::TempDir,
    store: Store,
    count: i64,
}

impl Index {
    fn new() -> Index {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path());
        Index { directory, store, count: 0 }
    }

    fn of(callbacks: &[serde_json::Value]) -> Index {
        let mut index = Index::new();
        index.add(callbacks);
        index
    }

    fn add(&mut self, callbacks: &[serde_json::Value]) {
        let records: Vec<Record> = callbacks
            .iter()
            .map(event)
            .map(|event| {
                self.count += 1;
                Record { offset: Offset(self.count), event }
            })
            .collect();
        self.store.apply(&records).unwrap();
    }

    fn reader(&self) -> Reader {
        Reader::open(self.directory.path()).unwrap()
    }

    fn sequences(&self, query: &SessionQuery) -> Vec<String> {
        self.reader().sessions(query, NOW_MS).unwrap().into_iter().map(|view| view.sequence).collect()
    }
}

fn select(domain: &str, stream: &str, app_name: &str) -> StreamSelection {
    StreamSelection {
        domains: DomainPattern::new(domain).into_iter().collect(),
        names: NamePattern::new(stream).into_iter().collect(),
        apps: Some(app_name).filter(|name| !name.is_empty()).into_iter().map(str::to_owned).collect(),
        key: None,
    }
}

fn any_selection() -> impl Strategy<Value = StreamSelection> {
    let domain = prop::sample::select(vec!["", "", "a.com", "A.COM", "*.com", "other"]);
    let stream = prop::sample::select(vec!["", "", "s", "t", "x", "*", "s*", "none"]);
    let app_name = prop::sample::select(vec!["", "", "live", "LIVE"]);
    (domain, stream, app_name).prop_map(|(domain, stream, app_name)| select(domain, stream, app_name))
}

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
            since_ms,
            until_ms,
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
        && query.since_ms.is_none_or(|since_ms| view.started.0 >= since_ms)
        && query.until_ms.is_none_or(|until_ms| view.started.0 < until_ms)
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
    fn what_is_asked_for_is_given_in_order_whole_or_by_pages(
        history in history(), seed in any::<u64>(), queries in prop::collection::vec((any_query(), 1..5usize), 8),
    ) {
        let random = &mut fastrand::Rng::with_seed(seed);
        let directory = tempfile::tempdir().unwrap();
        apply_by_chance(directory.path(), &records(&shuffled(&history, random)), random);
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

    #[test]
    fn live_streams_are_those_with_a_live_session(history in history(), selection in any_selection()) {
        let directory = tempfile::tempdir().unwrap();
        let mut store = open(directory.path());
        store.apply(&records(&history)).unwrap();
        let reader = Reader::open(directory.path()).unwrap();
        let query = SessionQuery { states: vec![State::Live], limit: usize::MAX, ..SessionQuery::default() };
        let live = reader.sessions(&query, NOW_MS).unwrap();
        let key = |view: &SessionView| (view.domain.clone(), view.app_name.clone(), view.stream.clone());
        let count = live.iter().map(key).collect::<HashSet<_>>().len();
        prop_assert_eq!(store.live_streams(NOW_MS).unwrap(), count as i64);
        let everything = reader.streams(&StreamSelection::default(), None, usize::MAX, NOW_MS).unwrap();
        prop_assert_eq!(everything.len(), count);
        let stream_key = |view: &StreamView| StreamKey::from_parts(&view.domain, &view.app_name, &view.stream);
        prop_assert!(everything.is_sorted_by(|one, next| stream_key(one) < stream_key(next)));
        let taken: Vec<_> = everything.iter()
            .filter(|stream| selection.takes(&stream.domain, &stream.app_name, &stream.stream)).cloned().collect();
        prop_assert_eq!(&reader.streams(&selection, None, usize::MAX, NOW_MS).unwrap(), &taken);
        prop_assert_eq!(reader.streams(&selection, None, 1, NOW_MS).unwrap(), &taken[..taken.len().min(1)]);
        for stream in everything {
            let name = (stream.domain.clone(), stream.app_name.clone(), stream.stream.clone());
            let of_it: Vec<&SessionView> = live.iter().filter(|view| key(view) == name).collect();
            prop_assert_eq!(stream.pushes, of_it.len());
            prop_assert_eq!(Some(stream.live_since), of_it.iter().map(|view| view.started).min());
            prop_assert_eq!(Some(stream.last_event), of_it.iter().map(|view| view.last_event).max());
            prop_assert_eq!(stream.anomalies, of_it.iter().map(|view| view.anomalies).sum::<i64>());
            let newest = of_it.iter().max_by_key(|view| view.place).unwrap();
            prop_assert_eq!((&stream.session, &stream.user_address), (&newest.id, &newest.user_address));
        }
    }

    #[test]
    fn events_are_found_by_id_and_by_stream(
        history in history(), seed in any::<u64>(), selection in any_selection(), from in 0..60i64, limit in 0..9usize,
    ) {
        let random = &mut fastrand::Rng::with_seed(seed);
        let directory = tempfile::tempdir().unwrap();
        let journal = records(&shuffled(&history, random));
        apply_by_chance(directory.path(), &journal, random);
        let reader = Reader::open(directory.path()).unwrap();
        // Of an event that the journal has twice, where it stands last.
        let place = |id: EventId| journal.iter().rfind(|record| record.event.id() == id).unwrap().offset;
        for event in &history {
            prop_assert_eq!(reader.event(event.id()).unwrap(), Some(place(event.id())));
        }
        prop_assert_eq!(reader.event(EventId::first_of(7)).unwrap(), None);
        // One that the journal has twice is given at each place, as a search of the journal would find it.
        let of_streams: Vec<Offset> = journal.iter().filter(|record| {
            let key = StreamKey::of(record.event.partition_key());
            selection.takes(&key.domain(), &key.app_name(), &key.stream())
        }).map(|record| record.offset).collect();
        let ascending: Vec<Offset> =
            of_streams.iter().copied().filter(|offset| offset.0 > from).take(limit).collect();
        let descending: Vec<Offset> =
            of_streams.iter().copied().rev().filter(|offset| offset.0 < from).take(limit).collect();
        let is_exact = selection.exact_names().is_some();
        for (order, wanted) in [(Order::Ascending, ascending), (Order::Descending, descending)] {
            let found = reader.events_of_streams(&selection, Offset(from), order, limit).unwrap();
            prop_assert_eq!(found, is_exact.then_some(wanted));
        }
    }

    #[test]
    fn the_events_of_a_session_are_those_that_it_counts(history in history(), seed in any::<u64>()) {
        let random = &mut fastrand::Rng::with_seed(seed);
        let directory = tempfile::tempdir().unwrap();
        let journal = records(&shuffled(&history, random));
        apply_by_chance(directory.path(), &journal, random);
        let reader = Reader::open(directory.path()).unwrap();
        let all = reader.sessions(&SessionQuery { limit: usize::MAX, ..SessionQuery::default() }, NOW_MS).unwrap();
        for view in all {
            let offsets = reader.session_events(&view.id, NOW_MS).unwrap();
            for record in &journal {
                if matches!(record.event.event_type(), EventType::Recording | EventType::Screenshot) {
                    let counts = reader.sessions_of_media(record.offset, NOW_MS).unwrap().contains(&view.id);
                    prop_assert_eq!(counts, offsets.contains(&record.offset));
                }
            }
            let events: Vec<&Event> = offsets.into_iter()
                .map(|offset| &journal.iter().find(|record| record.offset == offset).unwrap().event).collect();
            let ids: HashSet<EventId> = events.iter().map(|event| event.id()).collect();
            prop_assert_eq!(ids.len(), events.len(), "each once");
            prop_assert!(events.is_sorted_by_key(|event| event.id().time_ms()));
            let count = |kind| events.iter().filter(|event| event.event_type() == kind).count() as i64;
            prop_assert_eq!(
                [count(EventType::PushAnomaly), count(EventType::Recording), count(EventType::Screenshot)],
                [view.anomalies, view.recordings, view.screenshots]
            );
            for id in [view.push_event_id, view.stop_event_id].into_iter().flatten() {
                prop_assert!(ids.contains(&id));
            }
            for pair in events.windows(2) {
                if pair[0].id().time_ms() == pair[1].id().time_ms() {
                    prop_assert!(pair[1].event_type() != EventType::Push || pair[0].event_type() == EventType::Push);
                    prop_assert!(pair[0].event_type() != EventType::Stop || pair[1].event_type() == EventType::Stop);
                }
            }
        }
    }
}

#[test]
fn pages_have_no_gap_and_no_repeat_while_sessions_come_in() {
    for (sort, order) in SORTS.into_iter().flat_map(|sort| ORDERS.map(|order| (sort, order))) {
        let mut index = Index::new();
        for number in 0..20 {
            // Many equal times and lengths, some not over.
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
            // Between two pages a session starts and another one is done, before and after the place.
            for secs in [news, 9 - news] {
                let sequence = format!("new-{news}-{secs}");
                index.add(&[push(STREAM, &sequence, secs), anomaly(STREAM, "old-7", 1)]);
                if secs % 2 == 0 {
                    index.add(&[stop(STREAM, &sequence, 10 + secs)]);
                }
            }
            news += 1;
            // Bounded, since new ones may come at the end for ever.
            if news > 15 { Vec::new() } else { page }
        });
        let ids: HashSet<&SessionId> = seen.iter().map(|view| &view.id).collect();
        assert_eq!(ids.len(), seen.len(), "{sort:?} {order:?}: one came twice");
        let old = seen.iter().filter(|view| view.sequence.starts_with("old")).count();
        assert_eq!(old, 20, "{sort:?} {order:?}: one is missing");
    }
}

#[test]
fn those_that_are_not_over_come_first_by_end_and_those_that_are_live_by_duration() {
    let alone = stop(STREAM, "unknown length", 50);
    let index = Index::of(&[
        push(STREAM, "live", 645),
        push(STREAM, "early", 600),
        push(STREAM, "stale", 4),
        push(STREAM, "short", 0),
        stop(STREAM, "short", 10),
        push(STREAM, "long", 5),
        stop(STREAM, "long", 30),
        with(alone, json!({"sequence": "alone"})),
    ]);
    let by = |sort, order| index.sequences(&SessionQuery { sort, order, ..SessionQuery::default() });
    assert_eq!(by(Sort::Started, Order::Ascending), ["short", "stale", "long", "alone", "early", "live"]);
    assert_eq!(by(Sort::Ended, Order::Descending), ["stale", "early", "live", "alone", "long", "short"]);
    assert_eq!(by(Sort::Duration, Order::Descending), ["early", "live", "long", "short", "alone", "stale"]);
}

#[test]
fn pages_by_duration_miss_none_and_repeat_none_though_those_that_are_live_go_on() {
    let mut index = Index::new();
    for number in 0..10 {
        index.add(&[push(STREAM, &number.to_string(), 500 + number)]);
    }
    index.add(&[push(STREAM, "over", 0), stop(STREAM, "over", 300)]);
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
fn the_first_and_last_session_of_a_broadcast_do_not_depend_on_which_came_in_first() {
    for sequences in [["1", "2"], ["2", "1"]] {
        let index = Index::of(&sequences.map(|sequence| push(STREAM, sequence, 500)));
        let found = broadcasts(&index, all_broadcasts());
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].first_session.sequence(), found[0].last_session.sequence()), ("1", "2"));
    }
}

fn broadcasts(index: &Index, query: BroadcastQuery) -> Vec<BroadcastView> {
    index.reader().broadcasts(&query, NOW_MS).unwrap()
}

fn all_broadcasts() -> BroadcastQuery {
    BroadcastQuery {
        selection: StreamSelection::default(),
        states: Vec::new(),
        since_ms: None,
        until_ms: None,
        after: None,
        limit: 100,
    }
}

#[test]
fn broadcasts_bridge_short_gaps_and_are_listed_by_their_starts() {
    let index = Index::of(&[
        push(STREAM, "1", 0),
        stop(STREAM, "1", 100),
        push(STREAM, "2", 170),
        stop(STREAM, "2", 200),
        push(STREAM, "3", 271),
        push("b.com/live/s", "4", 280),
        stop("b.com/live/s", "4", 290),
        push("b.com/live/s", "5", 300),
        push("a.com/live/stale", "6", 1),
        anomaly(STREAM, "3", 500),
    ]);
    let brief = |view: &BroadcastView| {
        let (first, last) = (view.first_session.sequence().to_owned(), view.last_session.sequence().to_owned());
        (format!("{first}-{last}"), view.state, view.sessions, view.interruptions, view.longest_gap_ms)
    };
    let found = broadcasts(&index, all_broadcasts());
    assert_eq!(
        found.iter().map(brief).collect::<Vec<_>>(),
        [
            ("4-5".to_owned(), State::Live, 2, 1, 10_000),
            ("3-3".to_owned(), State::Live, 1, 0, 0),
            ("6-6".to_owned(), State::Stale, 1, 0, 0),
            ("1-2".to_owned(), State::Ended, 2, 1, 70_000),
        ]
    );
    let bridged = found.last().unwrap();
    assert_eq!((bridged.duration_ms, bridged.gaps_ms), (Some(200_000), 70_000));
    assert_eq!((bridged.started.0, bridged.ended.map(|ended| ended.0)), (at(0), Some(at(200))));
    assert_eq!(found[0].duration_ms, None, "it is on");
    assert_eq!((found[2].duration_ms, found[2].ended.map(|ended| ended.0)), (None, Some(at(1))), "nobody knows");

    let firsts = |query| -> Vec<String> {
        broadcasts(&index, query).iter().map(|view| view.first_session.sequence().to_owned()).collect()
    };
    for (states, expected) in [
        (vec![State::Live], &["4", "3"][..]),
        (vec![State::Ended], &["1"]),
        (vec![State::Stale], &["6"]),
        (vec![State::Live, State::Stale], &["4", "3", "6"]),
    ] {
        assert_eq!(firsts(BroadcastQuery { states, ..all_broadcasts() }), expected);
    }
    assert_eq!(firsts(BroadcastQuery { selection: select("a.com", "s", ""), ..all_broadcasts() }), ["3", "1"]);
    assert_eq!(firsts(BroadcastQuery { selection: select("a.com", "s*", ""), ..all_broadcasts() }), ["3", "6", "1"]);
    assert_eq!(firsts(BroadcastQuery { selection: select("a.com", "none", ""), ..all_broadcasts() }), [""; 0]);
    let middle = BroadcastQuery { since_ms: Some(at(1)), until_ms: Some(at(280)), ..all_broadcasts() };
    assert_eq!(firsts(middle), ["3", "6"], "a broadcast that began before is left out, though a session did not");
    let mut paged = Vec::new();
    let mut after = None;
    while let [view] = &broadcasts(&index, BroadcastQuery { after, limit: 1, ..all_broadcasts() })[..] {
        after = Some(view.place);
        paged.push(view.clone());
    }
    assert_eq!(paged, found);
}

#[test]
fn what_is_not_there_is_not_found() {
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
fn of_equal_times_a_push_comes_first_and_a_stop_last() {
    let index = Index::of(&[
        stop(STREAM, "1", 10),
        screenshot(STREAM, 10),
        recording(STREAM, 5, 10),
        anomaly(STREAM, "1", 9),
        push(STREAM, "1", 10),
        stop(STREAM, "1", 11),
    ]);
    let id = StreamKey::from_text(STREAM).session("1");
    let places: Vec<i64> = index.reader().session_events(&id, NOW_MS).unwrap().iter().map(|offset| offset.0).collect();
    assert_eq!((places[0], places[1], places[4], places[5]), (4, 5, 1, 6));
    assert_eq!(places[2..4].iter().sum::<i64>(), 2 + 3);
}

#[test]
fn names_that_mean_harm_are_names() {
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
        assert_eq!((&*view.stream, &*view.app_name, view.node.as_deref()), (name, name, Some(name)));
        assert_eq!(view.domain, format!("{}.com", name.to_ascii_lowercase()));
        assert_eq!(view.reason.as_ref().unwrap().errmsg.as_deref(), Some(name));
        let offsets = reader.session_events(&view.id, NOW_MS).unwrap();
        assert_eq!(offsets.len(), 2, "{name:?}");
        let of_stream = reader.events_of_streams(&selection, Offset(0), Order::Ascending, 10).unwrap();
        assert_eq!(of_stream, (name != "*").then_some(offsets), "{name:?}");
    }
    // Neither a stream nor a sequence of no end does harm, nor many of one name.
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
fn a_reader_beside_a_writer_sees_whole_states() {
    let callbacks = [push(STREAM, "1", 0), anomaly(STREAM, "1", 1), stop(STREAM, "1", 9), screenshot(STREAM, 5)];
    let index = Index::of(&callbacks);
    let Index { directory, mut store, .. } = index;
    let reader = Reader::open(directory.path()).unwrap();
    let id = StreamKey::from_text(STREAM).session("1");
    let whole = reader.session(&id, NOW_MS).unwrap();
    let journal = records(&callbacks.iter().map(event).collect::<Vec<_>>());
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
        reader.broadcasts(&all_broadcasts(), NOW_MS).unwrap();
    }
    writer.join().unwrap();
}
