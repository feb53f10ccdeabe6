//! With the index, a query finds the same events in the same order as a search of the whole journal, wherever the boundary
//! between the two is.

use super::*;
use crate::callback::testing::event;
use crate::callback::{DomainPattern, Event, EventSelection, EventType, NamePattern, StreamSelection};
use crate::history::testing::{BEGIN_SECS, Data, push_at};
use crate::journal::CLOCK_SLACK_MS;
use crate::moment::TimeRange;

/// Events of seven streams, two domains and five types; `rounds` of twelve, a minute apart. One event of 48 is a recording.
fn rounds(rounds: std::ops::Range<i64>) -> Vec<Event> {
    let event_of = |round: i64, number: i64| {
        let secs = round * 60 + number;
        let is_recording = round % 4 == 1 && number == 5;
        event(if is_recording { "recording" } else { ["push", "stop", "push-anomaly", "777"][number as usize % 4] })
            .domain(&format!("d{}.example.com", round % 2))
            .stream(&format!("room-{}", number % 7))
            .sequence(round)
            .happened_secs(BEGIN_SECS + secs)
            .at_ms((BEGIN_SECS + secs) * 1000)
            .build()
    };
    rounds.flat_map(|round| (0..12).map(move |number| event_of(round, number))).collect()
}

/// A journal of so many pushes of the stream `a`, and its index.
fn indexed_pushes(count: i64) -> Data {
    let data = Data::new();
    data.write((0..count).map(|number| data.push("a", number)));
    data.index_all();
    data
}

/// All events of some streams.
fn streams(names: &[&str]) -> EventQuery {
    let names = names.iter().map(|name| NamePattern::new(name).unwrap()).collect();
    let streams = StreamSelection { names, ..StreamSelection::default() };
    let selection = EventSelection { streams, ..EventSelection::default() };
    EventQuery { selection, limit: usize::MAX, ..EventQuery::default() }
}

fn received(since_ms: Option<i64>, until_ms: Option<i64>, mut query: EventQuery) -> EventQuery {
    query.selection.received = TimeRange { since_ms, until_ms };
    query
}

fn types(types: &[EventType], mut query: EventQuery) -> EventQuery {
    query.selection.types = types.to_vec();
    query
}

fn ascending(query: EventQuery) -> EventQuery {
    EventQuery { order: Order::Ascending, ..query }
}

/// The offsets of all pages, in order.
fn all_pages(source: EventSource<'_>, query: &EventQuery) -> Vec<i64> {
    let (mut query, mut offsets) = (query.clone(), Vec::new());
    loop {
        let page = source.page(&query).unwrap();
        assert!(page.records.len() <= query.limit);
        offsets.extend(page.records.iter().map(|record| record.offset.0));
        query.after = Some(page.place);
        if !page.has_more {
            return offsets;
        }
    }
}

/// Every record of a journal.
fn all_records(journal: &journal::Reader) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let more = journal.read(records.last().map(|last| last.offset).unwrap_or_default(), 1000).unwrap();
        if more.is_empty() {
            return records;
        }
        records.extend(more);
    }
}

/// The offsets that the pages must have, by a look at each record.
fn expected(records: &[Record], query: &EventQuery) -> Vec<i64> {
    let matching = records.iter().filter(|record| query.selection.takes(&record.event));
    let mut offsets: Vec<i64> = matching.map(|record| record.offset.0).collect();
    if query.order == Order::Descending {
        offsets.reverse();
    }
    offsets
}

