//! A real index in a directory of its own, records for it, and what it must say of them, for the tests of this module
//! alone.

use std::collections::HashSet;
use std::path::Path;

use serde_json::{Value, json};

use super::apply::Applied;
use super::store::Source;
use super::{Options, Reader, SessionQuery, Store};
use crate::callback::{Event, EventId, EventType, recording_started_ms};
use crate::journal::{Offset, Record};
use crate::session::testing::{BEGIN_SECS, HISTORY_SECS, Sessions, fold};
use crate::session::{Session, StreamKey};

/// The journal that tests speak of where there is none.
pub(super) const JOURNAL: &str = "journal-1";

/// When tests ask, in Unix ms: within it, some sessions without a stop are stale and some are live.
pub(super) const NOW_MS: i64 = (BEGIN_SECS + HISTORY_SECS + 60) * 1000;

/// After so long a session without a stop is stale.
const STALE_AFTER_SECS: u32 = 360;

/// A moment of the history, in Unix ms.
pub(super) fn at(secs: i64) -> i64 {
    (BEGIN_SECS + secs) * 1000
}

pub(super) fn options() -> Options {
    Options { stale_after_secs: STALE_AFTER_SECS, ..Options::default() }
}

/// The journal's state as an index is told of it.
pub(super) fn source(records: &[Record]) -> Source {
    Source {
        journal_id: JOURNAL.to_owned(),
        first: records.first().map(|record| record.offset),
        head: records.last().map_or(Offset(0), |record| record.offset),
        at_cursor: None,
    }
}

/// An open index that follows a journal, which was empty when the index was made.
pub(super) fn open(directory: &Path) -> Store {
    let mut store = Store::open(directory, &options()).unwrap();
    let head = store.cursor();
    store.follow(&Source { head, ..source(&[]) }).unwrap();
    store
}

/// Events as they came to stand in a journal, with gaps between.
pub(super) fn records(events: &[Event]) -> Vec<Record> {
    let offset = |position: usize| Offset(position as i64 + position as i64 / 5 + 1);
    events.iter().enumerate().map(|(at, event)| Record { offset: offset(at), event: event.clone() }).collect()
}

/// Takes records in by batches of chance, some of them twice, and opens the index anew now and then.
pub(super) fn apply_by_chance(directory: &Path, records: &[Record], random: &mut fastrand::Rng) -> Applied {
    let mut store = open(directory);
    let mut all = Applied::default();
    let mut rest = records;
    while !rest.is_empty() {
        let (batch, more) = rest.split_at(random.usize(1..=rest.len().min(12)));
        for _ in 0..random.u8(1..3) {
            let applied = store.apply(batch).unwrap();
            all.ended.extend(applied.ended);
            all.without_sequence += applied.without_sequence;
        }
        if random.u8(0..4) == 0 {
            drop(store);
            store = open(directory);
        }
        rest = more;
    }
    all
}

/// Every session as the index gives it, sorted by id.
pub(super) fn sessions(directory: &Path) -> Vec<Value> {
    let query = SessionQuery { limit: usize::MAX, ..SessionQuery::default() };
    let views = Reader::open(directory).unwrap().sessions(&query, NOW_MS).unwrap();
    sorted(views.iter().map(|view| serde_json::to_value(view).unwrap()))
}

/// Every session as the events alone say.
pub(super) fn expected(events: &[Event]) -> Vec<Value> {
    expected_of(&fold(events), events)
}

/// As [`expected`], of sessions that are put together already.
pub(super) fn expected_of(sessions: &Sessions, events: &[Event]) -> Vec<Value> {
    sorted(sessions.iter().map(|((stream, sequence), session)| view(stream, sequence, session, events)))
}

fn sorted(views: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut views: Vec<Value> = views.collect();
    views.sort_by_key(|view| view["id"].as_str().unwrap().to_owned());
    views
}

fn view(stream: &StreamKey, sequence: &str, session: &Session, events: &[Event]) -> Value {
    let moment = |ms: i64| json!(jiff::Timestamp::from_millisecond(ms).unwrap().to_string());
    let reason = session.reason().map(|reason| {
        let mut reason = serde_json::to_value(reason).unwrap();
        reason["errmsg"] = json!(session.stop.as_ref().unwrap().1.errmsg);
        reason
    });
    let size = session.size();
    json!({
        "id": stream.session(sequence),
        "state": session.state(NOW_MS, Some(i64::from(STALE_AFTER_SECS) * 1000)),
        "domain": stream.domain(),
        "app_name": stream.app_name(),
        "stream": stream.stream(),
        "sequence": sequence,
        "appid": session.appid(),
        "started": moment(session.started_ms()),
        "ended": session.ended_ms().map(moment),
        "duration_ms": session.duration_ms(),
        "reason": reason,
        "user_address": session.user_address(),
        "node": session.node(),
        "width": size.map(|size| size.0),
        "height": size.map(|size| size.1),
        "first_event": moment(session.first_ms()),
        "last_event": moment(session.last_ms()),
        "push_event_id": session.push.as_ref().map(|(id, _)| id),
        "stop_event_id": session.stop.as_ref().map(|(id, _)| id),
        "anomalies": count(events, |event| {
            event.event_type() == EventType::PushAnomaly
                && StreamKey::of(event.partition_key()) == *stream
                && event.sequence().is_some_and(|of| of == sequence)
        }),
        "recordings": count(events, |event| {
            event.event_type() == EventType::Recording && is_of_its_time(stream, session, event)
        }),
        "screenshots": count(events, |event| {
            event.event_type() == EventType::Screenshot && is_of_its_time(stream, session, event)
        }),
    })
}

/// Whether a recording or a screenshot is of a session's stream and time. No file is finished days after its stream.
fn is_of_its_time(stream: &StreamKey, session: &Session, event: &Event) -> bool {
    let ends_ms = event.id().time_ms();
    let begins_ms = recording_started_ms(event).unwrap_or(ends_ms);
    let until_ms = session.ended_ms().unwrap_or(i64::MAX);
    StreamKey::of(event.partition_key()) == *stream
        && ends_ms >= session.started_ms()
        && begins_ms <= until_ms
        && ends_ms < until_ms.saturating_add(48 * 3_600_000)
}

/// How many different events are such.
fn count(events: &[Event], is_such: impl Fn(&Event) -> bool) -> usize {
    events.iter().filter(|event| is_such(event)).map(Event::id).collect::<HashSet<EventId>>().len()
}
