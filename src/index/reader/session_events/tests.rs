//! The events of one session.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::callback::Event;
use crate::index::SessionQuery;
use crate::index::reader::testing::{Index, STREAM, assert_plans};
use crate::index::testing::{NOW_MS, indexed_randomly};
use crate::session::StreamKey;
use crate::session::testing::{anomaly, history, push, recording, screenshot, stop};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn session_events_match_its_counts(history in history(), seed in any::<u64>()) {
        let random = &mut fastrand::Rng::with_seed(seed);
        let (directory, journal) = indexed_randomly(&history, random);
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
fn equal_times_put_the_push_first() {
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
fn plan_of_one_session() {
    let id = StreamKey::from_text(STREAM).session("1");
    assert_plans(&[], |reader| {
        assert!(reader.session(&id, NOW_MS).unwrap().is_some());
        assert_eq!(reader.session_events(&id, NOW_MS).unwrap().len(), 5);
    });
}