/// Queries of every kind; the events of `rounds` match some of them.
fn queries() -> Vec<EventQuery> {
    let at = |round: i64| Some((BEGIN_SECS + round * 60) * 1000);
    let domain = |mut query: EventQuery, domain: &str| {
        query.selection.streams.domains = vec![DomainPattern::new(domain).unwrap()];
        query
    };
    let chosen = [
        streams(&["room-1"]),
        streams(&["room-1", "room-5"]),
        domain(streams(&["room-1"]), "D1.example.com"),
        domain(streams(&["room-6"]), "*.example.com"),
        streams(&["room-*"]),
        streams(&["nowhere"]),
        streams(&[]),
    ];
    let spans = [(None, None), (at(8), None), (at(18), None), (None, at(2)), (None, at(8)), (at(2), at(8))];
    let lists = [&[][..], &[EventType::Stop], &[EventType::Stop, EventType::Unknown(777)], &[EventType::Recording]];
    let mut queries = Vec::new();
    for query in chosen {
        for (since_ms, until_ms) in spans {
            for (list, limit) in lists.into_iter().zip([10, 3, usize::MAX, 2]) {
                for order in [Order::Ascending, Order::Descending] {
                    let query = types(list, received(since_ms, until_ms, query.clone()));
                    queries.push(EventQuery { order, limit, ..query });
                }
            }
        }
    }
    queries
}

#[test]
fn pages_are_the_same_at_every_boundary() {
    let data = Data::new();
    data.write(rounds(0..16));
    // Some events come again later, and stand in the journal twice.
    data.write(rounds(5..9));
    data.index_all();
    let compare = |what: &str| {
        let (journal, index) = data.readers();
        let records = all_records(&journal);
        let mut count = 0;
        for query in queries() {
            let expected = expected(&records, &query);
            count += expected.len();
            for index in [None, Some(&index)] {
                let source = EventSource::new(&journal, index);
                let found = all_pages(source, &query);
                assert_eq!(found, expected, "{what}, with an index: {}, {query:?}", index.is_some());
                if !query.selection.types.is_empty() && !query.selection.streams.names_streams() {
                    // A search by type that takes several steps.
                    let source = EventSource { search_offsets: 7, ..source };
                    assert_eq!(all_pages(source, &query), expected, "{what}, in steps: {query:?}");
                }
            }
        }
        assert!(count > 100, "{count} events were compared");
    };
    compare("the index holds all");
    data.write(rounds(16..21));
    data.write(rounds(3..4));
    compare("the index is behind");
    data.prune_records(70);
    compare("the index knows records that were pruned");
    data.prune_records(170);
    compare("all that the index knows was pruned");
}

#[test]
fn pages_join_without_a_gap() {
    let data = Data::new();
    // More events of one stream than one read from index or journal returns.
    data.write((0..2300).map(|number| data.push(if number % 10 == 0 { "other" } else { "room-1" }, number)));
    data.index_all();
    data.write((2300..3500).map(|number| data.push("room-1", number)));
    let (journal, index) = data.readers();
    let source = EventSource::new(&journal, Some(&index));
    for query in [streams(&["room-1"]), ascending(streams(&["room-1"]))] {
        for limit in [999, 1000, 1001, usize::MAX] {
            let query = EventQuery { limit, ..query.clone() };
            assert_eq!(all_pages(source, &query), expected(&all_records(&journal), &query), "{limit}");
        }
    }
}

#[test]
fn large_events_come_in_small_pages() {
    let data = Data::new();
    let padding = "x".repeat(200_000);
    let large = |number: i64| push_at("a", number).member("x", padding.clone()).build();
    data.write((0..15).map(large));
    data.index_all();
    data.write((15..30).map(large));
    let (journal, index) = data.readers();
    for (index, order) in [
        (None, Order::Ascending),
        (None, Order::Descending),
        (Some(&index), Order::Ascending),
        (Some(&index), Order::Descending),
    ] {
        let source = EventSource::new(&journal, index);
        let query = EventQuery { order, ..streams(&["a"]) };
        let first = source.page(&query).unwrap();
        let bytes: usize = first.records.iter().map(|record| record.event.line().len()).sum();
        assert!(first.has_more && (PAGE_BYTES_MAX..PAGE_BYTES_MAX + 300_000).contains(&bytes), "{bytes}");
        assert_eq!(all_pages(source, &query), expected(&all_records(&journal), &query));
    }
}

