//! Queries for live streams.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::index::reader::testing::{any_selection, assert_plans, two_streams};
use crate::index::testing::{NOW_MS, assert_searches, open, plans, records, statements};
use crate::index::{BroadcastQuery, SessionQuery, SessionView};
use crate::session::State;
use crate::session::testing::history;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn live_streams_have_live_sessions(history in history(), selection in any_selection()) {
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
}

#[test]
fn plan_of_live_streams() {
    assert_plans(&["COVERING INDEX open_sessions"], |reader| {
        assert_eq!(reader.streams(&StreamSelection::default(), None, 10, NOW_MS).unwrap().len(), 1);
        let live = BroadcastQuery { states: vec![State::Live], ..BroadcastQuery::default() };
        assert_eq!(reader.broadcasts(&live, NOW_MS).unwrap().len(), 1);
    });
    let (_directory, mut store) = two_streams();
    let plans = plans(&mut store, |store| &mut store.connection, |store| drop(store.live_streams(NOW_MS)));
    assert_searches(&plans, &["COVERING INDEX open_sessions"]);
}

#[test]
fn names_of_live_streams_are_read_at_once() {
    let (directory, _store) = two_streams();
    let mut reader = Reader::open(directory.path()).unwrap();
    let run = |reader: &mut Reader| {
        let streams = reader.streams(&StreamSelection::default(), None, 10, NOW_MS).unwrap();
        assert_eq!(streams.len(), 1);
    };
    let texts = statements(&mut reader, |reader| &mut reader.connection, run);
    let of_streams: Vec<_> = texts.iter().filter(|text| text.contains("FROM streams")).collect();
    assert!(of_streams.len() == 1 && of_streams[0].contains("number IN"), "{texts:#?}");
}
