//! A real index in a directory of its own, records for it, and the sessions that it must return. For the tests of this room.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;
use std::sync::mpsc;

use rusqlite::Connection;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::apply::Applied;
use super::store::JournalState;
use super::{Options, Reader, SessionQuery, Store};
use crate::callback::{Event, EventId, EventType, recording_started_ms};
use crate::journal::{Offset, Record};
use crate::session::testing::{BEGIN_SECS, HISTORY_SECS, event, fold, push, shuffled, stop};
use crate::session::{Session, StreamKey};
use crate::storage::meta;

/// The id of a journal that doesn't exist.
pub(super) const JOURNAL: &str = "journal-1";

/// The time of queries, in Unix ms: some sessions without a stop are stale then, and some are live.
pub(super) const NOW_MS: i64 = (BEGIN_SECS + HISTORY_SECS + 60) * 1000;

/// When a session without a stop is stale.
const STALE_AFTER_SECS: u32 = 360;

/// A time of the history, in Unix ms.
pub(super) fn at(secs: i64) -> i64 {
    (BEGIN_SECS + secs) * 1000
}

pub(super) fn options() -> Options {
    Options { stale_after_secs: STALE_AFTER_SECS, ..Options::default() }
}

/// The state of a journal of some records.
pub(super) fn journal(records: &[Record]) -> JournalState {
    JournalState {
        journal_id: JOURNAL.to_owned(),
        first: records.first().map(|record| record.offset),
        head: records.last().map_or(Offset(0), |record| record.offset),
        at_cursor: None,
    }
}

/// An open index that follows a journal which was empty when the index was made.
pub(super) fn open(directory: &Path) -> Store {
    open_with(directory, &options())
}

pub(super) fn open_with(directory: &Path, options: &Options) -> Store {
    let mut store = Store::open(directory, options).unwrap();
    let head = store.cursor();
    store.follow(&JournalState { head, ..journal(&[]) }).unwrap();
    store
}

/// Opens an index whose third session is in another stretch than the first two.
pub(super) fn open_before_a_stretch(directory: &Path) -> Store {
    let mut store = open(directory);
    if store.next_session == 1 {
        number_sessions_from(&mut store, (1 << 16) - 2);
    }
    store
}

/// Gives the next new session a higher number, as if others had been pruned.
pub(super) fn number_sessions_from(store: &mut Store, number: i64) {
    meta::store(&store.connection, "next_session", Some(number)).unwrap();
    store.reload().unwrap();
}

/// The verified events of callbacks.
pub(super) fn events(callbacks: &[Value]) -> Vec<Event> {
    callbacks.iter().map(event).collect()
}

/// Records of events, with some gaps between their offsets.
pub(super) fn records(events: &[Event]) -> Vec<Record> {
    // Rows that have no gap are inserted several at a time.
    let offset = |position: usize| Offset(position as i64 + position as i64 / 11 + 1);
    events.iter().enumerate().map(|(at, event)| Record { offset: offset(at), event: event.clone() }).collect()
}

/// The records of callbacks.
pub(super) fn records_of(callbacks: &[Value]) -> Vec<Record> {
    records(&events(callbacks))
}

/// A push and its stop.
pub(super) fn pushed(stream: &str, sequence: &str, secs: Range<i64>) -> [Value; 2] {
    [push(stream, sequence, secs.start), stop(stream, sequence, secs.end)]
}

/// An open index that has callbacks, in a directory of its own, and their records.
pub(super) fn indexed(callbacks: &[Value]) -> (TempDir, Store, Vec<Record>) {
    let (directory, journal) = (tempfile::tempdir().unwrap(), records_of(callbacks));
    let mut store = open_before_a_stretch(directory.path());
    store.apply(&journal).unwrap();
    (directory, store, journal)
}

/// An index that got events in an arrangement of chance, and the records of these events.
pub(super) fn indexed_randomly(events: &[Event], random: &mut fastrand::Rng) -> (TempDir, Vec<Record>) {
    let (directory, journal) = (tempfile::tempdir().unwrap(), records(&shuffled(events, random)));
    apply_randomly(directory.path(), &journal, random);
    (directory, journal)
}