#[test]
fn search_ends_after_a_number_of_records() {
    let data = indexed_pushes(300);
    let (journal, index) = data.readers();
    let source = EventSource { scan_records_max: 50, ..EventSource::new(&journal, Some(&index)) };
    // By a search of the journal, and by the index.
    for names in [&["nothing-*"][..], &["a"]] {
        let query = types(&[EventType::Stop], streams(names));
        let page = source.page(&query).unwrap();
        assert!(page.records.is_empty() && page.has_more);
        assert_eq!(all_pages(source, &query), [0; 0]);
    }
}

// The index passes many records in the time of one, so a page can look at the whole journal.
#[test]
fn rare_type_comes_in_one_page() {
    let data = indexed_pushes(1500);
    data.write([data.stop("a", 1500, 5)]);
    data.index_all();
    let (journal, index) = data.readers();
    let query = types(&[EventType::Stop], streams(&[]));
    let found = |index| EventSource { scan_records_max: 300, ..EventSource::new(&journal, index) };
    let page = found(Some(&index)).page(&ascending(query.clone())).unwrap();
    assert_eq!((page.records.len(), page.has_more), (1, false));
    let page = found(None).page(&ascending(query)).unwrap();
    assert_eq!((page.records.len(), page.has_more), (0, true));
}

#[test]
fn last_page_ends_at_the_last_record() {
    let data = indexed_pushes(4);
    let (journal, index) = data.readers();
    let source = EventSource::new(&journal, Some(&index));
    let page = source.page(&EventQuery { limit: 4, ..ascending(streams(&["a"])) }).unwrap();
    assert!(!page.has_more, "as many as wanted, and no more");
    // What comes later follows on it.
    data.write((4..8).map(|number| data.push("a", number)));
    let later = source.page(&EventQuery { after: Some(page.place), ..ascending(streams(&["a"])) }).unwrap();
    assert_eq!(later.records.len(), 4);
}

#[test]
fn records_displaced_by_the_clock_are_found() {
    let data = Data::new();
    // The clock is set back by an hour every hundred events, which come a minute apart.
    let secs = |number: i64| 100_000 + number * 60 - number / 100 * CLOCK_SLACK_MS / 1000;
    data.write((0..400).map(|number| push_at("a", secs(number)).member("number", number).build()));
    data.index_all();
    let (journal, index) = data.readers();
    let at = |number: i64| Some((BEGIN_SECS + secs(number)) * 1000);
    for (since_ms, until_ms) in
        [(at(99), None), (at(100), at(150)), (None, at(299)), (at(299), at(301)), (None, at(399))]
    {
        for order in [Order::Ascending, Order::Descending] {
            for index in [None, Some(&index)] {
                let query = EventQuery { order, limit: 9, ..received(since_ms, until_ms, streams(&["a"])) };
                let found = all_pages(EventSource::new(&journal, index), &query);
                assert_eq!(found, expected(&all_records(&journal), &query), "{query:?}");
            }
        }
    }
}

#[test]
fn newest_record_is_before_a_later_end() {
    let data = Data::new();
    data.write((0..3).map(|number| data.push("a", number)));
    let (journal, source_index) = (journal::Reader::open(data.path()).unwrap(), None);
    for secs in [3, 3600, 1_000_000] {
        let query = received(None, Some((BEGIN_SECS + secs) * 1000), streams(&[]));
        assert_eq!(all_pages(EventSource::new(&journal, source_index), &query).len(), 3, "{secs}");
    }
}

#[test]
fn streams_of_one_name_can_be_too_many() {
    let data = Data::new();
    let of_its_app = |number: i64| push_at("a", number).app(&number.to_string()).build();
    data.write((0..600).map(of_its_app));
    data.index_all();
    data.write((600..610).map(of_its_app));
    let (journal, index) = data.readers();
    let indexed = EventSource::new(&journal, Some(&index));
    for query in [streams(&["a"]), ascending(streams(&["a"]))] {
        assert_eq!(all_pages(indexed, &query), expected(&all_records(&journal), &query));
    }
}

#[test]
fn event_is_found_by_its_id() {
    let data = Data::new();
    data.write((0..1500).map(|number| data.push("a", number)));
    let (early, late, later) = (data.push("a", 3), data.push("a", 1400), data.stop("a", 3, 5));
    let find = |event: &Event, is_indexed: bool| {
        let journal = journal::Reader::open(data.path()).unwrap();
        let index = usable_index(data.path(), &journal).unwrap();
        assert_eq!(index.is_some(), is_indexed);
        EventSource::new(&journal, index.as_ref()).find(event.id(), 2000).unwrap().map(|record| record.event)
    };
    assert_eq!((find(&early, false), find(&late, false)), (Some(early.clone()), Some(late.clone())));
    assert_eq!(find(&later, false), None);
    data.index_all();
    assert_eq!((find(&early, true), find(&late, true)), (Some(early.clone()), Some(late)));
    assert_eq!(find(&later, true), None);
    data.write([later.clone()]);
    assert_eq!(find(&later, true), Some(later), "the index doesn't hold it yet");
    data.prune_records(100);
    assert_eq!(find(&early, true), None);
}

#[test]
fn search_for_an_id_has_a_bound() {
    let data = indexed_pushes(1500);
    data.write((1500..1520).map(|number| data.push("a", number)));
    let (journal, index) = data.readers();
    let find = |index, number: i64, scan_records_max| {
        let source = EventSource::new(&journal, index);
        source.find(data.push("a", number).id(), scan_records_max).unwrap().is_some()
    };
    assert!(find(None, 1500, 20) && !find(None, 1499, 20) && find(None, 0, 1520) && !find(None, 0, 1519));
    assert!(find(Some(&index), 1500, 20) && find(Some(&index), 1499, 0) && !find(Some(&index), 1500, 0));
}

#[test]
fn index_of_another_journal_is_not_used() {
    let (one, other) = (Data::new(), Data::new());
    one.write((0..9).map(|number| one.push("room-1", number)));
    one.index_all();
    let earlier = one.copy_of_journal();
    other.write((20..24).map(|number| other.push("room-1", number)));
    let check = |is_used: bool, what: &str| {
        let (journal, index) = other.readers();
        assert_eq!(index.cursor_in(&journal).unwrap().is_some(), is_used, "{what}");
        let source = EventSource::new(&journal, Some(&index));
        for query in [streams(&["room-1"]), ascending(streams(&["room-1"]))] {
            assert_eq!(all_pages(source, &query), expected(&all_records(&journal), &query), "{what}");
        }
        let newest = journal.get(journal.head().unwrap().unwrap()).unwrap().unwrap();
        assert_eq!(source.find(newest.event.id(), 1).unwrap(), Some(newest), "{what}");
    };
    other.take_index_of(&one);
    check(false, "another journal");
    other.restore_journal(&earlier);
    check(true, "the same journal");
    one.write([one.push("room-1", 50), one.push("room-1", 51)]);
    one.index_all();
    other.take_index_of(&one);
    check(false, "the index is ahead");
    other.write((60..69).map(|number| other.push("room-1", number)));
    check(false, "other events stand there");
}

#[test]
fn file_that_is_not_an_index_is_reported() {
    let data = Data::new();
    data.write([data.push("a", 1)]);
    let journal = journal::Reader::open(data.path()).unwrap();
    assert!(usable_index(data.path(), &journal).unwrap().is_none());
    std::fs::write(data.path().join("index.db"), "no index").unwrap();
    assert!(matches!(usable_index(data.path(), &journal), Err(IndexError::Foreign(_))));
}