/// Applies records in random batches, some of them twice, and opens the index again now and then.
pub(super) fn apply_randomly(directory: &Path, records: &[Record], random: &mut fastrand::Rng) -> Applied {
    let mut store = open_before_a_stretch(directory);
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

/// Every session that the index returns, sorted by id.
pub(super) fn sessions(directory: &Path) -> Vec<Value> {
    let query = SessionQuery { limit: usize::MAX, ..SessionQuery::default() };
    let views = Reader::open(directory).unwrap().sessions(&query, NOW_MS).unwrap();
    sorted(views.iter().map(|view| serde_json::to_value(view).unwrap()))
}

/// Every session that the events make.
pub(super) fn expected(events: &[Event]) -> Vec<Value> {
    sorted(fold(events).iter().map(|((stream, sequence), session)| view(stream, sequence, session, events)))
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
        reason["errmsg"] = json!(session.reason_text());
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
        "manual_end_event_id": session.manual_end.as_ref().map(|(id, _)| id),
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

/// Whether a recording or a screenshot belongs to a session. No file is finished days after its stream.
fn is_of_its_time(stream: &StreamKey, session: &Session, event: &Event) -> bool {
    let ends_ms = event.id().time_ms();
    let begins_ms = recording_started_ms(event).unwrap_or(ends_ms);
    let stale_after_ms = i64::from(STALE_AFTER_SECS) * 1000;
    let is_stale = session.last_ms() < NOW_MS - stale_after_ms;
    let until_ms = session.ended_ms().unwrap_or(if is_stale { session.last_ms() } else { i64::MAX });
    StreamKey::of(event.partition_key()) == *stream
        && ends_ms >= session.started_ms()
        && begins_ms <= until_ms
        && ends_ms < until_ms.saturating_add(48 * 3_600_000)
}

/// How many different events fulfil a condition.
fn count(events: &[Event], condition: impl Fn(&Event) -> bool) -> usize {
    events.iter().filter(|event| condition(event)).map(Event::id).collect::<HashSet<EventId>>().len()
}

/// The texts of the statements that `run` executes.
pub(super) fn statements<T>(
    subject: &mut T,
    connection: impl Fn(&mut T) -> &mut Connection,
    run: impl FnOnce(&mut T),
) -> Vec<String> {
    let (send, statements) = mpsc::channel();
    let trace = move |traced: TraceEvent<'_>| {
        if let TraceEvent::Stmt(_, text) = traced {
            send.send(text.to_owned()).unwrap();
        }
    };
    connection(subject).trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(trace)).unwrap();
    run(subject);
    connection(subject).trace_v2(TraceEventCodes::empty(), None::<fn(TraceEvent<'_>)>).unwrap();
    statements.try_iter().collect()
}

/// The steps of SQLite's plan for each statement that `run` executes, with the statement.
pub(super) fn plans<T>(
    subject: &mut T,
    connection: impl Fn(&mut T) -> &mut Connection,
    run: impl FnOnce(&mut T),
) -> Vec<(String, String)> {
    let mut plans = Vec::new();
    for statement in statements(subject, &connection, run) {
        if !["SELECT", "UPDATE", "DELETE"].iter().any(|word| statement.starts_with(word)) {
            continue;
        }
        let mut explain = connection(subject).prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
        // A plan needs no values for the parameters.
        let mut rows = explain.raw_query();
        while let Some(row) = rows.next().unwrap() {
            plans.push((row.get::<_, String>("detail").unwrap(), statement.clone()));
        }
    }
    assert!(!plans.is_empty());
    plans
}

/// Every step must find its rows by an index. Only the ones in `may_scan` may be read as a whole.
pub(super) fn assert_searches(plans: &[(String, String)], may_scan: &[&str]) {
    for (step, statement) in plans {
        assert!(!step.contains("AUTOMATIC"), "{step}: {statement}");
        let may_be = |scanned: &&str| step.ends_with(scanned);
        // A table with one row for 65,536 sessions is read as a whole.
        let is_free =
            !step.starts_with("SCAN") || ["SCAN CONSTANT ROW", "SCAN session_stretches"].contains(&step.as_str());
        assert!(is_free || may_scan.iter().any(may_be), "{step}: {statement}");
    }
}
